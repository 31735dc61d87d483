package channel_test

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/trust"
)

// Each test of this file is an attack, named as in docs/channel.md.

// Freeze: a device that gets the same old file again and again stops installing by it, and
// then sounds the alarm.
func TestFreeze(t *testing.T) {
	online := newSigner(t)
	k := keys(t, 1, listed{online, "channel", false})
	f := stable(7, release("1.1.0", "a"))
	file := publish(t, f, online)
	m := receives(t, file, k, channel.Memory{})
	m = receives(t, file, k, m) // the same file once more is taken
	for _, c := range []struct {
		at     time.Time
		reason channel.Reason
		alarm  bool
	}{
		{f.Issued, channel.Offered, false},
		{f.Expires.Add(-time.Second), channel.Offered, false},
		{f.Expires, channel.OutOfDate, false},
		{f.Issued.Add(28*24*time.Hour - time.Second), channel.OutOfDate, false},
		{f.Issued.Add(28 * 24 * time.Hour), channel.OutOfDate, true},
	} {
		choice := f.Choose(device(), m.Time(c.at, built()))
		require.Equal(t, c.reason, choice.Reason, c.at)
		require.Equal(t, c.reason == channel.Offered, choice.Release != nil)
		require.Equal(t, c.alarm, choice.Alarm, c.at)
	}
	// What was accepted goes on, also when the file has expired.
	begun := device()
	begun.Accepted = digest("a")
	choice := f.Choose(begun, f.Expires.Add(time.Hour))
	require.NotNil(t, choice.Release)
	require.False(t, choice.Cancel)
}

// Rollback of the index: an older file is refused, by serial and by time.
func TestRollbackOfTheIndex(t *testing.T) {
	online := newSigner(t)
	k := keys(t, 1, listed{online, "channel", false})
	m := receives(t, publish(t, stable(8), online), k, channel.Memory{})
	for name, old := range map[string]*channel.File{
		"serial": stable(7),
		"time": func() *channel.File {
			f := stable(9)
			f.Issued = f.Issued.Add(-time.Second)
			return f
		}(),
	} {
		s, after, err := channel.Receive(publish(t, old, online), k, "stable", m)
		require.ErrorIs(t, err, channel.ErrRollback, name)
		require.Nil(t, s)
		require.Equal(t, m, after)
	}
	m = receives(t, publish(t, stable(9), online), k, m)
	newest, ok := m.Newest()
	require.True(t, ok)
	require.EqualValues(t, 9, newest.Serial)
}

// Equivocation, and a targeted file: the serial that all others have, with other content.
func TestEquivocation(t *testing.T) {
	online := newSigner(t)
	k := keys(t, 1, listed{online, "channel", false})
	m := receives(t, publish(t, stable(8), online), k, channel.Memory{})
	_, after, err := channel.Receive(publish(t, stable(8, release("1.1.0", "a")), online), k, "stable", m)
	require.ErrorIs(t, err, channel.ErrForked)
	require.Equal(t, m, after)
}

// More signatures on the same body are the same file: a device that knows one key and a
// device that knows both can be compared by the digest.
func TestAnotherSignatureIsNotAnotherFile(t *testing.T) {
	one, two := newSigner(t), newSigner(t)
	k := keys(t, 1, listed{one, "channel", false}, listed{two, "channel", false})
	a, m, err := channel.Receive(publish(t, stable(8), one), k, "stable", channel.Memory{})
	require.NoError(t, err)
	b, m, err := channel.Receive(publish(t, stable(8), one, two), k, "stable", m)
	require.NoError(t, err)
	require.Equal(t, a.Digest, b.Digest)
	require.Len(t, m.Marks, 2)
}

// Mix-and-match: body and signatures come from one file, one signature signs one body, and
// the release is named by a digest.
func TestMixAndMatch(t *testing.T) {
	online := newSigner(t)
	k := keys(t, 1, listed{online, "channel", false})
	_, old, err := channel.Unseal(publish(t, stable(7), online))
	require.NoError(t, err)
	body, _, err := channel.Unseal(publish(t, stable(8, release("1.1.0", "a")), online))
	require.NoError(t, err)
	mixed, err := channel.Seal(body, old)
	require.NoError(t, err)
	_, _, err = channel.Receive(mixed, k, "stable", channel.Memory{})
	require.ErrorIs(t, err, trust.ErrBadSignature)
	// One channel in the place of another.
	beta := stable(8)
	beta.Channel = "beta"
	_, _, err = channel.Receive(publish(t, beta, online), k, "stable", channel.Memory{})
	require.ErrorIs(t, err, channel.ErrAnother)
	// One product's channel on another product.
	stranger := device()
	stranger.Product = "scanner"
	choice := stable(8, release("1.1.0", "a")).Choose(stranger, today())
	require.Nil(t, choice.Release)
	require.Equal(t, channel.OtherProduct, choice.Reason)
	// What is offered is one digest: a file at the URL with another is not it.
	require.Equal(t, digest("a"), stable(8, release("1.1.0", "a")).Choose(device(), today()).Release.Digest)
}

// A stolen channel key signs no code, and a release key no channel.
func TestStolenChannelKey(t *testing.T) {
	online, code := newSigner(t), newSigner(t)
	k := keys(t, 1, listed{online, "channel", false}, listed{code, "", false})
	_, _, err := channel.Receive(publish(t, stable(8), code), k, "stable", channel.Memory{})
	require.ErrorIs(t, err, trust.ErrOtherUse)
	body, signatures, err := channel.Unseal(publish(t, stable(8), online))
	require.NoError(t, err)
	_, err = k.Verify(body, signatures[0])
	require.ErrorIs(t, err, trust.ErrOtherUse)
	// Revoked, it has no say: one more signature by it does not matter.
	fresh := newSigner(t)
	k = keys(t, 2, listed{online, "channel", true}, listed{fresh, "channel", false})
	_, _, err = channel.Receive(publish(t, stable(9), online), k, "stable", channel.Memory{})
	require.ErrorIs(t, err, trust.ErrRevoked)
	receives(t, publish(t, stable(9), online, fresh), k, channel.Memory{})
	// When no signature counts, the error says what is wrong with each.
	_, _, err = channel.Receive(publish(t, stable(9), newSigner(t), online), k, "stable", channel.Memory{})
	require.ErrorIs(t, err, trust.ErrRevoked)
	require.ErrorIs(t, err, trust.ErrUnknownKey)
}

// A stolen release key was revoked: the channel asks for the keys.json that does so, and
// nothing is installed by older keys, also when somebody keeps the new ones back.
func TestRevokedReleaseKey(t *testing.T) {
	f := stable(8, release("1.1.0", "a"))
	f.KeysSerial = 5
	d := device()
	d.Rotates, d.KeysSerial = true, 4
	choice := f.Choose(d, today())
	require.Nil(t, choice.Release)
	require.Equal(t, channel.NeedsKeys, choice.Reason)
	d.KeysSerial = 5
	require.NotNil(t, f.Choose(d, today()).Release)
	// A device without root keys cannot take a keys.json, and is not locked out.
	d.Rotates, d.KeysSerial = false, 0
	require.NotNil(t, f.Choose(d, today()).Release)
}

// Fast-forward: a thief signs the highest serial, in the year 2099. When his key is revoked,
// the device lets go of both, and of nothing that other keys have signed.
func TestFastForward(t *testing.T) {
	online, spare := newSigner(t), newSigner(t)
	k := keys(t, 1, listed{online, "channel", false}, listed{spare, "channel", false})
	m := receives(t, publish(t, stable(8), online, spare), k, channel.Memory{})
	far := stable(channel.MaxSerial)
	far.Issued = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	far.Expires = far.Issued.Add(time.Hour)
	m = receives(t, publish(t, far, online), k, m)
	_, m, err := channel.Receive(publish(t, stable(9), spare), k, "stable", m)
	require.ErrorIs(t, err, channel.ErrRollback)
	require.Equal(t, 2099, m.Time(today(), built()).Year())

	k = keys(t, 2, listed{online, "channel", true}, listed{spare, "channel", false})
	_, m, err = channel.Receive(publish(t, stable(7), spare), k, "stable", m)
	require.ErrorIs(t, err, channel.ErrRollback, "what the other key has signed is remembered")
	require.Equal(t, today(), m.Time(today(), built()), "also when the file is refused")
	m = receives(t, publish(t, stable(9), spare), k, m)
	require.Len(t, m.Marks, 1)
	// A keys.json that does not name the key any more does the same.
	gone := receives(t, publish(t, far, online), keys(t, 1, listed{online, "channel", false}), channel.Memory{})
	receives(t, publish(t, stable(9), spare), keys(t, 2, listed{spare, "channel", false}), gone)
}

// Keys that cannot be read for a while are not keys that were revoked.
func TestNothingIsForgottenWithoutKeys(t *testing.T) {
	online, code := newSigner(t), newSigner(t)
	m := receives(t, publish(t, stable(8), online), keys(t, 1, listed{online, "channel", false}), channel.Memory{})
	require.Equal(t, m, m.Without(nil))
	require.Equal(t, m, m.Without(keys(t, 1, listed{code, "", false}).List()))
}

// Clocks at 1970 and 2099: the one is set by what was signed, the other stops new installs
// for as long as it is wrong, and leaves nothing behind.
func TestClocks(t *testing.T) {
	online := newSigner(t)
	k := keys(t, 1, listed{online, "channel", false})
	f := stable(8, release("1.1.0", "a"))
	m := receives(t, publish(t, f, online), k, channel.Memory{})
	unset, ahead := time.Unix(0, 0), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	require.Equal(t, built(), channel.Memory{}.Time(unset, built()))
	require.Equal(t, f.Issued, m.Time(unset, built()))
	require.Equal(t, channel.Offered, f.Choose(device(), m.Time(unset, built())).Reason)
	wrong := f.Choose(device(), m.Time(ahead, built()))
	require.Equal(t, channel.OutOfDate, wrong.Reason)
	require.True(t, wrong.Alarm)
	m = receives(t, publish(t, f, online), k, m)
	require.Equal(t, channel.Offered, f.Choose(device(), m.Time(today(), built())).Reason, "and back")
	// A file from before the updater was built is judged by the build time.
	old := stable(1)
	old.Issued = built().Add(-60 * 24 * time.Hour)
	old.Expires = old.Issued.Add(time.Hour)
	require.Equal(t, channel.OutOfDate, old.Choose(device(), channel.Memory{}.Time(unset, built())).Reason)
}

// A percentage that goes down and up again asks the same devices first, and does not stop
// one that has begun; only halted and withdrawn do, and a release that is gone.
func TestPercentLoweredAndRaised(t *testing.T) {
	at := func(p channel.Percent, state channel.State) *channel.File {
		r := release("1.1.0", "a")
		if r.Rollout.Percent, r.State = p, state; state != channel.Open {
			r.Why = "loses the calibration"
		}
		return stable(8, r)
	}
	d := device()
	place := channel.PlaceOf("1.1.0", d.ID)
	first := channel.Percent(place/100_000) + 1 // the lowest share that it is in
	for range 2 {
		require.Equal(t, channel.Offered, at(first, channel.Open).Choose(d, today()).Reason)
		require.Equal(t, channel.Waiting, at(first-1, channel.Open).Choose(d, today()).Reason)
	}
	d.Accepted = digest("a")
	lowered := at(first-1, channel.Open).Choose(d, today())
	require.NotNil(t, lowered.Release)
	require.False(t, lowered.Cancel)
	for _, state := range []channel.State{channel.Halted, channel.Withdrawn} {
		stopped := at(channel.All, state).Choose(d, today())
		require.Nil(t, stopped.Release)
		require.True(t, stopped.Cancel, state)
		require.Equal(t, channel.Stopped, stopped.Reason)
	}
	require.True(t, stable(9).Choose(d, today()).Cancel, "it is gone")
}

// A targeted file cannot name a device: the only thing a file knows of devices is their
// order, and a field that does not exist is refused.
func TestNoFileNamesADevice(t *testing.T) {
	online := newSigner(t)
	k := keys(t, 1, listed{online, "channel", false})
	body, err := stable(8, release("1.1.0", "a")).Encode()
	require.NoError(t, err)
	var open map[string]any
	require.NoError(t, json.Unmarshal(body, &open))
	open["releases"].([]any)[0].(map[string]any)["devices"] = []string{"device-1"}
	body, err = json.Marshal(open)
	require.NoError(t, err)
	_, _, err = channel.Receive(seal(t, body, online), k, "stable", channel.Memory{})
	require.ErrorIs(t, err, channel.ErrUnreadable)
	require.ErrorContains(t, err, "devices")
}

// A login page in between, or a server's page for what it does not have.
func TestAWebPageIsNoChannel(t *testing.T) {
	_, _, err := channel.Receive([]byte("\n<!DOCTYPE html><html>Please log in</html>"), keys(t, 1, listed{newSigner(t), "channel", false}), "stable", channel.Memory{})
	require.ErrorIs(t, err, channel.ErrUnreadable)
	require.ErrorContains(t, err, "it is a web page")
}

// Endless data: more than the limit is refused before any of it is read for meaning.
func TestEndlessData(t *testing.T) {
	_, _, err := channel.Receive(make([]byte, channel.MaxFile+1), keys(t, 1, listed{newSigner(t), "channel", false}), "stable", channel.Memory{})
	require.ErrorIs(t, err, channel.ErrUnreadable)
	require.ErrorContains(t, err, "more than the 262144 allowed")
}

// Downgrade of transport: a channel that came by https leads to nothing else.
func TestDowngradeOfTransport(t *testing.T) {
	base, err := url.Parse("https://updates.example/printer/stable.channel")
	require.NoError(t, err)
	for text, want := range map[string]string{
		"app.tope":                   "https://updates.example/printer/app.tope",
		"/app.tope?x=1":              "https://updates.example/app.tope?x=1",
		"https://cdn.example/a.tope": "https://cdn.example/a.tope",
		"http://cdn.example/a.tope":  "",
		"//cdn.example/a.tope":       "",
		"file:///etc/passwd":         "",
		"https://u:p@cdn.example/a":  "",
		"HTTP://cdn.example/a.tope":  "",
		`\\cdn.example\a.tope`:       "",
		"https:///a.tope":            "",
		"a.tope#x":                   "",
		" a.tope":                    "",
		"":                           "",
	} {
		r := release("1.1.0", "a")
		r.URL = text
		got, err := r.Address(base)
		_, encoded := stable(8, r).Encode()
		if want == "" {
			require.Error(t, err, text)
			require.Error(t, encoded, text)
			continue
		}
		require.NoError(t, err, text)
		require.NoError(t, encoded, text)
		require.Equal(t, want, got)
	}
}
