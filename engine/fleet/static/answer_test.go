package static_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/steps/bundle/channel"
)

// handlerTrip asks a handler without a socket.
type handlerTrip struct{ http.Handler }

func (h handlerTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// near is a world without sockets.
func near(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.cfg.Web = handlerTrip{&w.host}
	w.start()
	return w
}

func TestAnOffer(t *testing.T) {
	w := near(t)
	r := w.release("1.2.0", "b")
	r.URL = "https://cdn.example/r/app-1.2.0.tope?v=1"
	w.releases = []channel.Release{w.release("1.1.0", "a"), r}
	w.change = func(f *channel.File) { f.PollMinutes = 90 }
	f := w.publish()
	a := w.answer()
	require.Equal(t, 90*time.Minute, a.Next)
	require.Equal(t, "version 1.2.0 is to be installed", a.Text)
	require.Empty(t, a.Alarm)
	body, err := f.Encode()
	require.NoError(t, err)
	require.Equal(t, []string{
		"serial 11", "digest " + channel.Digest(body), "issued 2026-01-02T03:04:05Z", "expires 2026-01-16T03:04:05Z",
		"place " + channel.PlaceOf("1.2.0", "device-1").String() + " in the rollout of version 1.2.0",
	}, a.Details)
	o := a.Offer
	require.Equal(t, "https://cdn.example/r/app-1.2.0.tope?v=1", o.Source.URL.Unredacted())
	require.Equal(t, "app-1.2.0.tope", o.Source.Name)
	require.EqualValues(t, 1000, o.Source.Size)
	require.Equal(t, fleet.Install, o.Do)
	require.False(t, o.Forced)
	require.Equal(t, "channel stable", o.Origin.Source)
	require.Equal(t, "1.2.0", o.Origin.Action)
	require.Equal(t, digest("b"), o.Origin.Digest)
}

func TestWhyThereIsNoOffer(t *testing.T) {
	w := near(t)
	start := w.clock.Now().Add(time.Hour).UTC()
	for name, c := range map[string]struct {
		change func(r *channel.Release)
		text   string
		due    time.Time
	}{
		"a rollout that begins later": {func(r *channel.Release) { r.Rollout.Start = start }, "is due at", start},
		"halted":                      {func(r *channel.Release) { r.State, r.Why = channel.Halted, "loses it" }, "is halted: loses it", time.Time{}},
		"other hardware":              {func(r *channel.Release) { r.Hardware = []string{"rev-a"} }, `is for hardware rev-a, this device is "rev-b"`, time.Time{}},
		"a step is missing":           {func(r *channel.Release) { r.From = "1.0.5" }, "may be installed from 1.0.5 on", time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.release("1.1.0", "a")
			c.change(&r)
			w.releases = []channel.Release{r}
			w.publish()
			for range 2 { // the second is a 304
				a := w.waits(c.text)
				require.Equal(t, c.due, a.Due)
				require.Len(t, a.Details, map[bool]int{true: 5, false: 4}[name != "other hardware"], "with its place in the rollout")
			}
		})
	}
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	w.publish()
	w.offered()
	w.q.Quarantined = map[string]string{digest("a"): "its service died"}
	w.waits("quarantine: its service died")
	w.q.Version, w.q.Quarantined = "1.1.0", nil
	w.waits("version 1.1.0 is the newest")
	w.q.Version = ""
	w.offered()
}

func TestWhatWasAcceptedIsCancelled(t *testing.T) {
	w := near(t)
	w.releases = []channel.Release{w.release("1.1.0", "a"), w.release("1.2.0", "b")}
	w.publish()
	o := w.offered().Origin
	w.q.Accepted = &o
	w.releases[1].State, w.releases[1].Why = channel.Withdrawn, "burns paper"
	w.publish()
	for range 2 {
		a := w.answer()
		require.Equal(t, o, *a.Cancel)
		require.Equal(t, "version 1.2.0 is withdrawn: burns paper", a.CancelWhy)
		require.Equal(t, "1.1.0", a.Offer.Version, "and another one is offered")
	}
	w.releases[1].State, w.releases[1].Why, w.releases[1].Hardware = channel.Open, "", []string{"rev-a"}
	w.publish()
	require.Equal(t, "version 1.2.0 of channel stable is not for this device any more", w.answer().CancelWhy)
	// What is cancelled was a copy of the question's.
	require.Equal(t, "1.2.0", o.Action)
}

func TestARunningVersionThatWasWithdrawn(t *testing.T) {
	w := near(t)
	w.releases = []channel.Release{w.release("1.0.0", "a")}
	w.releases[0].State, w.releases[0].Why = channel.Withdrawn, "burns paper"
	w.publish()
	require.Equal(t, "version 1.0.0, which this device runs, was withdrawn: burns paper", w.waits("newest").Alarm)
}

// Facts that cannot be read do not lock the device out, and somebody is told.
func TestFactsThatCannotBeRead(t *testing.T) {
	w := near(t)
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	w.publish()
	w.q.Facts = []byte(`{"memory":7}`)
	a := w.answer()
	require.NotNil(t, a.Offer)
	require.Contains(t, a.Alarm, "could not be read")
	require.Empty(t, w.answer().Alarm)
}

// Facts come once, and again as long as they were not kept.
func TestFactsComeUntilTheyAreKept(t *testing.T) {
	w := near(t)
	w.publish()
	first := w.answer().Facts
	require.NotNil(t, first)
	require.Nil(t, w.answer().Facts)
	w.clock.Advance(day)
	require.Nil(t, w.answer().Facts)
	w.q.Facts = nil
	require.NotNil(t, w.answer().Facts, "by a 304")
	for range 2 { // the second within the same second
		w.publish()
		require.NotNil(t, w.answer().Facts)
	}
}
