package restart_test

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/restart"
	"github.com/tope/updater/steps/running"
	"github.com/tope/updater/steps/stepstest"
)

// switched is a device on which Switch has just stopped two services and their
// companions. The second service had waited for its socket.
func switched(t *testing.T) (*restart.Step, *servicetest.Fake, *service.Hold, *steps.Task) {
	t.Helper()
	_, m, c, task := bench(t)
	m.Add("web.socket", "report.timer", "kiosk.service")
	for _, name := range []string{"device-api", "web.socket", "report.timer", "kiosk.service"} {
		require.NoError(t, m.Start(t.Context(), service.Unit(name)))
	}
	m.Relate(service.Survey{
		Triggers: []string{"web.socket", "report.timer"}, Dependents: []string{"kiosk.service"}, Idle: []string{"web-server"},
	})
	hold := service.NewHold(m, slog.New(slog.DiscardHandler))
	hold.Take(t.Context(), "a test")
	_, err := running.StopAll(t.Context(), m, c, services, task)
	require.NoError(t, err)
	require.Equal(t, 1, m.Held())
	m.Calls()
	return restart.New(restart.Config{Manager: m, Services: services, Clock: c, Hold: hold}), m, hold, task
}

func TestBringsBackWhatBelongsToTheServices(t *testing.T) {
	step, m, _, task := switched(t)
	reach, err := step.Probe(t.Context(), task)
	require.NoError(t, err)
	require.NotEqual(t, steps.Done, reach)
	out, err := step.Do(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, []string{"reload", "start web.socket", "restart device-api", "start kiosk.service", "start report.timer"}, m.Calls())
	ev := out.Evidence.(restart.Evidence)
	require.Equal(t, []string{"web-server"}, ev.Waiting, "it did not run before, and is left to its socket")
	require.Equal(t, []string{"web.socket", "report.timer"}, ev.Companions.Triggers)
	require.Zero(t, m.Held(), "a shutdown may go on")
	reach, err = step.Probe(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, steps.Done, reach)
	require.NoError(t, m.Stop(t.Context(), service.Unit("kiosk.service")))
	reach, err = step.Probe(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, steps.Partly, reach, "cut before it came to the last of them")
}

// A service that its socket has started since the switch runs the new version, or is
// restarted to run it.
func TestAServiceThatIsActivatedMeanwhile(t *testing.T) {
	step, m, _, task := switched(t)
	require.NoError(t, m.Start(t.Context(), service.Unit("web-server")))
	out, err := step.Do(t.Context(), task)
	require.NoError(t, err)
	require.Len(t, out.Evidence.(restart.Evidence).Started, 2)
}

func TestWhatCannotBeBroughtBack(t *testing.T) {
	refuse := func(m *servicetest.Fake, unit string) {
		m.Hook(func(op, name string) error {
			if op == "start" && name == unit {
				return service.ErrFailed
			}
			return nil
		})
	}
	t.Run("a socket is the version's fault", func(t *testing.T) {
		step, m, _, task := switched(t)
		refuse(m, "web.socket")
		stepstest.Fails(t, step, task, steps.Unhealthy, steps.ServiceFailed)
		require.Zero(t, m.Held())
		task.Back = true
		out, err := step.Do(t.Context(), task)
		require.NoError(t, err, "on the way back the rest is started all the same")
		require.Contains(t, out.Evidence.(restart.Evidence).Blocked, "web.socket")
	})
	t.Run("a unit that is not a service is told of", func(t *testing.T) {
		step, m, _, task := switched(t)
		refuse(m, "kiosk.service")
		out, err := step.Do(t.Context(), task)
		require.NoError(t, err)
		require.Contains(t, out.Evidence.(restart.Evidence).Blocked, "kiosk.service")
		require.Contains(t, m.PIDs(), "report.timer")
	})
}

func TestStartAllBringsThemBackToo(t *testing.T) {
	step, m, hold, task := switched(t)
	hold.Take(t.Context(), "a test")
	require.NoError(t, step.StartAll(t.Context(), task))
	require.Equal(t, []string{"start web.socket", "start device-api", "start kiosk.service", "start report.timer"}, m.Calls())
	require.Zero(t, m.Held())
	m.Hook(func(op, name string) error {
		if name == "device-api" {
			return errors.New("no")
		}
		return nil
	})
	require.NoError(t, m.Stop(t.Context(), service.Unit("report.timer")))
	require.ErrorContains(t, step.StartAll(t.Context(), task), "cannot start device-api")
	require.Contains(t, m.PIDs(), "report.timer")
}

func TestInAnotherBootTheyAreTheInitSystems(t *testing.T) {
	_, m, c, task := bench(t)
	require.NoError(t, task.Units.Save(running.Companions{Boot: "an earlier one", Triggers: []string{"web.socket"}, Idle: []string{"web-server"}}))
	task.Target = versions.Pointers{Current: "1.1.0"}
	step := restart.New(restart.Config{Manager: m, Services: services, Clock: c})
	out, err := step.Do(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, []string{"reload", "restart device-api"}, m.Calls())
	require.Nil(t, out.Evidence.(restart.Evidence).Companions)
}

// Commands of a package that fail while the system stops do not count against it.
func TestCommandsAreNoVerdictWhileTheSystemStops(t *testing.T) {
	step, m, _, task := bench(t)
	task.Facts.Verify = &steps.Verified{Commands: []steps.Command{{Module: "m", Shell: "exit 1"}}}
	m.ShutDown(true)
	stepstest.Fails(t, step, task, steps.Interrupted, steps.DeploymentFailed)
}

// Units are read again only when one of them may have changed.
func TestUnitsAreReadAgainWhenTheyChanged(t *testing.T) {
	at := steps.Moment{Boot: "b", Mono: 1}
	for name, c := range map[string]struct {
		left    *steps.Switched
		attempt int
		stale   bool
		want    bool
	}{
		"nothing is known of the switch":   {nil, 1, false, true},
		"the switch told nothing at all":   {&steps.Switched{}, 1, false, true},
		"the switch has changed no unit":   {&steps.Switched{StoppedAt: at}, 1, false, false},
		"the switch has brought units":     {&steps.Switched{StoppedAt: at, Units: &unitfiles.Changes{}}, 1, false, true},
		"this step was cut before":         {&steps.Switched{StoppedAt: at}, 2, false, true},
		"somebody has changed one by hand": {&steps.Switched{StoppedAt: at}, 1, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			step, m, _, task := bench(t)
			task.Facts.Switch, task.Attempt = c.left, c.attempt
			m.Set("web-server", func(st *service.Status) { st.Stale = c.stale })
			_, err := step.Do(t.Context(), task)
			require.NoError(t, err)
			require.Equal(t, c.want, m.Calls()[0] == "reload")
		})
	}
}
