package restart_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/restart"
	"github.com/tope/updater/steps/stepstest"
)

var services = []service.Service{{Name: "web-server", After: []string{"device-api"}}, {Name: "device-api"}}

func bench(t *testing.T) (*restart.Step, *servicetest.Fake, *clocktest.Fake, *steps.Task) {
	t.Helper()
	c := clocktest.New()
	m := servicetest.NewFake(c, "device-api", "web-server")
	step := restart.New(restart.Config{Manager: m, Services: services, Clock: c})
	task := stepstest.Task(t, func(task *steps.Task) {
		task.Target = versions.Pointers{Current: "1.1.0", Previous: "1.0.0"}
		task.Since = steps.Moment{Boot: c.Boot(), Mono: c.Monotonic()}
	})
	return step, m, c, task
}

func TestConform(t *testing.T) {
	stepstest.Conform(t, stepstest.Case{Keeps: true, New: func(t *testing.T) *stepstest.World {
		step, m, _, task := bench(t)
		return &stepstest.World{Step: step, Task: task, Picture: func() any { return len(m.PIDs()) }}
	}})
}

// A service that runs already is restarted all the same: it may run the old program.
func TestRestartsInOrder(t *testing.T) {
	step, m, c, task := bench(t)
	for _, s := range services {
		require.NoError(t, m.Start(t.Context(), s))
	}
	before := m.PIDs()
	c.Advance(time.Second)
	task.Since = steps.Moment{Boot: c.Boot(), Mono: c.Monotonic()}
	task.Facts.Switch = &steps.Switched{StoppedAt: steps.Moment{Boot: c.Boot(), Mono: c.Monotonic() - 300*time.Millisecond}}
	m.Calls()
	reach, err := step.Probe(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, steps.NotStarted, reach, "processes from before the flip do not count")
	out, err := step.Do(t.Context(), task)
	require.NoError(t, err)
	ev := out.Evidence.(restart.Evidence)
	require.Equal(t, []string{"device-api", "web-server"}, []string{ev.Started[0].Name, ev.Started[1].Name})
	require.Equal(t, 300*time.Millisecond, ev.Downtime)
	for name, pid := range m.PIDs() {
		require.NotEqual(t, before[name], pid, "%s has a new main process", name)
	}
}

// Services that only the release names are restarted after the configured ones,
// where there is a unit for them.
func TestServicesTheReleaseNames(t *testing.T) {
	step, m, _, task := bench(t)
	m.Add("camera")
	task.Release.Services = []string{"device-api", "camera", "unknown-here"}
	_, err := step.Do(t.Context(), task)
	require.NoError(t, err)
	require.Len(t, m.PIDs(), 3)
	require.Contains(t, m.PIDs(), "camera")
}

// After a boot the init system has done the work: nothing is restarted again.
func TestProbeAfterABoot(t *testing.T) {
	step, m, c, task := bench(t)
	c.Reboot()
	m.Boot()
	reach, err := step.Probe(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, steps.Done, reach)
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		stop  bool
		back  bool
		class steps.Class
	}{
		"a service that cannot be started is the release's fault": {err: service.ErrFailed, class: steps.Unhealthy},
		"a unit that is missing":                                  {err: service.ErrNotFound, class: steps.Local},
		"a start that hangs":                                      {err: service.ErrTimeout, class: steps.Unhealthy},
		"a start that only the updater has ended":                 {err: service.ErrEndless, class: steps.Local},
		"the same on the way back, where another version is next": {err: service.ErrEndless, back: true, class: steps.Unhealthy},
		"a manager that is away for the moment":                   {err: service.ErrUnavailable, class: steps.Transient},
		"while the system stops it is not evidence":               {err: service.ErrFailed, stop: true, class: steps.Interrupted},
	} {
		t.Run(name, func(t *testing.T) {
			step, m, _, task := bench(t)
			m.ShutDown(c.stop)
			task.Back = c.back
			m.Hook(func(op, service string) error {
				if service == "device-api" && op == "restart" {
					return c.err
				}
				return nil
			})
			text := stepstest.Fails(t, step, task, c.class, steps.ServiceFailed)
			require.Contains(t, text, "restart device-api")
			require.NotContains(t, m.PIDs(), "web-server", "what depends on it is not started")
		})
	}
}

// On a device that needs attention nobody waits for a start that does not end: the other
// services have to be started, too.
func TestStartAllDoesNotWaitForLong(t *testing.T) {
	_, m, c, task := bench(t)
	endless := &endlessStart{Manager: m, of: "device-api"}
	step := restart.New(restart.Config{Manager: endless, Services: services, Clock: c})
	over := make(chan error, 1)
	go func() { over <- step.StartAll(t.Context(), task) }()
	c.Await(1)
	c.Advance(time.Minute)
	require.ErrorContains(t, <-over, "cannot start device-api: it still starts after 1m0s")
	require.Contains(t, m.PIDs(), "web-server")
}

// endlessStart is a manager that does not come to an end with one start.
type endlessStart struct {
	service.Manager
	of string
}

func (e *endlessStart) Start(ctx context.Context, s service.Service) error {
	if s.Name != e.of {
		return e.Manager.Start(ctx, s)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestStartAllStartsWhatItCan(t *testing.T) {
	step, m, _, task := bench(t)
	m.Hook(func(_, service string) error {
		if service == "device-api" {
			return errors.New("will not start")
		}
		return nil
	})
	require.ErrorContains(t, step.StartAll(t.Context(), task), "device-api")
	require.Contains(t, m.PIDs(), "web-server")
	pids := m.PIDs()
	m.Hook(nil)
	require.NoError(t, step.StartAll(t.Context(), task))
	require.Equal(t, pids["web-server"], m.PIDs()["web-server"], "what runs is left alone")
}

// While the system goes down nothing is started: it would only be stopped again.
func TestStartAgainLeavesASystemThatGoesDown(t *testing.T) {
	step, m, _, task := bench(t)
	for _, svc := range []string{"web-server", "device-api"} {
		require.NoError(t, m.Stop(t.Context(), service.Service{Name: svc}))
	}
	m.ShutDown(true)
	require.NoError(t, step.StartAgain(t.Context(), task))
	require.Empty(t, m.PIDs())
	m.ShutDown(false)
	require.NoError(t, step.StartAgain(t.Context(), task))
	require.Len(t, m.PIDs(), 2)
}

// Services that run already, after a boot or an orderly end of the updater, do not
// tell that the package's commands have run.
func TestCommandsAreOwedWhenServicesRunAlready(t *testing.T) {
	step, m, c, task := bench(t)
	file := filepath.Join(t.TempDir(), "log")
	task.Facts.Verify = &steps.Verified{Commands: []steps.Command{{Module: "app", Shell: "echo ran >> " + file}}}
	c.Reboot()
	m.Boot()
	reach, err := step.Probe(t.Context(), task)
	require.NoError(t, err)
	require.NotEqual(t, steps.Done, reach)
	_, err = step.Do(t.Context(), task)
	require.NoError(t, err)
	require.FileExists(t, file)
	reach, err = step.Probe(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, steps.Done, reach)
}

// A package's commands run before its services start, and never on the way back.
func TestCommands(t *testing.T) {
	step, m, _, task := bench(t)
	file := filepath.Join(t.TempDir(), "log")
	found := func(shell string) {
		task.Facts.Verify = &steps.Verified{Commands: []steps.Command{{Module: "app", Shell: shell}}}
	}
	found("echo ran >> " + file + "; echo done")
	m.Hook(func(op, _ string) error {
		if _, err := os.Stat(file); op != "stop" {
			require.NoError(t, err, "the command ran before %s", op)
		}
		return nil
	})
	out, err := step.Do(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, "done", out.Evidence.(restart.Evidence).Commands[0].Output)
	m.Hook(nil)
	task.Back = true
	_, err = step.Do(t.Context(), task)
	require.NoError(t, err)
	log, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "ran\n", string(log))

	task.Back, task.Notes = false, stepstest.NewNotes()
	found("echo no nozzle >&2; exit 4")
	require.Contains(t, stepstest.Fails(t, step, task, steps.Unhealthy, steps.DeploymentFailed), "no nozzle")
}

func TestAStartThatFailsIsAccountedFor(t *testing.T) {
	step, m, c, task := bench(t)
	task.Baseline = []byte(`{"results":[{"service":"device-api","passed":false}]}`)
	m.Hook(func(op, name string) error {
		if op != "restart" || name != "device-api" {
			return nil
		}
		m.Print(name, "no such interpreter")
		m.Set(name, func(s *service.Status) {
			s.Active, s.Sub, s.Result, s.ExitStatus = service.Broken, "failed", "exit-code", 203
		})
		return service.ErrFailed
	})
	c.Advance(time.Second)
	_, err := step.Do(t.Context(), task)
	line, details := steps.AsError(err).Tell()
	require.Equal(t, "restart device-api: the job failed (it failed before the update, too): no such interpreter", line)
	require.Equal(t, "device-api is failed (failed): exit status 203/EXEC (its program cannot be executed)\n"+
		"device-api failed before the update, too\nlog of device-api:\n  no such interpreter", details)
	require.ErrorIs(t, err, service.ErrFailed)
}
