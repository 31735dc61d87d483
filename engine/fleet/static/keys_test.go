package static_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/trust"
)

// The attacks with a key that was stolen, and what becomes of such keys.

// A stolen channel key: revoked by the keys.signed beside the channel, it has no say, also
// when what it has signed is in the device's memory.
func TestStolenChannelKey(t *testing.T) {
	w := online(t)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	stolen := w.publish()
	w.offered()
	fresh := newSigner(t)
	w.put("keys.signed", keysSigned(t, w.root, 2, listed{w.online, "channel", true}, listed{fresh, "channel", false}, listed{w.key, "", false}))
	w.publish(fresh)
	w.requests()
	w.offered()
	require.Equal(t, []string{"GET /stable.channel 200", "GET /keys.signed 200"}, w.requests())
	w.put("stable.channel", sealed(t, stolen, w.online))
	w.refuses(trust.ErrRevoked)
	// A release key signs no channel.
	w.publish(w.key)
	w.refuses(trust.ErrOtherUse)
}

// A key that is revoked on the device while the server's file stays as it is.
func TestRevokedWhileNothingChanges(t *testing.T) {
	w := online(t)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	w.publish()
	for range 3 {
		w.offered()
	}
	require.Equal(t, []string{"GET /stable.channel 200", "GET /stable.channel 304", "GET /stable.channel 304"}, w.requests())
	fresh := listed{newSigner(t), "channel", false}
	for serial, c := range []struct {
		now  listed
		want error
	}{
		{listed{w.online, "channel", true}, trust.ErrRevoked},
		{listed{w.online, "", false}, trust.ErrOtherUse},
		{listed{w.key, "", false}, trust.ErrUnknownKey},
	} {
		w.keys(keysSigned(t, w.root, 10*serial+10, c.now, fresh))
		w.requests()
		w.refuses(c.want)
		require.Equal(t, "GET /stable.channel 200", w.requests()[0])
		w.keys(keysSigned(t, w.root, 10*serial+11, listed{w.online, "channel", false}, fresh))
		w.offered()
	}
}

// The keys that the channel asks for revoke the one that has signed it.
func TestRevokedByTheKeysItAsksFor(t *testing.T) {
	w := online(t)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	w.change = func(f *channel.File) { f.KeysSerial = 2 }
	w.publish()
	w.waits("needs keys.json")
	w.put("keys.signed", keysSigned(t, w.root, 2, listed{w.online, "channel", true}, listed{newSigner(t), "channel", false}))
	w.requests()
	w.refuses(trust.ErrRevoked)
	require.Equal(t, "GET /stable.channel 304", w.requests()[0])
	require.NotContains(t, string(w.q.Facts), w.online.public.String())
	w.refuses(trust.ErrRevoked)
	require.Equal(t, "GET /stable.channel 200", w.requests()[0])
}

// An old file that is in memory is one all the same.
func TestRollbackToWhatIsInMemory(t *testing.T) {
	w := online(t)
	old := w.publish()
	w.waits("newest")
	before := w.source
	w.publish()
	w.start()
	w.waits("newest")
	w.source = before
	w.put("stable.channel", sealed(t, old, w.online))
	w.requests()
	w.refuses(channel.ErrRollback)
	require.Equal(t, "GET /stable.channel 304", w.requests()[0])
}

// A thief's file that has the serial of the true one is let go of with his key.
func TestForkByAStolenKey(t *testing.T) {
	w := online(t)
	fresh := newSigner(t)
	both := []listed{{w.online, "channel", false}, {fresh, "channel", false}}
	w.keys(keysSigned(t, w.root, 2, both...))
	w.publish()
	w.waits("newest")
	w.serial--
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	w.publish(fresh)
	w.refuses(channel.ErrForked)
	both[0].revoked = true
	w.put("keys.signed", keysSigned(t, w.root, 3, both...))
	w.offered()
}

// A channel key whose time is over is replaced by the keys.signed beside the channel.
func TestKeyThatIsOutOfDate(t *testing.T) {
	w := online(t)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	key := func(until time.Time) map[string]any {
		return map[string]any{"name": "a", "key": w.online.public.String(), "use": []string{"channel"}, "not_after": until}
	}
	w.keys(signedEntries(t, w.root, 2, key(w.clock.Now().Add(day))))
	w.publish()
	w.offered()
	w.clock.Advance(2 * day)
	w.refuses(trust.ErrNotValidNow)
	w.put("keys.signed", signedEntries(t, w.root, 3, key(w.clock.Now().Add(day))))
	w.offered()
}

// A device whose keys have expired is not cut off for that.
func TestKeysThatHaveExpired(t *testing.T) {
	w := online(t)
	w.publish()
	w.waits("newest")
	w.cfg.Keys = func() (*trust.Keys, error) { return nil, errors.New("keys.json has expired") }
	w.start()
	_, err := w.ask()
	require.ErrorContains(t, err, "keys.json has expired")
	require.ErrorIs(t, err, fleet.ErrHeard)
	w.cfg.Web = fails{"nobody"}
	w.start()
	_, err = w.ask()
	require.NotErrorIs(t, err, fleet.ErrHeard)
}

// A device without root keys takes no keys from the channel's server.
func TestNoRootKeys(t *testing.T) {
	w := online(t)
	w.dir = t.TempDir()
	w.file("channel/a.pub", w.online.public.String())
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	w.publish(newSigner(t))
	w.put("keys.signed", keysSigned(t, w.root, 9, listed{w.online, "channel", false}))
	w.refuses(trust.ErrUnknownKey)
	w.change = func(f *channel.File) { f.KeysSerial = 9 }
	w.publish()
	w.offered()
	require.NotContains(t, w.requests(), "GET /keys.signed 200")
}

// A revoked release key: nothing begins by keys that are older than the channel wants.
func TestRevokedReleaseKey(t *testing.T) {
	w := online(t)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	w.change = func(f *channel.File) { f.KeysSerial = 2 }
	w.publish()
	a := w.waits("needs keys.json with serial 2, and this device has 1")
	require.Contains(t, a.Text, "keys.signed: it answers 404")
	w.put("keys.signed", keysSigned(t, w.root, 1, listed{w.online, "channel", false}, listed{w.key, "", false}))
	require.Contains(t, w.waits("needs keys.json").Text, "in force already")
	w.put("keys.signed", keysSigned(t, newSigner(t), 2, listed{w.online, "channel", false}, listed{w.key, "", true}))
	require.Contains(t, w.waits("needs keys.json").Text, "0 of 1 needed root keys signed it")
	w.put("keys.signed", []byte("<html>"))
	w.waits("keys.json refused")
	w.put("keys.signed", keysSigned(t, w.root, 2, listed{w.online, "channel", false}, listed{w.key, "", true}))
	w.offered() // Verify refuses the bundle if the revoked key has signed it
	require.EqualValues(t, 2, w.loaded().Rotation().Serial)
}

// Fast-forward: the highest serial and the year 2099 are forgotten with the thief's key.
func TestFastForward(t *testing.T) {
	w := online(t)
	spare := newSigner(t)
	w.keys(keysSigned(t, w.root, 2, listed{w.online, "channel", false}, listed{spare, "channel", false}, listed{w.key, "", false}))
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	w.publish(w.online, spare)
	w.offered()
	far := w.next()
	far.Serial, far.Issued = channel.MaxSerial, time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	far.Expires = far.Issued.Add(time.Hour)
	w.put("stable.channel", sealed(t, far, w.online))
	w.offered()
	require.Contains(t, string(w.q.Facts), "2099")
	w.publish(spare)
	w.refuses(channel.ErrRollback)
	w.put("keys.signed", keysSigned(t, w.root, 3, listed{w.online, "channel", true}, listed{spare, "channel", false}, listed{w.key, "", false}))
	w.offered()
	require.NotContains(t, string(w.q.Facts), "2099")
}

// What a revoked key said is let go of also when the file is refused.
func TestFactsComeWithErrors(t *testing.T) {
	w := online(t)
	spare := newSigner(t)
	w.publish()
	w.waits("newest")
	w.keys(keysSigned(t, w.root, 2, listed{w.online, "channel", true}, listed{spare, "channel", false}, listed{w.key, "", false}))
	a := w.refuses(trust.ErrRevoked)
	require.NotNil(t, a.Facts)
	require.NotContains(t, string(a.Facts), w.online.public.String())
}
