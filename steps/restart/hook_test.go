package restart_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/restart"
	"github.com/tope/updater/steps/stepstest"
)

// hookBench is bench with a version 1.1.0 that has this post-switch hook.
func hookBench(t *testing.T, hook string) (*restart.Step, *servicetest.Fake, *clocktest.Fake, *steps.Task) {
	t.Helper()
	_, m, c, task := bench(t)
	d := stepstest.NewDevice(t, "")
	stepstest.Publish(t, d.Store, "1.1.0", map[string]string{"post": "#!/bin/sh\n" + hook},
		versions.Brought{Hooks: map[versions.Hook]string{versions.PostSwitch: "post"}})
	return restart.New(restart.Config{Manager: m, Services: services, Clock: c, Versions: d.Store}), m, c, task
}

func TestConformWithAHook(t *testing.T) {
	stepstest.Conform(t, stepstest.Case{Keeps: true, New: func(t *testing.T) *stepstest.World {
		step, m, _, task := hookBench(t, "exit 0\n")
		return &stepstest.World{Step: step, Task: task, Picture: func() any { return len(m.PIDs()) }}
	}, Halves: map[string]func(*testing.T, *stepstest.World){
		"a cut after the hook": func(t *testing.T, w *stepstest.World) {
			require.NoError(t, w.Task.Notes.Save(map[string]bool{"post_switch": true}))
		},
	}})
}

// After a boot the init system has started the services without the hook: the step
// stops them once more, and the hook runs once.
func TestPostSwitchHook(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	step, m, c, task := hookBench(t, "echo $TOPE_HOOK >> "+log+"; echo migrated\n")
	task.Kind = steps.ByHand
	c.Reboot()
	m.Boot()
	reach, err := step.Probe(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, steps.Partly, reach)
	m.Calls()
	m.Hook(func(op, _ string) error {
		if _, err := os.Stat(log); op == "restart" {
			return err
		}
		return nil
	})
	out, err := step.Do(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, "migrated", out.Evidence.(restart.Evidence).Hook.Output)
	calls := m.Calls()
	require.Equal(t, []string{"stop web-server", "stop device-api"}, calls[len(calls)-4:len(calls)-2], "%v", calls)
	_, err = step.Do(t.Context(), task)
	require.NoError(t, err)
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), "post-switch"), "it ran already")
}

func TestPostSwitchHookFails(t *testing.T) {
	step, m, _, task := hookBench(t, "echo no room for the index >&2; exit 1\n")
	require.Contains(t, stepstest.Fails(t, step, task, steps.Unhealthy, steps.DeploymentFailed), "no room for the index")
	require.Empty(t, m.PIDs(), "no service was started")
	task.Back = true
	_, err := step.Do(t.Context(), task)
	require.NoError(t, err, "on the way back it does not run")
}
