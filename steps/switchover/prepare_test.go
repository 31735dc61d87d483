package switchover_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
	"github.com/tope/updater/steps/switchover"
)

// bring publishes version 1.2.0 with this pre-switch hook, and with brought.
func (b *bench) bring(t *testing.T, hook string, brought versions.Brought) *steps.Task {
	t.Helper()
	programs := map[string]string{"bin/brand-new": "#!/bin/sh\n"}
	if hook != "" {
		programs["hooks/pre"] = "#!/bin/sh\n" + hook
		brought.Hooks = map[versions.Hook]string{versions.PreSwitch: "hooks/pre"}
	}
	stepstest.Publish(t, b.store, "1.2.0", programs, brought)
	return stepstest.Task(t, func(task *steps.Task) {
		task.Before = versions.Pointers{Current: "1.0.0", Previous: "0.9.0"}
		task.Target = versions.Pointers{Current: "1.2.0", Previous: "1.0.0"}
	})
}

func TestPreSwitchHookRunsBeforeAServiceStops(t *testing.T) {
	b := newBench(t)
	log := filepath.Join(t.TempDir(), "log")
	task := b.bring(t, `env | grep ^TOPE_ | sort; pwd; echo "$HOME" >> `+log+"\n", versions.Brought{})
	b.manager.Hook(func(op, _ string) error {
		if op != "stop" {
			return nil
		}
		_, err := os.Stat(log)
		return err
	})
	t.Setenv("HOME", "/root")
	out, err := b.step.Do(t.Context(), task)
	require.NoError(t, err)
	ran := out.Evidence.(switchover.Evidence).Hook
	dir := b.store.Path("1.2.0")
	require.Equal(t, "TOPE_FROM=1.0.0\nTOPE_HOOK=pre-switch\nTOPE_TO=1.2.0\nTOPE_UPDATE="+task.Update+"\nTOPE_VERSION_DIR="+dir+"\n"+dir, ran.Output)
	got, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Equal(t, "\n", string(got), "it ran once, in a clean environment")

	_, err = b.step.Do(t.Context(), task)
	require.NoError(t, err)
	task.Target, task.Back = task.Before, true
	_, err = b.step.Do(t.Context(), task)
	require.NoError(t, err)
	again, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Equal(t, got, again, "neither after the flip nor on the way back")
}

func TestAPreSwitchHookThatFails(t *testing.T) {
	b := newBench(t)
	task := b.bring(t, "echo the camera is in use; exit 3\n", versions.Brought{})
	text := stepstest.Fails(t, b.step, task, steps.Unhealthy, steps.DeploymentFailed)
	require.Contains(t, text, "pre-switch hook of version 1.2.0")
	require.Contains(t, text, "the camera is in use")
	require.Empty(t, b.manager.Calls(), "no service was stopped")
	p, err := b.store.Pointers()
	require.NoError(t, err)
	require.Equal(t, task.Before, p)
	b.manager.ShutDown(true)
	stepstest.Fails(t, b.step, task, steps.Interrupted, steps.DeploymentFailed)
}

// A link that the release requires and that cannot be made stops the switch. Other
// links do not stop it, and on the way back no link does.
func TestALinkTheReleaseCannotDoWithout(t *testing.T) {
	b := newBench(t)
	task := b.bring(t, "", versions.Brought{Links: []string{"bin/brand-new"}})
	mine := filepath.Join(b.root, "usr/local/bin/brand-new")
	require.NoError(t, os.MkdirAll(filepath.Dir(mine), 0o755))
	require.NoError(t, os.WriteFile(mine, []byte("mine"), 0o755))
	text := stepstest.Fails(t, b.step, task, steps.Local, steps.DeploymentFailed)
	require.Contains(t, text, "move /usr/local/bin/brand-new away")
	require.Empty(t, b.manager.Calls(), "no service was stopped")

	back := *task
	back.Back = true
	_, err := b.step.Do(t.Context(), &back)
	require.NoError(t, err)
	b.manager.Hook(func(string, string) error { return errors.New("nothing is to be done") })
	reach, err := b.step.Probe(t.Context(), &back)
	require.NoError(t, err)
	require.Equal(t, steps.Done, reach)
}
