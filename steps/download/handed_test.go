package download

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

// handing is a task for a file that somebody has handed over.
func handing(t *testing.T, path string, b []byte, boot string) *steps.Task {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	require.NoError(t, err)
	task := newTask(t, from(path, b))
	task.Handed = &steps.Handed{File: f, ID: source.Identity(info, boot)}
	return task
}

// What was handed over is copied, whatever is at its path meanwhile, and as often as asked.
func TestAHandedFileIsRead(t *testing.T) {
	b := bundleOf(300_000, 1)
	path := filepath.Join(t.TempDir(), "r.zip")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	clk := clocktest.New()
	task := handing(t, path, b, clk.Boot())
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Symlink("/etc/shadow", path))
	for range 2 {
		_, err := New(Config{Clock: clk}).Do(t.Context(), task)
		require.NoError(t, err)
		require.NoError(t, os.RemoveAll(task.WorkDir))
		require.NoError(t, os.Mkdir(task.WorkDir, 0o700))
	}
}

// After a restart of the updater the same file is found again by its path; anything else
// that is there is neither read nor told of.
func TestAHandedFileAfterARestart(t *testing.T) {
	b := bundleOf(300_000, 1)
	elsewhere := filepath.Join(t.TempDir(), "shadow")
	require.NoError(t, os.WriteFile(elsewhere, b, 0o600))
	for name, c := range map[string]struct {
		change func(t *testing.T, path string)
		boot   string
		well   bool
	}{
		"the same":       {change: func(*testing.T, string) {}, well: true},
		"another boot":   {change: func(*testing.T, string) {}, boot: "another"},
		"gone":           {change: func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }},
		"written to":     {change: func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, b, 0o600)) }},
		"given away":     {change: func(t *testing.T, path string) { require.NoError(t, os.Chmod(path, 0)) }},
		"another file":   {change: func(t *testing.T, path string) { require.NoError(t, os.Rename(elsewhere, path)) }},
		"a link":         {change: func(t *testing.T, path string) { relink(t, "/etc/passwd", path) }},
		"a link to none": {change: func(t *testing.T, path string) { relink(t, "/none", path) }},
		"a device":       {change: func(t *testing.T, path string) { relink(t, "/dev/null", path) }},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.zip")
			require.NoError(t, os.WriteFile(path, b, 0o600))
			clk := clocktest.New()
			task := handing(t, path, b, clk.Boot()+c.boot)
			task.Handed.File = nil
			c.change(t, path)
			step := New(Config{Clock: clk})
			if c.well {
				_, err := step.Do(t.Context(), task)
				require.NoError(t, err)
				return
			}
			text := stepstest.Fails(t, step, task, steps.Unavailable, steps.DownloadFailed)
			require.Equal(t, "cannot copy "+path+": the file that was handed over cannot be found again after a restart of the updater; install it again: what was copied is kept", text)
		})
	}
}

func relink(t *testing.T, target, path string) {
	t.Helper()
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Symlink(target, path))
}

// After a restart the daemon, which has a /tmp of its own, finds a file of the device's /tmp.
func TestAHandedFileThatLiesOutside(t *testing.T) {
	b := bundleOf(300_000, 1)
	outside, path := t.TempDir(), "/nowhere/r.zip"
	require.NoError(t, os.Mkdir(filepath.Join(outside, "nowhere"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(outside, path), b, 0o600))
	clk := clocktest.New()
	task := newTask(t, from(path, b))
	task.Handed = &steps.Handed{ID: handing(t, filepath.Join(outside, path), b, clk.Boot()).Handed.ID}
	_, err := New(Config{Clock: clk, Outside: outside}).Do(t.Context(), task)
	require.NoError(t, err)
	task = newTask(t, from(path, b))
	task.Handed = &steps.Handed{ID: "another"}
	stepstest.Fails(t, New(Config{Clock: clk, Outside: outside}), task, steps.Unavailable, steps.DownloadFailed)
}
