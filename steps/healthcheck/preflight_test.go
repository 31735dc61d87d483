package healthcheck_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tope/updater/platform/health"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/healthcheck"
	"github.com/tope/updater/steps/running"
	"github.com/tope/updater/steps/stepstest"
)

// A fault that no version could repair stops an update before anything is touched.
func TestServicesThatCouldNotBeStartedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(*servicetest.Fake)
		is    error
		class steps.Class
		says  string
	}{
		"masked": {
			func(m *servicetest.Fake) {
				m.Set("device-api", func(s *service.Status) { s.Result = "masked" })
			}, service.ErrUnusable, steps.Local, "systemctl unmask device-api.service",
		},
		"unreadable": {
			func(m *servicetest.Fake) {
				m.Set("device-api", func(s *service.Status) { s.Result = "bad-setting" })
			}, service.ErrUnusable, steps.Local, "loaded as bad-setting",
		},
		"missing": {
			func(m *servicetest.Fake) { m.Set("device-api", func(s *service.Status) { s.Loaded = false }) },
			service.ErrNotFound, steps.Local, "device-api.service; install it",
		},
		"nobody can be asked": {
			func(m *servicetest.Fake) { m.Unreachable(true) }, service.ErrUnavailable, steps.Transient, "device-api",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c.do(b.manager)
			_, err := b.gate.Baseline(t.Context(), b.task)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, c.class, steps.AsError(err).Class)
		})
	}
}

// A unit that comes with the release need not be there yet.
func TestAUnitThatTheReleaseBrings(t *testing.T) {
	b := newBench(t)
	d := stepstest.NewDevice(t, "")
	require.NoError(t, os.MkdirAll(filepath.Join(d.Store.Path("1.1.0"), "systemd"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(d.Store.Path("1.1.0"), "systemd", "new.service"), nil, 0o600))
	gate := healthcheck.New(healthcheck.Config{
		Manager: b.manager, Services: []service.Service{{Name: "device-api"}, {Name: "new"}}, Clock: b.clock, Versions: d.Store,
	})
	_, err := gate.Baseline(t.Context(), b.task)
	require.NoError(t, err)
	b.task.Target = versions.Pointers{Current: "1.0.0"}
	_, err = gate.Baseline(t.Context(), b.task)
	require.ErrorIs(t, err, service.ErrNotFound)
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
