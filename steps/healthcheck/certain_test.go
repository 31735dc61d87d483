package healthcheck_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/healthcheck"
	"github.com/tope/updater/steps/running"
	"github.com/tope/updater/steps/stepstest"
)

// stands is a gate on a clock that does not move: what it says, it says at once.
func stands(t *testing.T, checks ...health.Check) *bench {
	t.Helper()
	b := newBench(t, checks...)
	still := clocktest.New()
	b.manager = servicetest.NewFake(still, "device-api", "web-server")
	b.clock = still
	b.task.Since = steps.Moment{Boot: still.Boot(), Mono: still.Monotonic()}
	for _, name := range []string{"device-api", "web-server"} {
		require.NoError(t, b.manager.Start(t.Context(), service.Service{Name: name}))
	}
	b.gate = healthcheck.New(healthcheck.Config{
		Manager: b.manager, Services: []service.Service{{Name: "device-api"}, {Name: "web-server"}}, Checks: checks, Clock: still,
	})
	return b
}

// judged is the gate's judgement, when it is given without any time passing.
func (b *bench) judged(t *testing.T) (ev healthcheck.Evidence, err error, atOnce bool) {
	t.Helper()
	type judgement struct {
		out steps.Outcome
		err error
	}
	given := make(chan judgement, 1)
	go func() {
		out, err := b.gate.Do(t.Context(), b.task)
		given <- judgement{out, err}
	}()
	select {
	case j := <-given:
		return j.out.Evidence.(healthcheck.Evidence), j.err, true
	case <-time.After(2 * time.Second):
		return ev, nil, false
	}
}

func nobodyListens(name string) health.Check {
	return health.Check{Service: name, Kind: health.TCP, Address: "127.0.0.1:1"}
}

func alive(name string) health.Check { return health.Check{Service: name, Kind: health.Active} }

// The verdict falls when a check has certainly failed. The others are not waited for.
func TestTheVerdictFallsWhenItIsCertain(t *testing.T) {
	broken := func(s *service.Status) {
		s.Active, s.Sub, s.Result, s.MainPID = service.Broken, "failed", "exit-code", 0
	}
	for name, c := range map[string]struct {
		checks []health.Check
		does   func(*service.Status)
		says   string
	}{
		"it failed for good": {[]health.Check{alive("device-api"), nobodyListens("device-api"), nobodyListens("web-server")}, broken, "(exit-code)"},
		"it waits to be restarted": {[]health.Check{alive("device-api"), nobodyListens("web-server")}, func(s *service.Status) {
			s.Active, s.Sub, s.MainPID = service.Starting, "auto-restart", 0
		}, "auto-restart"},
		"it was restarted by itself": {[]health.Check{alive("device-api"), nobodyListens("web-server")}, func(s *service.Status) { s.Restarts = 1 }, "restarted once"},
		"it came to its end": {[]health.Check{alive("device-api"), nobodyListens("web-server")}, func(s *service.Status) {
			s.Active, s.Sub, s.MainPID = service.Stopped, "dead", 0
		}, "inactive"},
		"no check asks for its state": {[]health.Check{nobodyListens("device-api"), alive("web-server")}, broken, "device-api is failed"},
	} {
		t.Run(name, func(t *testing.T) {
			b := stands(t, c.checks...)
			b.manager.Set("device-api", c.does)
			ev, err, atOnce := b.judged(t)
			require.True(t, atOnce, "it waited, though nothing could change its verdict")
			require.ErrorContains(t, err, c.says)
			require.Equal(t, steps.Unhealthy, steps.AsError(err).Class)
			require.NotContains(t, err.Error(), "not waited for", "the error has only the checks that failed")
			skipped := 0
			for _, r := range ev.Results {
				require.False(t, r.Passed && r.Service == "device-api")
				if r.Skipped {
					skipped++
					require.Equal(t, "not waited for", r.Text)
				}
			}
			require.Positive(t, skipped)
		})
	}
}

// What may still become true is waited for.
func TestTheVerdictDoesNotFallTooEarly(t *testing.T) {
	for name, c := range map[string]struct {
		checks []health.Check
		does   func(*bench)
	}{
		"it has not answered yet": {[]health.Check{nobodyListens("device-api")}, func(*bench) {}},
		"it starts": {[]health.Check{alive("device-api")}, func(b *bench) {
			b.manager.Set("device-api", func(s *service.Status) { s.Active, s.Sub = service.Starting, "start" })
		}},
		"the boot has not started it yet": {[]health.Check{alive("device-api")}, func(b *bench) {
			b.manager.Set("device-api", func(s *service.Status) { s.Active, s.MainPID, s.Started = service.Stopped, 0, 0 })
		}},
		"it failed, and its socket may start it again": {[]health.Check{nobodyListens("device-api")}, func(b *bench) {
			b.manager.Set("device-api", func(s *service.Status) { s.Active = service.Broken })
			b.task.Units = noted(running.Companions{Boot: b.clock.Boot(), Triggers: []string{"device-api.socket"}})
		}},
		"a check that need not pass has failed": {[]health.Check{alive("device-api"), nobodyListens("web-server")}, func(b *bench) {
			b.manager.Set("device-api", func(s *service.Status) { s.Active = service.Broken })
			b.task.Back = true
			b.task.Baseline = []byte(`{"results":[{"service":"web-server","kind":"tcp","target":"127.0.0.1:1","passed":true}]}`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := stands(t, c.checks...)
			c.does(b)
			_, _, atOnce := b.judged(t)
			require.False(t, atOnce)
		})
	}
}

// After a boot the gate begins while systemd still starts the services. The time of a
// check runs from when systemd is through, and no longer than the bound of a start.
func TestAStartAfterABootIsNotTheChecksTime(t *testing.T) {
	check := health.Check{Service: "device-api", Kind: health.Active, Timeout: clock.Duration(2 * time.Second), Stable: clock.Duration(time.Second)}
	for name, c := range map[string]struct {
		up, bound time.Duration
		fails     bool
	}{
		"it comes up in the end": {up: 75 * time.Second, bound: 5 * time.Minute},
		"it never does":          {up: time.Hour, bound: 5 * time.Minute, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			begin := b.clock.Monotonic()
			b.gate = healthcheck.New(healthcheck.Config{
				Manager: &risesAt{Manager: b.manager, now: b.clock.Monotonic, at: begin + c.up}, Services: []service.Service{{Name: "device-api"}},
				Checks: []health.Check{check}, Clock: b.clock, StartBound: c.bound,
			})
			_, err := b.gate.Do(t.Context(), b.task)
			require.Equal(t, c.fails, err != nil, "%v", err)
			if c.fails {
				require.InDelta(t, c.bound+2*time.Second, b.clock.Monotonic()-begin, float64(time.Second))
			}
		})
	}
}

func noted(c running.Companions) steps.Notes {
	notes := stepstest.NewNotes()
	_ = notes.Save(c) // it is in memory
	return notes
}

// endsBetween is a manager under which the main process ends between two looks of a check.
type endsBetween struct {
	service.Manager
	looks int
}

func (m *endsBetween) Status(ctx context.Context, s service.Service) (service.Status, error) {
	st, err := m.Manager.Status(ctx, s)
	if m.looks++; m.looks > 1 {
		st.Active, st.Sub, st.Result, st.ExitStatus, st.MainPID, st.Started = service.Starting, "auto-restart", "exit-code", 2, 0, 0
	}
	return st, err
}

// The end of a program is told as that, and not as a process 0 that is too old.
func TestAProgramThatEndsBetweenTwoLooksIsToldAsEnded(t *testing.T) {
	b := newBench(t)
	gate := healthcheck.New(healthcheck.Config{Manager: &endsBetween{Manager: b.manager}, Services: []service.Service{{Name: "device-api"}}, Clock: b.clock})
	require.Contains(t, stepstest.Fails(t, gate, b.task, steps.Unhealthy, steps.HealthFailed), "device-api is activating (auto-restart): exit status 2")
}

// A service is doomed when its Active check has to pass and never will.
func TestWhichServiceIsDoomed(t *testing.T) {
	active := health.Check{Service: "device-api", Kind: health.Active}
	again := func(s *service.Status) {
		s.Active, s.Sub, s.Result, s.ExitStatus = service.Starting, "auto-restart", "exit-code", 1
	}
	for name, c := range map[string]struct {
		check    health.Check
		set      func(*service.Status)
		baseline string
		want     string
	}{
		"it has ended":            {active, again, "", "device-api is activating (auto-restart): exit status 1"},
		"it runs":                 {active, func(*service.Status) {}, "", ""},
		"it failed before, too":   {active, again, fmt.Sprintf(`{"results":[{"service":"device-api","kind":"active","target":%q,"passed":false}]}`, active.Target()), ""},
		"another kind of check":   {health.Check{Service: "device-api", Kind: health.TCP, Address: "127.0.0.1:1"}, again, "", ""},
		"without a check, it has": {health.Check{Service: "other", Kind: health.Active}, again, "", "device-api is activating (auto-restart): exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, c.check)
			b.task.Baseline = []byte(c.baseline)
			b.manager.Set("device-api", c.set)
			by, why := b.gate.Doomed(t.Context(), b.task, []service.Service{{Name: "device-api"}})
			if c.want == "" {
				require.NoError(t, why)
				return
			}
			require.EqualError(t, why, c.want)
			require.Equal(t, "device-api", by.Name)
			_, why = b.gate.Doomed(t.Context(), b.task, []service.Service{{Name: "other"}})
			require.NoError(t, why)
		})
	}
}
