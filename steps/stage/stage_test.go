package stage_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	bt "github.com/tope/updater/steps/bundle/bundletest"
	"github.com/tope/updater/steps/bundle/filelist"
	"github.com/tope/updater/steps/bundle/legacyzip"
	"github.com/tope/updater/steps/extract"
	"github.com/tope/updater/steps/stage"
	"github.com/tope/updater/steps/stepstest"
)

const (
	ours   = "md5:00112233445566778899aabbccddeeff"
	theirs = "md5:ffeeddccbbaa99887766554433221100"
)

// world is a device on which version 1.2.0 has been extracted.
type world struct {
	t    *testing.T
	dev  *stepstest.Device
	task *steps.Task
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dev: stepstest.NewDevice(t, "")}
	w.task = stepstest.Task(t, func(task *steps.Task) {
		bt.Package("1.2.0").Write(t, task.WorkDir, bundle.FileName)
		task.Release = steps.Release{Version: "1.2.0", Digest: ours, Services: []string{"device-api"}}
	})
	w.extract(w.task)
	return w
}

func (w *world) extract(task *steps.Task) {
	w.t.Helper()
	_, err := extract.New(extract.Config{
		Versions: w.dev.Store, Formats: []bundle.Format{legacyzip.Format{}}, Preflight: disk.Preflight,
		Shared: w.dev.Path("/opt/tope/shared"), Writable: map[string]string{"services/web-server/data": w.dev.Path("/opt/tope/shared/web")},
	}).Do(context.Background(), task)
	require.NoError(w.t, err)
}

// installed publishes version 1.2.0 by another update, with this digest.
func (w *world) installed(digest string) {
	w.t.Helper()
	other := stepstest.Task(w.t, func(task *steps.Task) {
		bt.Package("1.2.0").Write(w.t, task.WorkDir, bundle.FileName)
		task.Update, task.Release = "other", steps.Release{Version: "1.2.0", Digest: digest}
	})
	w.extract(other)
	_, err := stage.New(w.dev.Store, nil).Do(context.Background(), other)
	require.NoError(w.t, err)
}

func (w *world) do() stage.Evidence {
	w.t.Helper()
	out, err := stage.New(w.dev.Store, nil).Do(context.Background(), w.task)
	require.NoError(w.t, err)
	return out.Evidence.(stage.Evidence)
}

func (w *world) program() string {
	return filepath.Join(w.dev.Store.Path("1.2.0"), "services/device-api/device-api")
}

func (w *world) requireComplete() {
	w.t.Helper()
	v, err := w.dev.Verify(context.Background(), "1.2.0")
	require.NoError(w.t, err)
	require.True(w.t, v.OK(), "%v", v.Problems)
	require.Equal(w.t, versions.Complete, v.State)
	require.Equal(w.t, ours, v.Digest)
	require.NoDirExists(w.t, w.dev.Staging(w.task.Update))
}

func TestPublished(t *testing.T) {
	w := newWorld(t)
	ev := w.do()
	require.Equal(t, stage.Evidence{Version: "1.2.0", Digest: ours, Summary: ev.Summary}, ev)
	require.Equal(t, 5, ev.Files)
	w.requireComplete()
	m, err := w.dev.Manifest("1.2.0")
	require.NoError(t, err)
	require.Equal(t, []string{"device-api"}, m.Services)
	require.Equal(t, w.task.Update, m.Update)
	require.Len(t, m.Files, 13)
	require.True(t, w.do().Reused, "what it published itself")
}

// A service writes through its version into the shared directory, and the
// version stays as it was published.
func TestWritable(t *testing.T) {
	w := newWorld(t)
	w.do()
	data := filepath.Join(w.dev.Store.Path("1.2.0"), "services/web-server/data")
	require.NoError(t, os.WriteFile(filepath.Join(data, "today"), []byte("x"), 0o600))
	require.FileExists(t, w.dev.Path("/opt/tope/shared/web/today"))
	w.requireComplete()
}

func TestConform(t *testing.T) {
	of := func(w *stepstest.World) *world { return w.Step.(*restaging).w }
	stepstest.Conform(t, stepstest.Case{
		// Extract's list stays. The staged tree belongs to Extract as well as to Stage,
		// and Undo removes it, so Do after Undo needs it back.
		New: func(t *testing.T) *stepstest.World {
			w := newWorld(t)
			step := &restaging{stage.New(w.dev.Store, nil), w}
			return &stepstest.World{Step: step, Task: w.task, Picture: func() any {
				tree := stepstest.Tree(t, w.dev.Dir())
				for path := range stepstest.Tree(t, w.dev.Staging(w.task.Update)) {
					delete(tree, path)
				}
				return tree
			}}
		},
		Halves: map[string]func(*testing.T, *stepstest.World){
			"a manifest in the staging directory": func(t *testing.T, w *stepstest.World) {
				dir := of(w).dev.Staging(w.Task.Update)
				require.NoError(t, os.MkdirAll(dir, 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(dir, versions.ManifestName), []byte("{"), 0o600))
			},
			"published, not journaled": func(t *testing.T, w *stepstest.World) {
				_, err := w.Step.Do(context.Background(), w.Task)
				require.NoError(t, err)
			},
			"published, and the list is gone": func(t *testing.T, w *stepstest.World) {
				_, err := w.Step.Do(context.Background(), w.Task)
				require.NoError(t, err)
				require.NoError(t, filelist.Remove(w.Task.WorkDir))
			},
		},
	})
}

// restaging puts Extract's tree back when an earlier Undo has removed it.
type restaging struct {
	*stage.Step
	w *world
}

func (r *restaging) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	if state, err := r.w.dev.State("1.2.0"); err == nil && state == versions.Missing {
		r.w.extract(r.w.task)
	}
	return r.Step.Do(ctx, t)
}

func TestSameReleaseIsReused(t *testing.T) {
	w := newWorld(t)
	w.installed(ours)
	before := stepstest.Tree(t, w.dev.Store.Path("1.2.0"))
	ev := w.do()
	require.True(t, ev.Reused)
	require.False(t, ev.Replaced)
	w.requireComplete()
	require.Equal(t, before, stepstest.Tree(t, w.dev.Store.Path("1.2.0")))

	require.NoError(t, stage.New(w.dev.Store, nil).Undo(context.Background(), w.task))
	require.DirExists(t, w.dev.Store.Path("1.2.0"), "another update published it")
}

func TestOtherReleaseMakesWay(t *testing.T) {
	for name, there := range map[string]func(w *world){
		"another digest": func(w *world) { w.installed(theirs) },
		"made by hand":   func(w *world) { require.NoError(t, os.MkdirAll(filepath.Dir(w.program()), 0o755)) },
		"empty":          func(w *world) { require.NoError(t, os.Mkdir(w.dev.Store.Path("1.2.0"), 0o755)) },
		"damaged": func(w *world) {
			w.installed(ours)
			require.NoError(t, os.Chmod(w.program(), 0o755))
			require.NoError(t, os.WriteFile(w.program(), []byte("#!/bin/sh\necho 9.9.9\n"), 0o755))
		},
		"with a damaged manifest": func(w *world) {
			w.installed(ours)
			path := filepath.Join(w.dev.Store.Path("1.2.0"), versions.ManifestName)
			require.NoError(t, os.Chmod(path, 0o644))
			require.NoError(t, os.Truncate(path, 10))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			there(w)
			ev := w.do()
			require.True(t, ev.Replaced)
			require.False(t, ev.Reused)
			w.requireComplete()
		})
	}
}

func TestVersionConflict(t *testing.T) {
	for _, pointer := range []string{versions.Current, versions.Previous, versions.Factory} {
		t.Run(pointer, func(t *testing.T) {
			w := newWorld(t)
			w.installed(theirs)
			require.NoError(t, w.dev.Point(pointer, "1.2.0"))
			before := stepstest.Tree(t, w.dev.Dir())
			text := stepstest.Fails(t, stage.New(w.dev.Store, nil), w.task, steps.Refused, steps.VersionConflict)
			require.Contains(t, text, "publish the release under another version")
			require.Equal(t, before, stepstest.Tree(t, w.dev.Dir()))
		})
	}
	t.Run("needed by the open update", func(t *testing.T) {
		w := newWorld(t)
		w.installed(theirs)
		w.task.Before.Previous = "1.2.0"
		stepstest.Fails(t, stage.New(w.dev.Store, nil), w.task, steps.Refused, steps.VersionConflict)
	})
	t.Run("current, and the same release", func(t *testing.T) {
		w := newWorld(t)
		w.installed(ours)
		require.NoError(t, w.dev.Point(versions.Current, "1.2.0"))
		require.True(t, w.do().Reused)
	})
}

func TestLost(t *testing.T) {
	in := func(w *world, path string) string { return filepath.Join(w.dev.Staging(w.task.Update), path) }
	for name, lose := range map[string]func(t *testing.T, w *world){
		"the list": func(t *testing.T, w *world) { require.NoError(t, filelist.Remove(w.task.WorkDir)) },
		"the end of it": func(t *testing.T, w *world) {
			require.NoError(t, os.Truncate(filepath.Join(w.task.WorkDir, filelist.Name), 300))
		},
		"another's list":    func(t *testing.T, w *world) { w.task.Release.Digest = theirs },
		"the tree":          func(t *testing.T, w *world) { require.NoError(t, disk.RemoveTree(in(w, "."))) },
		"a file":            func(t *testing.T, w *world) { require.NoError(t, os.Remove(in(w, "bin/tope-tool"))) },
		"the end of a file": func(t *testing.T, w *world) { disktest.Cut(t, in(w, "bin/tope-tool"), 2) },
		"a mode":            func(t *testing.T, w *world) { require.NoError(t, os.Chmod(in(w, "bin/tope-tool"), 0o444)) },
		"a directory":       func(t *testing.T, w *world) { require.NoError(t, os.Remove(in(w, "services/device-api/empty"))) },
		"and found another": func(t *testing.T, w *world) { require.NoError(t, os.WriteFile(in(w, "bin/extra"), nil, 0o555)) },
		"a file to a device": func(t *testing.T, w *world) {
			require.NoError(t, os.Remove(in(w, "bin/tope-tool")))
			require.NoError(t, os.Symlink("/dev/null", in(w, "bin/tope-tool")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			lose(t, w)
			stepstest.Fails(t, stage.New(w.dev.Store, nil), w.task, steps.Local, steps.IOError)
			require.NoDirExists(t, w.dev.Store.Path("1.2.0"))
			require.NoError(t, stage.New(w.dev.Store, nil).Undo(context.Background(), w.task))
			require.Empty(t, stepstest.Tree(t, in(w, ".")))
		})
	}
}

// Undo may be called when a pointer leads to the version, and before the version is
// known.
func TestUndoKeepsWhatIsNeeded(t *testing.T) {
	w := newWorld(t)
	w.do()
	require.NoError(t, w.dev.Point(versions.Current, "1.2.0"))
	require.NoError(t, stage.New(w.dev.Store, nil).Undo(context.Background(), w.task))
	w.requireComplete()

	w = newWorld(t)
	w.task.Release = steps.Release{}
	require.NoError(t, stage.New(w.dev.Store, nil).Undo(context.Background(), w.task))
	require.NoDirExists(t, w.dev.Staging(w.task.Update))
}
