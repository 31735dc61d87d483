package systemd_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/systemd"
)

// preparing is a unit with a command that comes before its program, and with a time
// limit of its own for each of them.
func preparing(limit uint64) map[string]any {
	return map[string]any{
		"TimeoutStartUSec": limit, "ExecStartPre": []execution{{Path: "/bin/prepare"}}, "ActiveState": "activating", "SubState": "start-pre",
	}
}

// during lets time pass on the fake clock, five seconds for each look that the
// manager takes at the unit, while a call is under way. It reports whether the call
// was still under way at the end.
func during(b *bus, c *clocktest.Fake, over <-chan error, d time.Duration) bool {
	seen := -1
	for until := c.Monotonic() + d; c.Monotonic() < until; c.Advance(5 * time.Second) {
		// A look that was just about to be scheduled comes one step later.
		for tries := 0; tries < 20; tries++ {
			polls, asked := 0, false
			b.set(func() { polls, asked = b.polls, len(b.pending) > 0 })
			if len(over) > 0 {
				return false
			}
			if !asked {
				tries = 0
			}
			if asked && polls != seen {
				seen = polls
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	return len(over) == 0
}

// systemd's own limits rule a start, however long it takes.
func TestAStartTakesAsLongAsSystemdLetsIt(t *testing.T) {
	const minute = uint64(time.Minute / time.Microsecond)
	for name, start := range map[string]func(*systemd.Manager, context.Context, service.Service) error{
		"start": (*systemd.Manager).Start, "restart": (*systemd.Manager).Restart,
	} {
		for _, u := range []struct {
			name  string
			limit uint64
			takes time.Duration
		}{
			{"each command has a limit of its own", 4 * minute, 7 * time.Minute},
			{"the service asks for more time again and again", minute, 9 * time.Minute},
			{"a limit beyond the updater's own", 9 * minute, 15 * time.Minute},
			{"no limit", math.MaxUint64, 9 * time.Minute},
		} {
			t.Run(name+", "+u.name, func(t *testing.T) {
				c := clocktest.New()
				b := newBus(t, c, "api")
				b.set(func() {
					b.job = func(string, string) (string, bool) { return "", false }
					b.of = map[string]map[string]any{"api.service": preparing(u.limit)}
				})
				m := systemd.New(systemd.Config{Clock: c, Dial: b.dial, Bus: b.connect, StartBound: 10 * time.Minute})
				t.Cleanup(func() { require.NoError(t, m.Close()) })
				over := make(chan error, 1)
				go func() { over <- start(m, t.Context(), service.Service{Name: "api", StopTimeout: 10 * time.Second}) }()
				require.True(t, during(b, c, over, u.takes), "the updater did not wait")
				b.set(func() { b.of = nil })
				require.NoError(t, b.Restart(t.Context(), svc("api")))
				b.finish("api.service", "done", true)
				require.NoError(t, <-over)
				b.set(func() { require.Zero(t, b.kills, "nothing was killed") })
			})
		}
	}
}

// A start that systemd never ends is given up by a bound of the updater's own, which
// the error names.
func TestAStartThatSystemdNeverEndsIsGivenUp(t *testing.T) {
	c := clocktest.New()
	b := newBus(t, c, "api")
	b.set(func() {
		b.job = func(string, string) (string, bool) { return "", false }
		b.of = map[string]map[string]any{"api.service": preparing(math.MaxUint64)}
	})
	m := systemd.New(systemd.Config{Clock: c, Dial: b.dial, Bus: b.connect, StartBound: 10 * time.Minute})
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	over := make(chan error, 1)
	go func() { over <- m.Start(t.Context(), svc("api")) }()
	require.True(t, during(b, c, over, 9*time.Minute))
	require.False(t, during(b, c, over, 3*time.Minute))
	err := <-over
	require.ErrorIs(t, err, service.ErrEndless)
	require.ErrorIs(t, err, service.ErrTimeout)
	for _, part := range []string{"api.service", "10m", "start-pre", "recovery.start_bound", "TimeoutStartSec="} {
		require.ErrorContains(t, err, part)
	}
}

// A stop that a failed start makes necessary has the whole of the service's stop
// timeout, however long the start took.
func TestAStopAfterALongStartHasItsTime(t *testing.T) {
	c := clocktest.New()
	b := newBus(t, c, "api")
	b.set(func() {
		b.job = func(string, string) (string, bool) { return "", false }
		b.of = map[string]map[string]any{"api.service": preparing(math.MaxUint64)}
	})
	m := open(t, b, c)
	over := make(chan error, 1)
	go func() { over <- m.Restart(t.Context(), service.Service{Name: "api", StopTimeout: time.Minute}) }()
	require.True(t, during(b, c, over, 5*time.Minute))
	b.set(func() {
		b.of["api.service"]["ActiveState"], b.of["api.service"]["SubState"] = "deactivating", "stop-sigterm"
	})
	require.True(t, during(b, c, over, 20*time.Second))
	b.set(func() { require.Zero(t, b.kills, "it has time to stop") })
	require.True(t, during(b, c, over, 90*time.Second))
	b.set(func() { require.Positive(t, b.kills, "its time is up") })
	b.finish("api.service", "failed", true)
	require.ErrorIs(t, <-over, service.ErrFailed)
}
