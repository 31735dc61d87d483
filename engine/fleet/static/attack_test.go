package static_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/trust"
)

// Each test of this file is an attack, named as in docs/channel.md, against a device that
// asks over real HTTP.

// online is a world whose device asks a real server, in front of which a handler may stand.
func online(t *testing.T, front ...http.HandlerFunc) *world {
	t.Helper()
	w := newWorld(t)
	var h http.Handler = &w.host
	if len(front) > 0 {
		h = front[0]
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	w.cfg.URL = server.URL + "/stable.channel"
	w.cfg.Web = fetch.New(fetch.Config{Settings: fetch.Settings{Proxy: fetch.NoProxy}, Clock: w.clock})
	w.start()
	return w
}

const day = 24 * time.Hour

// Freeze: the same old file again and again.
func TestFreeze(t *testing.T) {
	w := online(t)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	w.publish()
	first := w.offered()
	w.clock.Advance(14*day - time.Second)
	require.Equal(t, first, w.offered())
	w.clock.Advance(time.Second)
	require.Empty(t, w.waits("expired").Alarm)
	w.clock.Advance(14 * day)
	require.Contains(t, w.waits("expired").Alarm, "nothing was signed since")
	require.Equal(t, "GET /stable.channel 200", w.requests()[0])
	w.start()
	require.NotEmpty(t, w.waits("expired").Alarm, "after a restart")
	// What was accepted goes on.
	w.q.Accepted = &first.Origin
	require.Equal(t, first, w.offered())
}

// Freeze of a device without a clock, which counts the time that it has been running since
// it saw the newest signed time, over its reboots.
func TestFreezeWithoutAClock(t *testing.T) {
	w := online(t)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	w.publish()
	boot := func() {
		w.clock.Reboot()
		w.clock.SetNow(time.Unix(0, 0))
		w.start()
	}
	boot()
	w.offered()
	written := 0
	for i := range 7 { // 7 boots, 2 days each
		for j := range 8 {
			w.clock.Advance(6 * time.Hour)
			a := w.answer()
			if a.Facts != nil {
				written++
			}
			require.Equal(t, i*8+j < 55, a.Offer != nil, "until 14 days are over: %d %d %s", i, j, a.Text)
		}
		boot()
		require.Equal(t, i < 6, w.answer().Offer != nil)
	}
	require.LessOrEqual(t, written, 7*8, "one small record for a poll")
	// A newer file begins anew.
	w.clock.SetNow(w.lastIssued().Add(20 * day))
	w.publish()
	boot()
	w.offered()
	w.offered()
}

// Rollback of the index.
func TestRollbackOfTheIndex(t *testing.T) {
	w := online(t)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	old := w.publish()
	w.offered()
	w.clock.Advance(time.Hour)
	w.releases[0].State, w.releases[0].Why = channel.Halted, "loses the calibration"
	w.publish()
	w.waits("halted")
	w.put("stable.channel", sealed(t, old, w.online))
	w.refuses(channel.ErrRollback)
	w.start()
	w.refuses(channel.ErrRollback)
	w.publish()
	w.waits("halted")
}

// TestAnotherProductIsNotRemembered: a channel of another product that somebody has put in
// the place of this one, or was configured by mistake, does not bar the right one.
func TestAnotherProductIsNotRemembered(t *testing.T) {
	w := online(t)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	right := w.next()
	w.serial += 100
	other := w.next()
	other.Product = "another"
	w.put("stable.channel", sealed(t, other, w.online))
	w.waits("another")
	w.put("stable.channel", sealed(t, right, w.online))
	w.offered()
}

// The same serial with other content.
func TestEquivocation(t *testing.T) {
	w := online(t)
	known := w.publish()
	w.waits("newest")
	w.serial--
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	other := w.publish()
	require.Equal(t, known.Serial, other.Serial)
	a := w.refuses(channel.ErrForked)
	require.Nil(t, a.Facts)
	w.start()
	_, err := w.ask()
	for _, f := range []*channel.File{known, other} {
		body, encodeErr := f.Encode()
		require.NoError(t, encodeErr)
		require.ErrorContains(t, err, channel.Digest(body))
	}
}

// Mix-and-match: of signatures, of channels, of products, and of bundles.
func TestMixAndMatch(t *testing.T) {
	w := online(t)
	_, old, err := channel.Unseal(sealed(t, w.next(), w.online))
	require.NoError(t, err)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	body, _, err := channel.Unseal(sealed(t, w.next(), w.online))
	require.NoError(t, err)
	mixed, err := channel.Seal(body, old)
	require.NoError(t, err)
	w.put("stable.channel", mixed)
	w.refuses(trust.ErrBadSignature)

	w.change = func(f *channel.File) { f.Channel = "beta" }
	w.publish()
	w.refuses(channel.ErrAnother)

	w.change = func(f *channel.File) { f.Product = "scanner" }
	w.publish()
	require.Contains(t, w.waits("product").Alarm, "correct fleet.channel or device.product")

	// The bundle has to be signed for releases, and to be this release in this version.
	w.change = nil
	w.publish()
	o := w.offered()
	require.True(t, o.Source.Signed)
	require.Equal(t, digest("a"), o.Source.Digest)
	require.Equal(t, "1.1.0", o.Source.Version)
}

// Clocks at 1970 and at 2099.
func TestClocks(t *testing.T) {
	w := online(t)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	f := w.publish()
	now := w.clock.Now()
	w.clock.SetNow(time.Unix(0, 0))
	w.offered()
	w.clock.SetNow(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))
	require.NotEmpty(t, w.waits("expired").Alarm)
	require.NotContains(t, string(w.q.Facts), "2099")
	w.clock.SetNow(now)
	w.offered()
	// A file from before the program was built, seen by a device without a clock.
	w.clock.SetNow(time.Unix(0, 0))
	w.cfg.Build = f.Expires
	w.start()
	w.waits("expired")
}

// A share that is lowered and raised.
func TestPercentLoweredAndRaised(t *testing.T) {
	w := online(t)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	share := &w.releases[0].Rollout.Percent
	least := channel.Percent(channel.PlaceOf("1.1.0", "device-1")/100_000) + 1
	for range 2 {
		*share = least - 1
		w.publish()
		w.waits("not for this device as its rollout stands")
		*share = least
		w.publish()
		w.offered()
	}
	first := w.offered()
	w.q.Accepted = &first.Origin
	*share = 0
	w.publish()
	require.Equal(t, first, w.offered(), "what was accepted goes on")
	w.releases = nil
	w.publish()
	a := w.waits("newest")
	require.Equal(t, first.Origin, *a.Cancel)
	require.Equal(t, "channel stable does not have version 1.1.0 any more", a.CancelWhy)
}

// A targeted file: no file can name a device, and no request tells the server which device
// asks.
func TestTargetedFile(t *testing.T) {
	var seen []http.Header
	var w *world
	w = online(t, func(rw http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Clone())
		w.ServeHTTP(rw, r)
	})
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	body, err := w.next().Encode()
	require.NoError(t, err)
	var open map[string]any
	require.NoError(t, json.Unmarshal(body, &open))
	open["releases"].([]any)[0].(map[string]any)["devices"] = []string{"device-1"}
	body, err = json.Marshal(open)
	require.NoError(t, err)
	file, err := channel.Seal(body, [][]byte{minisign.Sign(w.online.private, body)})
	require.NoError(t, err)
	w.put("stable.channel", file)
	w.refuses(channel.ErrUnreadable)
	w.cfg.Device = channel.Device{ID: "device-2", Product: "printer", Hardware: "rev-c"}
	w.q.Version, w.q.Facts = "0.9.0", nil
	w.start()
	w.refuses(channel.ErrUnreadable)
	require.Len(t, seen, 2)
	require.Equal(t, seen[0], seen[1])
}

// answer asks, and requires an answer.
func (w *world) answer() fleet.Answer {
	a, err := w.ask()
	require.NoError(w.t, err)
	return a
}

// lastIssued is the signed time that the device remembers.
func (w *world) lastIssued() time.Time {
	var f struct {
		Memory channel.Memory `json:"memory"`
	}
	require.NoError(w.t, json.Unmarshal(w.q.Facts, &f))
	return f.Memory.Issued()
}

func (w *world) loaded() *trust.Keys {
	k, err := w.cfg.Keys()
	require.NoError(w.t, err)
	return k
}
