package healthcheck_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/healthcheck"
	"github.com/tope/updater/steps/running"
	"github.com/tope/updater/steps/stepstest"
)

// A release is blamed for what worked before, and only for that.
func TestWhoIsToBlame(t *testing.T) {
	for name, c := range map[string]struct {
		broken func(s *service.Status)
		class  steps.Class
		says   string
	}{
		"it ran before":              {func(*service.Status) {}, steps.Late, "not within"},
		"it did not run before":      {func(s *service.Status) { s.Active = service.Broken }, steps.Local, "(it failed before the update, too)"},
		"it was stopped before":      {func(s *service.Status) { s.Active, s.Sub, s.MainPID = service.Stopped, "dead", 0 }, steps.Late, "not within"},
		"it was not there before":    {func(s *service.Status) { s.Loaded = false }, steps.Local, "(it failed before the update, too)"},
		"it waited for its start up": {func(s *service.Status) { s.Active = service.Starting }, steps.Local, "(it failed before the update, too)"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.manager.Set("device-api", c.broken)
			b.task.Before = versions.Pointers{Current: "1.0.0"}
			var err error
			b.task.Baseline, err = b.gate.Baseline(t.Context(), b.task)
			require.NoError(t, err)
			b.manager.Set("device-api", func(s *service.Status) { s.Loaded, s.Active = true, service.Starting })
			require.Contains(t, stepstest.Fails(t, b.gate, b.task, c.class, steps.HealthFailed), c.says)
		})
	}
}

// One service that did worse is enough.
func TestOneServiceThatDidWorse(t *testing.T) {
	b := newBench(t)
	b.manager.Add("web")
	b.gate = healthcheck.New(healthcheck.Config{
		Manager: b.manager, Services: []service.Service{{Name: "device-api"}, {Name: "web"}}, Clock: b.clock,
	})
	b.manager.Set("web", func(s *service.Status) { s.Active = service.Broken })
	b.task.Before = versions.Pointers{Current: "1.0.0"}
	var err error
	b.task.Baseline, err = b.gate.Baseline(t.Context(), b.task)
	require.NoError(t, err)
	b.manager.Set("web", func(s *service.Status) { s.Active = service.Starting })
	b.manager.Set("device-api", func(s *service.Status) { s.Active = service.Broken })
	text := stepstest.Fails(t, b.gate, b.task, steps.Unhealthy, steps.HealthFailed)
	require.Contains(t, text, "device-api is failed")
}

// The gate asks about a service that the release names, also when nobody knows it.
func TestTheGateMissesNoService(t *testing.T) {
	b := newBench(t)
	b.task.Release.Services = []string{"extra"}
	require.Contains(t, stepstest.Fails(t, b.gate, b.task, steps.Unhealthy, steps.HealthFailed), "no such unit: extra")
	b.task.Back = true
	b.pass(t) // on the way back nobody asks about the release's services
}

// A service of type forking may run without a process that systemd calls its main one.
func TestAServiceWithoutAMainProcess(t *testing.T) {
	b := newBench(t)
	b.manager.Set("device-api", func(s *service.Status) { s.MainPID = 0 })
	b.pass(t)
	b.task.Since.Mono = b.clock.Monotonic() + 1e9
	require.Contains(t, stepstest.Fails(t, b.gate, b.task, steps.Unhealthy, steps.HealthFailed), "was started before the switch")
}

func TestABaselineIsNotTakenWhileTheSystemStops(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.manager.Stop(t.Context(), service.Service{Name: "device-api"}))
	_, err := b.gate.Baseline(t.Context(), b.task)
	require.NoError(t, err, "a service that does not run is told by the baseline")
	b.manager.ShutDown(true)
	_, err = b.gate.Baseline(t.Context(), b.task)
	require.Equal(t, steps.Interrupted, steps.AsError(err).Class)
}

// A gate that gets no answer from the service manager gives no verdict on the version.
func TestWithoutAServiceManagerThereIsNoVerdict(t *testing.T) {
	b := newBench(t, health.Check{Service: "device-api", Kind: health.Active, Timeout: 1})
	b.manager.Unreachable(true)
	stepstest.Fails(t, b.gate, b.task, steps.Transient, steps.HealthFailed)
}

func TestAServiceThatWaitsForItsSocketIsHealthy(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.task.Units.Save(running.Companions{Triggers: []string{"device-api.socket"}, Idle: []string{"device-api"}}))
	require.NoError(t, b.manager.Stop(t.Context(), service.Service{Name: "device-api"}))
	b.pass(t)
	require.NoError(t, b.manager.Start(t.Context(), service.Service{Name: "device-api"}))
	b.pass(t)
	b.manager.Set("device-api", func(s *service.Status) { s.Active, s.Result, s.MainPID = service.Broken, "exit-code", 0 })
	stepstest.Fails(t, b.gate, b.task, steps.Unhealthy, steps.HealthFailed)
}
