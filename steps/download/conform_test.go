package download

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/stepstest"
)

// journaled is the step with an engine around it that remembers the step's evidence.
type journaled struct {
	*Step
	t    testing.TB
	left *steps.Task
}

func (j journaled) with(t *steps.Task) *steps.Task {
	next := *t
	next.Facts = j.left.Facts
	return &next
}

func (j journaled) Probe(ctx context.Context, t *steps.Task) (steps.Reach, error) {
	return j.Step.Probe(ctx, j.with(t))
}

func (j journaled) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	out, err := j.Step.Do(ctx, j.with(t))
	if err == nil {
		stepstest.HandOn(j.t, j.left, steps.Download, out.Evidence)
	}
	return out, err
}

func (j journaled) Undo(ctx context.Context, t *steps.Task) error {
	j.left.Facts = steps.Facts{}
	return j.Step.Undo(ctx, t)
}

func TestConform(t *testing.T) {
	b := bundleOf(600_000, 1)
	content := filepath.Join(t.TempDir(), "r.zip")
	require.NoError(t, os.WriteFile(content, b, 0o600))
	put := func(name string, data []byte) func(*testing.T, *stepstest.World) {
		return func(t *testing.T, w *stepstest.World) {
			require.NoError(t, os.WriteFile(filepath.Join(w.Task.WorkDir, name), data, 0o600))
		}
	}
	for name, url := range map[string]func(t *testing.T) string{
		"http": func(t *testing.T) string { return serve(t, func(k talk) { k.file(b, tag, -1) }).url() },
		"file": func(*testing.T) string { return content },
	} {
		t.Run(name, func(t *testing.T) {
			stepstest.Conform(t, stepstest.Case{
				New: func(t *testing.T) *stepstest.World {
					task := newTask(t, from(url(t), b))
					return &stepstest.World{
						Step:    journaled{stepFor(newPatient()), t, new(steps.Task)},
						Task:    task,
						Picture: func() any { return stepstest.Tree(t, task.WorkDir) },
					}
				},
				Halves: map[string]func(*testing.T, *stepstest.World){
					"nothing written":     put(PartFile, nil),
					"some of it":          put(PartFile, b[:100_000]),
					"all, not named":      put(PartFile, b),
					"other bytes":         put(PartFile, bundleOf(700_000, 2)),
					"named, not recorded": put(bundle.FileName, b),
					"named and damaged":   put(bundle.FileName, b[1:]),
				},
			})
		})
	}
}

// TestNotesThatFail: a journal that cannot be written ends the step, with an error that
// blames this device.
func TestNotesThatFail(t *testing.T) {
	b := bundleOf(1<<20, 1)
	path := filepath.Join(t.TempDir(), "r.zip")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	notes := stepstest.NewNotes()
	notes.Fail(unix.ENOSPC)
	task := newTask(t, from(path, b))
	task.Notes = notes
	step := stepFor(newPatient(), func(c *Config) { c.CheckpointBytes, c.CheckpointTime = 1, -1 })
	stepstest.Fails(t, step, task, steps.Local, steps.DiskFull)
}

// TestDiskFull: the step finds out before the first byte where the size is known, and
// otherwise at the write. When there is room again, the same update succeeds.
func TestDiskFull(t *testing.T) {
	b := bundleOf(3<<20, 1)
	for name, c := range map[string]struct {
		config func(*Config)
		part   bool
	}{
		"found beforehand":  {func(*Config) {}, false},
		"found while at it": {func(c *Config) { c.Preflight = func(string, uint64, uint64) error { return nil } }, true},
	} {
		t.Run(name, func(t *testing.T) {
			roottest.Need(t, "a mount")
			s := serve(t, func(k talk) { k.s.clk.Advance(time.Minute); k.file(b, tag, -1) })
			dir := t.TempDir()
			require.NoError(t, unix.Mount("none", dir, "tmpfs", 0, "size=2m"))
			t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
			task := newTask(t, from(s.url(), b))
			task.WorkDir = dir
			step := stepFor(s.clk, c.config, func(c *Config) { c.Reserve = 1 })
			text := stepstest.Fails(t, step, task, steps.Local, steps.DiskFull)
			require.Regexp(t, "free (some space|[0-9.]+ MB) there and try again", text)
			info, err := os.Stat(filepath.Join(dir, PartFile))
			require.NoError(t, err)
			require.Equal(t, c.part, info.Size() > 0, "%d bytes were written", info.Size())

			require.NoError(t, unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT, "size=8m"))
			again := stepstest.Again(task)
			out, err := do(t, step, again)
			require.NoError(t, err)
			requireBundle(t, again, b, out)
		})
	}
}

func TestProbe(t *testing.T) {
	step := stepFor(newPatient())
	task := newTask(t, from("/r.zip", bundleOf(10, 1)))
	probe := func() steps.Reach {
		t.Helper()
		reach, err := step.Probe(context.Background(), task)
		require.NoError(t, err)
		return reach
	}
	require.Equal(t, steps.NotStarted, probe())
	require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, PartFile), nil, 0o600))
	require.Equal(t, steps.Partly, probe())
	require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, bundle.FileName), make([]byte, 10), 0o600))
	require.Equal(t, steps.Partly, probe(), "nobody knows its digest yet")
	task.Facts.Download = new(steps.Downloaded)
	require.Equal(t, steps.Done, probe())
	task.Source.Size = 11
	require.Equal(t, steps.Partly, probe(), "of another size than declared")
	task.WorkDir += "/gone"
	require.Equal(t, steps.NotStarted, probe())
	require.NoError(t, step.Undo(context.Background(), task))
}
