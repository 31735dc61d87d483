package switchover_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/snapshot"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
	"github.com/tope/updater/steps/switchover"
)

// dataBench is a bench whose version 1.2.0 asks for snapshots of data.
type dataBench struct {
	*bench
	task  *steps.Task
	snaps *snapshot.Store
	file  string
}

func newDataBench(t *testing.T, snaps func(*snapshot.Store) switchover.Snapshots) *dataBench {
	t.Helper()
	b := &dataBench{bench: newBench(t)}
	b.task = b.bring(t, "", versions.Brought{Writable: []versions.Writable{{Path: "data", Snapshot: true}, {Path: "log"}}})
	shared := filepath.Join(b.root, "opt/tope/shared")
	b.snaps, b.file = snapshot.New(shared, b.store.Dir()), filepath.Join(shared, "data/db")
	require.NoError(t, os.MkdirAll(filepath.Join(shared, "log"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Dir(b.file), 0o755))
	b.write(t, "old")
	var s switchover.Snapshots = b.snaps
	if snaps != nil {
		s = snaps(b.snaps)
	}
	b.step = switchover.New(switchover.Config{Manager: b.manager, Services: services, Versions: b.store, Clock: clocktest.New(), Snapshots: s})
	return b
}

func (b *dataBench) write(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(b.file, []byte(text), 0o644))
}

func (b *dataBench) read(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(b.file)
	require.NoError(t, err)
	return string(text)
}

func (b *dataBench) back() *steps.Task {
	back := stepstest.Again(b.task)
	back.Target, back.Back, back.Attempt = back.Before, true, 1
	return back
}

func (b *dataBench) picture(t *testing.T) func() any {
	return func() any {
		p, err := b.store.Pointers()
		require.NoError(t, err)
		picture := []any{p, stepstest.Tree(t, filepath.Join(b.root, "opt/tope/shared"))}
		return append(picture, b.sets(t)...)
	}
}

// stamps have names that are different each time.
var stamps = regexp.MustCompile(`(\.tope-snapshot-\S*)-[A-Z2-7]{26}`)

// sets is what the sets of snapshots hold.
func (b *dataBench) sets(t *testing.T) []any {
	t.Helper()
	vault := filepath.Join(b.store.Dir(), snapshot.Vault)
	if _, err := os.Stat(vault); err != nil {
		return nil
	}
	tree := stepstest.Tree(t, vault)
	for path := range tree {
		if filepath.Base(path) == "index.json" {
			tree[path] = "names a stamp"
		}
	}
	return []any{stamps.ReplaceAllString(fmt.Sprint(tree), "$1")}
}

// halved is a step with its bench, for the halves.
type halved struct {
	steps.Step
	*dataBench
}

// unswitched is the bench before the flip, without the step's note.
func (h halved) unswitched(t *testing.T) *dataBench {
	t.Helper()
	require.NoError(t, h.store.Point(versions.Current, "1.0.0"))
	require.NoError(t, h.store.Point(versions.Previous, "0.9.0"))
	h.task.Notes.(*stepstest.Notes).SetRaw(nil)
	return h.dataBench
}

func TestConformWithSnapshots(t *testing.T) {
	stepstest.Conform(t, stepstest.Case{Keeps: true, New: func(t *testing.T) *stepstest.World {
		b := newDataBench(t, nil)
		return &stepstest.World{Step: halved{b.step, b}, Task: b.task, Picture: b.picture(t)}
	}, Halves: map[string]func(*testing.T, *stepstest.World){
		"a cut while the snapshot was made": func(t *testing.T, w *stepstest.World) {
			b := w.Step.(halved).unswitched(t)
			require.NoError(t, os.MkdirAll(filepath.Join(b.store.Dir(), snapshot.Vault, versions.SnapshotPrefix+w.Task.Update+disk.TempSuffix, "data"), 0o700))
		},
		"a snapshot without its note": func(t *testing.T, w *stepstest.World) {
			_, err := w.Step.(halved).unswitched(t).snaps.Take(t.Context(), w.Task.Update, []string{"data"})
			require.NoError(t, err)
		},
	}})
	stepstest.Conform(t, stepstest.Case{Keeps: true, New: func(t *testing.T) *stepstest.World {
		b := newDataBench(t, nil)
		_, err := b.step.Do(t.Context(), b.task)
		require.NoError(t, err)
		b.write(t, "new")
		return &stepstest.World{Step: b.step, Task: b.back(), Picture: b.picture(t)}
	}})
}

// The data is copied while the services are stopped, before a pointer moves. On the way
// back it is put back while they are stopped again.
func TestSnapshotThereAndBack(t *testing.T) {
	b := newDataBench(t, nil)
	out, err := b.step.Do(t.Context(), b.task)
	require.NoError(t, err)
	ev := out.Evidence.(switchover.Evidence)
	require.Equal(t, []string{"data"}, ev.Snapshot.Paths)
	require.Equal(t, 1, ev.Snapshot.Files)
	require.Equal(t, int64(3), ev.Snapshot.Bytes)
	b.write(t, "new")

	back := b.back()
	b.manager.Calls()
	b.manager.Hook(func(op, _ string) error {
		require.Equal(t, "new", b.read(t), "nothing is put back under a running service")
		return nil
	})
	out, err = b.step.Do(t.Context(), back)
	require.NoError(t, err)
	b.manager.Hook(nil)
	require.Equal(t, []string{"data"}, out.Evidence.(switchover.Evidence).Restored.Paths)
	require.Equal(t, "old", b.read(t))
	reach, err := b.step.Probe(t.Context(), back)
	require.NoError(t, err)
	require.Equal(t, steps.Done, reach)
	b.write(t, "written since")
	_, err = b.step.Do(t.Context(), stepstest.Again(back))
	require.NoError(t, err)
	require.Equal(t, "written since", b.read(t))
}

// Recovery may have moved the pointers back already: the data must still be put back.
func TestDataOwedThoughPointersAreBack(t *testing.T) {
	b := newDataBench(t, nil)
	_, err := b.step.Do(t.Context(), b.task)
	require.NoError(t, err)
	b.write(t, "new")
	require.NoError(t, b.store.Point(versions.Current, "1.0.0"))
	require.NoError(t, b.store.Point(versions.Previous, "0.9.0"))
	reach, err := b.step.Probe(t.Context(), b.back())
	require.NoError(t, err)
	require.NotEqual(t, steps.Done, reach)
	_, err = b.step.Do(t.Context(), b.back())
	require.NoError(t, err)
	require.Equal(t, "old", b.read(t))
}

// After a cut before the note, the old version ran on, and its data is in the next
// snapshot. After a cut that follows the note or the flip, the snapshot stays.
func TestRunAgainAfterACut(t *testing.T) {
	for name, c := range map[string]struct {
		half func(*testing.T, *dataBench)
		want string
	}{
		"before the note": {func(t *testing.T, b *dataBench) {
			_, err := b.snaps.Take(t.Context(), b.task.Update, []string{"data"})
			require.NoError(t, err)
			b.write(t, "old, and older")
		}, "old, and older"},
		"after the note": {func(t *testing.T, b *dataBench) {
			_, err := b.snaps.Take(t.Context(), b.task.Update, []string{"data"})
			require.NoError(t, err)
			require.NoError(t, b.task.Notes.Save(steps.Prepared{Prepared: true}))
			b.write(t, "touched")
		}, "old"},
		"after the flip": {func(t *testing.T, b *dataBench) {
			_, err := b.step.Do(t.Context(), b.task)
			require.NoError(t, err)
			b.task.Notes = stepstest.NewNotes()
			require.NoError(t, b.store.Point(versions.Previous, "0.9.0"))
			b.write(t, "new")
		}, "old"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newDataBench(t, nil)
			c.half(t, b)
			_, err := b.step.Do(t.Context(), stepstest.Again(b.task))
			require.NoError(t, err)
			b.write(t, "new")
			_, err = b.step.Do(t.Context(), b.back())
			require.NoError(t, err)
			require.Equal(t, c.want, b.read(t))
		})
	}
}

// The running version may also ask for the snapshot, and the flip waits for the copy.
func TestTheNoteComesAfterTheSnapshot(t *testing.T) {
	b := newDataBench(t, nil)
	b.task.Notes.(*stepstest.Notes).Fail(errors.New("journal: no"))
	_, err := b.step.Do(t.Context(), b.task)
	require.ErrorContains(t, err, "journal: no")
	there, err := b.snaps.Exists(b.task.Update)
	require.NoError(t, err)
	require.True(t, there)
	p, err := b.store.Pointers()
	require.NoError(t, err)
	require.Equal(t, b.task.Before, p)
}

// faulty has no room for a snapshot, or cannot put the data back.
type faulty struct {
	*snapshot.Store
	fits, restore error
}

func (f *faulty) Fits(s snapshot.Size) error {
	return errors.Join(f.fits, f.Store.Fits(s))
}

func (f *faulty) Restore(update string) (snapshot.Restored, error) {
	if f.restore != nil {
		return snapshot.Restored{}, f.restore
	}
	return f.Store.Restore(update)
}

func TestNoRoomForASnapshot(t *testing.T) {
	b := newDataBench(t, func(s *snapshot.Store) switchover.Snapshots {
		return &faulty{Store: s, fits: &disk.SpaceError{Path: "/opt/tope/shared", Need: disk.Space{Bytes: 2}}}
	})
	stepstest.Fails(t, b.step, b.task, steps.Local, steps.DiskFull)
	require.Empty(t, b.manager.Calls(), "no service was stopped")
}

// When data cannot be put back, current is set right in the end all the same.
func TestDataThatCannotBePutBack(t *testing.T) {
	var f *faulty
	b := newDataBench(t, func(s *snapshot.Store) switchover.Snapshots { f = &faulty{Store: s}; return f })
	_, err := b.step.Do(t.Context(), b.task)
	require.NoError(t, err)
	f.restore = errors.New("input/output error")
	back := b.back()
	_, err = b.step.Do(t.Context(), back)
	require.ErrorContains(t, err, "input/output error", "the first attempt is strict")
	out, err := b.step.Do(t.Context(), stepstest.Again(back))
	require.NoError(t, err)
	require.Contains(t, out.Evidence.(switchover.Evidence).Blocked, "input/output error")
	p, err := b.store.Pointers()
	require.NoError(t, err)
	require.Equal(t, b.task.Before, p)
}
