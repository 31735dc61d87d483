package healthcheck_test

import (
	"cmp"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/healthcheck"
	"github.com/tope/updater/steps/stepstest"
)

const closed = "127.0.0.1:1"

func saw(service, what string, took, longest time.Duration) steps.Seen {
	return steps.Seen{Figure: steps.Figure{Service: service, What: what, Took: took}, Version: "1.0.0", Longest: longest}
}

// How long a check waits: what the check says on the way forward, and at least twice
// what it was ever seen to need on the way back.
func TestHowLongTheGateWaits(t *testing.T) {
	for name, c := range map[string]struct {
		says    time.Duration
		back    bool
		history steps.History
		waits   time.Duration
	}{
		"forward":                   {says: 2 * time.Second, waits: 2 * time.Second},
		"forward, seen to be slow":  {says: 2 * time.Second, history: steps.History{saw("device-api", "tcp "+closed, time.Second, 9*time.Second)}, waits: 2 * time.Second},
		"back, never seen":          {says: 2 * time.Second, back: true, waits: 20 * time.Second},
		"back, never seen, default": {back: true, waits: 5 * time.Minute},
		"back, never seen, long":    {says: 4 * time.Minute, back: true, waits: 10 * time.Minute},
		"back, never seen, longer":  {says: 20 * time.Minute, back: true, waits: 40 * time.Minute},
		"back, seen to be quick":    {says: 30 * time.Second, back: true, history: steps.History{saw("device-api", "tcp "+closed, time.Second, time.Second)}, waits: 30 * time.Second},
		"back, seen to be slow":     {says: 30 * time.Second, back: true, history: steps.History{saw("device-api", "tcp "+closed, time.Second, 40*time.Second)}, waits: 80 * time.Second},
		"back, another check":       {says: 2 * time.Second, back: true, history: steps.History{saw("device-api", "active device-api", time.Second, time.Second)}, waits: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, health.Check{Service: "device-api", Kind: health.TCP, Address: closed, Timeout: clock.Duration(c.says)})
			b.task.Back, b.task.History = c.back, c.history
			out, err := b.gate.Do(t.Context(), b.task)
			require.Error(t, err)
			r := out.Evidence.(healthcheck.Evidence).Results[0]
			require.Equal(t, c.waits, r.Limit)
			require.GreaterOrEqual(t, r.Took, c.waits)
			require.Less(t, r.Took, c.waits+time.Second)
			require.True(t, r.Late)
			e := steps.AsError(err)
			require.Equal(t, steps.Late, e.Class)
			require.Equal(t, []steps.Figure{{Service: "device-api", What: "tcp " + closed, Took: c.waits}}, e.Late)
		})
	}
}

// On the way back, a check that did not pass before is not waited for any longer than on
// the way forward, and when it passes that is remembered.
func TestWhatNeedNotPassIsNotWaitedForLong(t *testing.T) {
	for name, passes := range map[string]bool{"it passes": true, "it does not": false} {
		t.Run(name, func(t *testing.T) {
			command := []string{"/bin/false"}
			if passes {
				command = []string{"/bin/true"}
			}
			check := health.Check{Service: "device-api", Kind: health.Command, Command: command, Timeout: clock.Duration(2 * time.Second)}
			b := newBench(t, check)
			b.task.Back, b.task.Baseline = true, []byte(`{"results":[{"service":"device-api","kind":"command","target":"`+check.Target()+`"}]}`)
			ev := b.pass(t)
			require.False(t, ev.Results[0].Needed)
			require.Equal(t, passes, len(ev.Figures) == 1)
			require.Less(t, ev.Results[0].Took, 3*time.Second)
		})
	}
}

// A check is only late when nothing of its service failed, and when the device has set
// its limit.
func TestLateIsNotTheSameAsFailed(t *testing.T) {
	check := health.Check{Service: "device-api", Kind: health.TCP, Address: closed, Timeout: clock.Duration(time.Second)}
	for name, does := range map[string]func(*bench){
		"it restarted by itself": func(b *bench) { b.manager.Die("device-api") },
		"it runs from before":    func(b *bench) { b.clock.Advance(time.Minute); b.task.Since.Mono = b.clock.Monotonic() },
		"it came to its end":     func(b *bench) { b.manager.Set("device-api", func(s *service.Status) { s.Active = service.Stopped }) },
		"its end is being dealt with": func(b *bench) {
			b.manager.Set("device-api", func(s *service.Status) { s.Active = service.Deactivating })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, check)
			does(b)
			require.Contains(t, stepstest.Fails(t, b.gate, b.task, steps.Unhealthy, steps.HealthFailed), "not within 1s")
		})
	}
	t.Run("the release has set the limit", func(t *testing.T) {
		b := releases(t, versions.Brought{}, versions.Brought{Health: []health.Check{check}}, nil)
		stepstest.Fails(t, b.gate, b.task, steps.Unhealthy, steps.HealthFailed)
	})
	t.Run("what is known is said", func(t *testing.T) {
		b := newBench(t, check)
		require.Contains(t, stepstest.Fails(t, b.gate, b.task, steps.Late, steps.HealthFailed), "raise the timeout")
		b.task.Before.Current = "1.0.0"
		b.task.History = steps.History{saw("device-api", "tcp "+closed, 300*time.Millisecond, time.Minute)}
		text := stepstest.Fails(t, b.gate, b.task, steps.Late, steps.HealthFailed)
		require.Contains(t, text, "version 1.0.0 needed 300ms")
		require.NotContains(t, text, "raise")
	})
}

// The gate leaves how long it took until each check passed, without the time for which
// Active has to hold.
func TestHowLongItTook(t *testing.T) {
	b := newBench(t)
	begin := b.clock.Monotonic()
	b.gate = healthcheck.New(healthcheck.Config{
		Manager: &risesAt{Manager: b.manager, now: b.clock.Monotonic, at: begin + 10*time.Second, in: service.Deactivating}, Services: []service.Service{{Name: "device-api"}}, Clock: b.clock,
		Checks: []health.Check{{Service: "device-api", Kind: health.Active, Stable: clock.Duration(3 * time.Second)}},
	})
	out, err := b.gate.Do(t.Context(), b.task)
	require.NoError(t, err)
	ev := out.Evidence.(healthcheck.Evidence)
	require.Equal(t, out.Figures, ev.Figures)
	require.Len(t, out.Figures, 1)
	f := out.Figures[0]
	require.Equal(t, []string{"device-api", "active device-api"}, []string{f.Service, f.What})
	require.InDelta(t, 10*time.Second, f.Took, float64(time.Second))
}

// risesAt is a manager whose services are in a state, Starting if it is not told, until
// a moment.
type risesAt struct {
	service.Manager
	now func() time.Duration
	at  time.Duration
	in  service.Active
}

func (r *risesAt) Status(ctx context.Context, s service.Service) (service.Status, error) {
	st, err := r.Manager.Status(ctx, s)
	if r.now() < r.at {
		st.Active, st.Sub = cmp.Or(r.in, service.Starting), "start"
	}
	return st, err
}

// Before a switch, the limits are told that are near what the device has seen.
func TestLimitsThatAreNear(t *testing.T) {
	up, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer up.Close()
	check := health.Check{Service: "device-api", Kind: health.TCP, Address: up.Addr().String(), Timeout: clock.Duration(30 * time.Second)}
	what := "tcp " + check.Address
	for name, c := range map[string]struct {
		seen  steps.Seen
		start time.Duration // systemd's limit
		says  []string
	}{
		"far":                {seen: saw("device-api", what, 23*time.Second, 23*time.Second)},
		"near":               {seen: saw("device-api", what, 28*time.Second, 28*time.Second), says: []string{"the check device-api: " + what + " took 28s last time, and its limit is 30s; raise its timeout"}},
		"near, long ago":     {seen: saw("device-api", what, time.Second, 40*time.Second), says: []string{"the check device-api: " + what + " has taken up to 40s, and its limit is 30s; raise its timeout"}},
		"a start":            {seen: saw("device-api", steps.Start, 75*time.Second, 75*time.Second), start: 90 * time.Second, says: []string{"the start of device-api took 1m15s last time, and its limit is 1m30s; raise TimeoutStartSec= of device-api.service"}},
		"an unlimited start": {seen: saw("device-api", steps.Start, time.Hour, time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, check)
			b.manager.Launches("device-api", service.Launch{StartLimit: c.start})
			b.task.History = steps.History{c.seen}
			found, err := b.gate.Preflight(t.Context(), b.task)
			require.NoError(t, err)
			require.NoError(t, steps.Refusal(found.Findings), "a warning refuses nothing")
			var says []string
			for _, f := range found.Findings {
				if strings.Contains(f.Text, "limit") {
					says = append(says, f.String())
				}
			}
			require.Equal(t, c.says, says)
		})
	}
}
