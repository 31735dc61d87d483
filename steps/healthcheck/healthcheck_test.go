package healthcheck_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tope/updater/platform/clock"

	"github.com/tope/updater/platform/health"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/commit"
	"github.com/tope/updater/steps/healthcheck"
	"github.com/tope/updater/steps/stepstest"
)

// bench is a gate over one running service, on a clock that moves by itself.
type bench struct {
	gate    *healthcheck.Gate
	manager *servicetest.Fake
	clock   *clocktest.Fake
	task    *steps.Task
}

func newBench(t *testing.T, checks ...health.Check) *bench {
	t.Helper()
	c := clocktest.NewAuto()
	b := &bench{manager: servicetest.NewFake(c, "device-api"), clock: c}
	b.task = stepstest.Task(t, func(task *steps.Task) {
		task.Target = versions.Pointers{Current: "1.1.0"}
		task.Since = steps.Moment{Boot: c.Boot(), Mono: c.Monotonic()}
	})
	require.NoError(t, b.manager.Start(t.Context(), service.Service{Name: "device-api"}))
	b.gate = healthcheck.New(healthcheck.Config{
		Manager: b.manager, Services: []service.Service{{Name: "device-api"}}, Checks: checks, Clock: c,
	})
	return b
}

func (b *bench) pass(t *testing.T) healthcheck.Evidence {
	t.Helper()
	out, err := b.gate.Do(t.Context(), b.task)
	require.NoError(t, err)
	return out.Evidence.(healthcheck.Evidence)
}

func TestConform(t *testing.T) {
	stepstest.Conform(t, stepstest.Case{Stateless: true, Keeps: true, New: func(t *testing.T) *stepstest.World {
		b := newBench(t)
		return &stepstest.World{Step: b.gate, Task: b.task, Picture: func() any { return b.manager.PIDs() }}
	}})
	stepstest.Conform(t, stepstest.Case{Stateless: true, Keeps: true, New: func(t *testing.T) *stepstest.World {
		b := newBench(t)
		return &stepstest.World{Step: commit.New(b.gate), Task: b.task, Picture: func() any { return b.manager.PIDs() }}
	}})
}

func TestActiveMustStaySo(t *testing.T) {
	b := newBench(t, health.Check{Service: "device-api", Kind: health.Active, Stable: clock.Duration(4 * time.Second)})
	r := b.pass(t).Results[0]
	require.True(t, r.Passed)
	require.GreaterOrEqual(t, r.Took, 4*time.Second)
}

func TestActiveFails(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*bench)
		text string
		is   steps.Class
	}{
		"restarted by itself": {func(b *bench) { b.manager.Die("device-api") }, "restarted once by itself", steps.Unhealthy},
		"failed": {func(b *bench) {
			b.manager.Set("device-api", func(s *service.Status) { s.Active, s.Result = service.Broken, "exit-code" })
		}, "exit-code", steps.Unhealthy},
		"no such unit": {func(b *bench) { b.manager.Set("device-api", func(s *service.Status) { s.Loaded = false }) }, "no such unit", steps.Unhealthy},
		"never gets there": {func(b *bench) {
			b.manager.Set("device-api", func(s *service.Status) { s.Active = service.Starting })
		}, "not within 30s: device-api is activating", steps.Late},
		"from before the flip": {func(b *bench) {
			b.clock.Advance(time.Minute)
			b.task.Since.Mono = b.clock.Monotonic()
		}, "was started before the switch", steps.Unhealthy},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c.do(b)
			require.Contains(t, stepstest.Fails(t, b.gate, b.task, c.is, steps.HealthFailed), c.text)
		})
	}
}

func TestNoVerdictWhileTheSystemStops(t *testing.T) {
	b := newBench(t)
	b.manager.Die("device-api")
	b.manager.ShutDown(true)
	stepstest.Fails(t, b.gate, b.task, steps.Interrupted, steps.HealthFailed)
}

func TestHTTP(t *testing.T) {
	var asked atomic.Int32
	healthyFrom := int32(3)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
		case asked.Add(1) < healthyFrom:
			http.Error(w, "warming up", http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	b := newBench(t, health.Check{Service: "device-api", Kind: health.HTTP, URL: srv.URL + "/health"})
	require.Equal(t, 3, b.pass(t).Results[0].Looks, "it is asked until it is healthy")

	asked.Store(-1000)
	_, err := b.gate.Do(t.Context(), b.task)
	line, details := steps.AsError(err).Tell()
	require.Contains(t, line, "503 Service Unavailable; raise the timeout")
	require.Contains(t, details, "warming up", "what the service said")

	b = newBench(t, health.Check{Service: "device-api", Kind: health.HTTP, URL: srv.URL + "/moved"})
	stepstest.Fails(t, b.gate, b.task, steps.Late, steps.HealthFailed)
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := newBench(t, health.Check{Service: "device-api", Kind: health.TCP, Address: l.Addr().String()})
	require.True(t, b.pass(t).Results[0].Passed)
	require.NoError(t, l.Close())
	stepstest.Fails(t, b.gate, b.task, steps.Late, steps.HealthFailed)
}

func TestCommand(t *testing.T) {
	b := newBench(t, health.Check{Service: "device-api", Kind: health.Command, Command: []string{"/bin/sh", "-c", `test -z "$HOME"`}})
	t.Setenv("HOME", "/root")
	require.True(t, b.pass(t).Results[0].Passed, "the environment is clean")
	b = newBench(t, health.Check{Service: "device-api", Kind: health.Command, Timeout: clock.Duration(time.Second), Command: []string{"/bin/sh", "-c", "echo nozzle cold; exit 3"}})
	text := stepstest.Fails(t, b.gate, b.task, steps.Late, steps.HealthFailed)
	require.Contains(t, text, "nozzle cold")
	require.Contains(t, text, "exit status 3")
}

// A rollback only has to pass the checks that passed before the update.
func TestBaseline(t *testing.T) {
	up, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	checks := []health.Check{
		{Service: "device-api", Kind: health.Active},
		{Service: "device-api", Kind: health.TCP, Address: up.Addr().String(), Timeout: clock.Duration(time.Second)},
		{Service: "device-api", Kind: health.TCP, Address: "127.0.0.1:1", Timeout: clock.Duration(time.Second)},
	}
	b := newBench(t, checks...)
	base, err := b.gate.Baseline(t.Context(), b.task)
	require.NoError(t, err)
	var ev healthcheck.Evidence
	require.NoError(t, json.Unmarshal(base, &ev))
	require.Equal(t, []bool{true, true, false}, []bool{ev.Results[0].Passed, ev.Results[1].Passed, ev.Results[2].Passed})

	stepstest.Fails(t, b.gate, b.task, steps.Late, steps.HealthFailed)
	b.task.Back, b.task.Baseline = true, base
	require.False(t, b.pass(t).Results[2].Needed, "what was broken before need not be healthy now")
	require.NoError(t, up.Close())
	require.Contains(t, stepstest.Fails(t, b.gate, b.task, steps.Late, steps.HealthFailed), up.Addr().String(), "what was healthy before must be")
}

func TestOnceLooksOnce(t *testing.T) {
	b := newBench(t)
	began := b.clock.Monotonic()
	_, err := b.gate.Once(t.Context(), b.task)
	require.NoError(t, err)
	require.Less(t, b.clock.Monotonic()-began, time.Second)
	b.manager.Die("device-api")
	_, err = b.gate.Once(t.Context(), b.task)
	require.Error(t, err)
}

func TestNothingToCheckWithoutAVersion(t *testing.T) {
	b := newBench(t)
	b.manager.Die("device-api")
	b.task.Target = versions.Pointers{}
	require.Empty(t, b.pass(t).Results)
}

func TestEndsWithItsContext(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.gate.Do(ctx, b.task)
	require.Equal(t, steps.Interrupted, steps.AsError(err).Class)
}
