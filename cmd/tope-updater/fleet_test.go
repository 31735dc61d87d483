package main

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
)

// Everything that a status can say, as people read it; and the least.
func TestAFleetForPeople(t *testing.T) {
	at := time.Date(2026, 11, 24, 9, 12, 0, 0, time.UTC)
	uid := uint32(0)
	origin := journal.Origin{Source: "channel stable", Action: "11"}
	var out bytes.Buffer
	(&terminal{out: &out}).fleet(fleet.Status{
		Source: "channel stable", Place: "https://h/stable.channel", Policy: fleet.Auto, Text: "version 1.2.0 is ready and waits",
		Offer:  &fleet.OfferStatus{Action: "12", Version: "1.2.0", Digest: "sha256:9f", Text: "serial 12 offers version 1.2.0", Do: fleet.Fetch},
		Wait:   &journal.Wait{Reason: "window", Text: "the next maintenance window opens", Until: at.Add(13 * time.Hour)},
		Update: &engine.UpdateStatus{ID: "u2", Kind: engine.Install, From: "1.1.0", To: "1.2.0", State: engine.Ready},
		Due:    at.Add(time.Hour), Asked: at, Heard: at.Add(-time.Hour), Next: at.Add(6 * time.Hour), Failure: "no such host", Tries: 3,
		Alarm: "the channel expires in 2 days", Details: []string{"serial 12", "rollout 30 %"},
		Outbox:    []journal.Notice{{Origin: &origin, State: "Failed", Time: at}, {State: "Downloading", Time: at}},
		Untold:    "503",
		Held:      &journal.Held{Hold: journal.Hold{Until: at, Why: "a fair"}, By: &journal.Asker{Kind: journal.ByUser, UID: &uid, User: "root"}, Time: at},
		Probation: &fleet.ProbationStatus{Version: "1.1.0", Back: "1.0.0", Left: 23 * time.Hour, Doubt: "device-api has ended 3 times\x1b[2J"},
		Ends:      []journal.OfferEnd{{Origin: origin, State: "Failed", Code: "IO_ERROR", Text: "no space", Time: at}, {Origin: origin, State: "Committed", Time: at}},
	})
	require.Equal(t, `version 1.2.0 is ready and waits
source      channel stable, https://h/stable.channel
policy      install
offer       serial 12 offers version 1.2.0
            sha256:9f; to be downloaded only
waits       the next maintenance window opens (until 2026-11-24 22:12 UTC)
update      u2: install 1.1.0 -> 1.2.0: Ready
due         an offer is to be expected on 2026-11-24 10:12 UTC
asked       2026-11-24 09:12 UTC; it answered last on 2026-11-24 08:12 UTC, next on 2026-11-24 15:12 UTC
            no such host; it has failed 3 times in a row
alarm       the channel expires in 2 days
details     serial 12
            rollout 30 %
to tell     11: Failed, of 2026-11-24 09:12 UTC
            Downloading, of 2026-11-24 09:12 UTC
            503
held        a fair
            by root since 2026-11-24 09:12 UTC, until 2026-11-24 09:12 UTC
probation   1.1.0 is watched for another 23 h 0 min of running; if it fails, the device goes back to 1.0.0
            device-api has ended 3 times [2J
ended       11: Failed, on 2026-11-24 09:12 UTC
            IO_ERROR: no space
            11: Committed, on 2026-11-24 09:12 UTC
`, out.String())

	// What one line has said, the next does not say again.
	out.Reset()
	(&terminal{out: &out}).fleet(fleet.Status{
		Text: "it waits", Source: "hawkbit", Place: "https://h", Policy: fleet.Auto, Wait: &journal.Wait{Text: "it waits"}, Failure: "no such host", Tries: 1,
		Offer: &fleet.OfferStatus{Action: "12", Version: "1.2.0", Text: "action 12 brings version 1.2.0, to be downloaded only", Do: fleet.Fetch},
	})
	require.Equal(t, `it waits
source      hawkbit, https://h
policy      install
offer       action 12 brings version 1.2.0, to be downloaded only
            no such host
`, out.String())

	out.Reset()
	(&terminal{out: &out}).fleet(fleet.Status{Text: "this device asks nobody"})
	require.Equal(t, "this device asks nobody\n", out.String())
	require.Equal(t, "not yet, next on 2026-11-24 09:12 UTC", contact(fleet.Status{Next: at}))
	require.Equal(t, "2026-11-24 09:12 UTC", contact(fleet.Status{Asked: at, Heard: at}))
	require.Equal(t, "2026-11-24 09:12 UTC; it has not answered since the daemon was started", contact(fleet.Status{Asked: at, Failure: "x"}))
}

func TestHowLongAHoldIsAskedFor(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 12, 0, 0, time.UTC)
	for _, c := range []struct {
		until, last string
		want        time.Time
	}{
		{"release", "", time.Time{}},
		{"2026-12-24T18:00:00+01:00", "", time.Date(2026, 12, 24, 17, 0, 0, 0, time.UTC)},
		{"2026-12-24 18:00", "", time.Date(2026, 12, 24, 18, 0, 0, 0, time.Local)},
		{"2026-12-24 18:00:30", "", time.Date(2026, 12, 24, 18, 0, 30, 0, time.Local)},
		{"", "90m", now.Add(90 * time.Minute)},
		{"", "3d", now.Add(72 * time.Hour)},
	} {
		got, err := holdEnd(c.until, c.last, now)
		require.NoError(t, err)
		require.True(t, c.want.Equal(got), "%s%s: %s", c.until, c.last, got)
	}
	for _, last := range []string{"3", "d", "-3d", "-3h", "0", "0d", "1ms", "1e9d", "70000d"} {
		_, err := holdEnd("", last, now)
		require.Equal(t, exitUsage, exitCode(err), last)
	}
}

type folded struct{ fold journal.Fold }

func (t folded) Status() engine.Status  { return engine.Status{Update: &engine.UpdateStatus{ID: "u2"}} }
func (t folded) Journal() *journal.Fold { return &t.fold }

// Without a daemon the journal tells what waits, and why.
func TestAFleetWithoutADaemon(t *testing.T) {
	f := config.Default().Fleet
	p := &parts{device: &device{}}
	p.cfg.Fleet = f
	require.Nil(t, p.fleetOf(folded{}))
	f.HawkBit = "https://hawkbit.example"
	p.cfg.Fleet = f
	s := p.fleetOf(folded{}).Status()
	require.Equal(t, "hawkbit", s.Source)
	require.Equal(t, "no daemon runs, so that nobody asks hawkbit", s.Text)
	require.ErrorIs(t, p.fleetOf(folded{}).Check(t.Context()), engine.ErrNothingToDo)

	s = p.fleetOf(folded{journal.Fold{Open: &journal.Update{
		ID: "u2", To: "1.2.0", State: "Ready", Hold: true, Origin: &journal.Origin{Source: "hawkbit"}, Wait: &journal.Wait{Reason: "busy", Text: "it prints"},
	}}}).Status()
	require.Equal(t, "version 1.2.0 stays in Ready: no daemon runs, so that nobody asks hawkbit", s.Text)
	require.Equal(t, "it prints", s.Wait.Text)
	require.Equal(t, "u2", s.Update.ID)

	p.fleet.why = errors.New("cannot tell which device this is")
	s = p.fleetOf(folded{}).Status()
	require.Equal(t, "nobody asks hawkbit: cannot tell which device this is", s.Text)
	require.ErrorContains(t, p.fleetOf(folded{}).Check(t.Context()), "the daemon cannot ask: cannot tell which device this is")
	f.Policy = config.PolicyNone
	p.cfg.Fleet = f
	require.Nil(t, p.fleetOf(folded{}))
}

// A service that ends again and again is seen, and one that has needed some tries is not: a burst
// is one moment, however many restarts it has.
func TestAServiceThatEndsAgainAndAgain(t *testing.T) {
	watched := func(restartsAt func(minute int) int) (often []int) {
		r, count := restarts{}, 0
		for minute := range 40 {
			count += restartsAt(minute)
			if r = r.next(count, time.Duration(minute)*time.Minute); r.often() {
				often = append(often, minute)
			}
		}
		return often
	}
	require.Empty(t, watched(func(m int) int { return map[int]int{3: 100}[m] }), "a burst")
	require.Empty(t, watched(func(m int) int { return map[int]int{3: 5, 4: 1, 30: 2}[m] }))
	require.Len(t, watched(func(int) int { return 300 }), 38, "without end, from the third look on")
	require.Len(t, watched(func(m int) int { return (m + 1) % 4 / 3 }), 30, "every four minutes, from the third, at minute 10, on")
	require.Empty(t, watched(func(m int) int { return (m + 1) % 8 / 7 }), "every eight")

	r := restarts{}
	for i := range 100 { // looks may be close together
		r = r.next(i, time.Duration(i)*100*time.Millisecond)
	}
	require.False(t, r.often())
}
