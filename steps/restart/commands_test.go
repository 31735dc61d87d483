package restart_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/bystander"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/restart"
	"github.com/tope/updater/steps/stepstest"
)

// ordered lets the task's package have commands that leave a line each in a file.
func ordered(t *testing.T, task *steps.Task) (lines func() []string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	task.Facts.Verify = &steps.Verified{Commands: []steps.Command{
		{Module: "a", Shell: "echo one >> " + log}, {Module: "b", Shell: "echo two >> " + log},
	}}
	return func() []string {
		text, err := os.ReadFile(log)
		if err != nil {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
		return strings.Fields(string(text))
	}
}

// The commands of a package run once under every manager, also where the services run
// before the step gets to it: after a boot, and under a supervisor that was started again.
func TestCommandsRunUnderEveryManager(t *testing.T) {
	for name, boots := range map[string]bool{"services stand still": false, "services run already": true} {
		t.Run(name, func(t *testing.T) {
			step, m, c, task := bench(t)
			lines := ordered(t, task)
			if boots {
				c.Reboot()
				m.Boot()
			}
			runOnce(t, step, task, lines)
			require.Len(t, m.PIDs(), 2)
		})
	}
	t.Run("nobody runs services", func(t *testing.T) {
		_, _, c, task := bench(t)
		lines := ordered(t, task)
		runOnce(t, restart.New(restart.Config{Manager: bystander.Manager{}, Clock: c}), task, lines)
	})
	t.Run("there are no services", func(t *testing.T) {
		_, _, c, task := bench(t)
		lines := ordered(t, task)
		runOnce(t, restart.New(restart.Config{Manager: servicetest.NewFake(c), Clock: c}), task, lines)
	})
}

func runOnce(t *testing.T, step *restart.Step, task *steps.Task, lines func() []string) {
	t.Helper()
	reach, err := step.Probe(t.Context(), task)
	require.NoError(t, err)
	require.NotEqual(t, steps.Done, reach, "the commands are owed")
	out, err := step.Do(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two"}, lines())
	require.Len(t, out.Evidence.(restart.Evidence).Commands, 2)
	reach, err = step.Probe(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, steps.Done, reach)
	_, err = step.Do(t.Context(), stepstest.Again(task))
	require.NoError(t, err)
	require.Len(t, lines(), 2, "they have run")
}

// No service runs while the commands do, and a service starts after them.
func TestCommandsRunBeforeTheServices(t *testing.T) {
	step, m, c, task := bench(t)
	lines := ordered(t, task)
	c.Reboot()
	m.Boot()
	m.Calls()
	m.Hook(func(op, _ string) error {
		if op == "restart" && len(lines()) != 2 || op == "stop" && len(lines()) != 0 {
			return service.ErrFailed
		}
		return nil
	})
	_, err := step.Do(t.Context(), task)
	require.NoError(t, err)
	require.Contains(t, m.Calls(), "stop device-api")
}
