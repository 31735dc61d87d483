package snapshot

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
)

// nested makes directories in one another, which no path can name, and a file in the last.
func nested(t *testing.T, dir string, depth int) {
	t.Helper()
	d, err := disk.OpenDir(dir)
	require.NoError(t, err)
	way, err := disk.Begin(d)
	require.NoError(t, err)
	for range depth {
		require.NoError(t, way.At().Mkdir("d", 0o750))
		require.NoError(t, way.Down("d"))
	}
	require.NoError(t, way.At().WriteFile("last", []byte("x"), 0o640))
	require.NoError(t, way.Close())
}

// depthOf is how deep directories are nested, and what is in the last one.
func depthOf(t *testing.T, dir string) (depth int, last string) {
	t.Helper()
	d, err := disk.OpenDir(dir)
	require.NoError(t, err)
	way, err := disk.Begin(d)
	require.NoError(t, err)
	for way.Down("d") == nil {
		require.Equal(t, depth+1, way.Depth())
		depth++
	}
	names, err := way.At().File().Readdirnames(-1)
	require.NoError(t, err)
	require.NoError(t, way.Close())
	return depth, strings.Join(names, " ")
}

// Directories that are nested deeper than a path can say are copied, put back and removed,
// at a cost that is linear: with each path resolved anew, this takes minutes.
func TestDeepDirectories(t *testing.T) {
	const depth = 2_000
	w := newWorld(t)
	nested(t, w.live("app/data"), depth)
	w.newVersionRan()
	w.empty("app/data/sub")
	live, err := disk.OpenDir(w.live("app/data"))
	require.NoError(t, err)
	require.NoError(t, live.RemoveTree("d"))
	require.NoError(t, live.Close())
	w.requireBack()
	got, last := depthOf(t, w.live("app/data"))
	require.Equal(t, depth, got)
	require.Equal(t, "last", last)
	for _, how := range []string{"a snapshot that is not needed", "the trash"} {
		_, err = w.Take(t.Context(), update, []string{"app/data"})
		require.NoError(t, err, how)
		_, err = w.Tidy("")
		require.NoError(t, err, how)
		requireNoSets(w)
	}
	require.NoError(t, disk.RemoveTree(w.live("app"))) // the test's own clean-up would not manage
}

func requireNoSets(w *world) {
	w.t.Helper()
	require.NoDirExists(w.t, filepath.Join(w.beside, Vault))
}

// A file with a hole of a TiB costs what its data does, and has its hole again.
func TestSparseFile(t *testing.T) {
	e := disktest.NewExt4(t, 16<<20)
	w := worldAt(t, e.Dir)
	const size = 1 << 40
	f, err := os.Create(w.live("web/sparse"))
	require.NoError(t, err)
	require.NoError(t, f.Truncate(size))
	for _, at := range []int64{0, size/2 + 5, size - 4} {
		_, err = f.WriteAt([]byte("data"), at)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	got, err := w.Measure(t.Context(), []string{"web"})
	require.NoError(t, err)
	require.Less(t, got.Bytes, uint64(1<<20))
	require.NoError(t, w.Fits(got))
	taken, err := w.Take(t.Context(), update, []string{"web"})
	require.NoError(t, err)
	require.Less(t, taken.Bytes, int64(1<<20))
	require.NoError(t, os.Remove(w.live("web/sparse")))
	_, err = w.Restore(update)
	require.NoError(t, err)
	back, err := os.Open(w.live("web/sparse"))
	require.NoError(t, err)
	defer back.Close()
	info, err := back.Stat()
	require.NoError(t, err)
	require.Equal(t, int64(size), info.Size())
	buf := make([]byte, 4)
	for at, want := range map[int64]string{0: "data", size/2 + 5: "data", size - 4: "data", size / 4: "\x00\x00\x00\x00"} {
		_, err := back.ReadAt(buf, at)
		require.NoError(t, err)
		require.Equal(t, want, string(buf), at)
	}
}

// A file that ends in a hole, and one that is a hole, keep their sizes.
func TestHoles(t *testing.T) {
	w := newWorld(t)
	for name, size := range map[string]int64{"web/empty": 0, "web/hole": 1 << 20, "web/page": 1<<20 + 1} {
		w.write(name, w.textOf(name))
		require.NoError(t, os.Truncate(w.live(name), size))
	}
	w.newVersionRan()
	_, err := w.Restore(update)
	require.NoError(t, err)
	require.Empty(t, w.read("web/empty"))
	require.Equal(t, strings.Repeat("\x00", 1<<20), w.read("web/hole"))
	require.Equal(t, "old page"+strings.Repeat("\x00", 1<<20-7), w.read("web/page"))
}

func (w *world) textOf(name string) string {
	if data, err := os.ReadFile(w.live(name)); err == nil {
		return string(data)
	}
	return ""
}

// What would take too long is refused when that is clear, before it is all counted.
func TestLimits(t *testing.T) {
	limits := DefaultLimits()
	limits.Copy, limits.FilesPerSecond = time.Second, 20
	for _, c := range []struct {
		name   string
		change func(*Limits)
		fill   func(w *world)
		want   string
	}{
		{"within", func(*Limits) {}, func(*world) {}, ""},
		{"many files", func(*Limits) {}, func(w *world) {
			for n := range 100 {
				w.write("web/"+strconv.Itoa(n), "")
			}
		}, "copying WEB, with at least 20 entries and 0 MiB on the disk, takes more than 1s"},
		{"much data", func(l *Limits) { l.BytesPerSecond = 1 << 20 }, func(w *world) {
			w.write("web/big", strings.Repeat("x", 3<<20))
		}, "copying WEB, with at least 2 entries and 3 MiB on the disk, takes more than 1s"},
		{"no time to measure", func(l *Limits) { l.Measure = time.Nanosecond }, func(*world) {}, "measuring WEB, with at least 0 entries and 0 MiB on the disk, takes more than 1ns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := disktest.NewExt4(t, 32<<20)
			w := worldAt(t, e.Dir)
			l := limits
			c.change(&l)
			w.Store = w.With(l)
			c.fill(w)
			size, err := w.Measure(t.Context(), []string{"web"})
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, []string{"web"}, size.Paths)
				return
			}
			require.ErrorIs(t, err, ErrTooMuch)
			require.ErrorContains(t, err, strings.ReplaceAll(c.want, "WEB", w.live("web")))
			_, err = w.Take(t.Context(), update, []string{"web"})
			require.ErrorIs(t, err, ErrTooMuch)
			requireNoSets(w)
		})
	}
}

// A copy that takes longer than it may ends, and says so; half a set is none.
func TestCopyThatTakesTooLong(t *testing.T) {
	w := newWorld(t)
	l := DefaultLimits()
	l.Copy, l.FilesPerSecond, l.BytesPerSecond = time.Nanosecond, 1<<60, 1<<60
	w.Store = w.With(l)
	_, err := w.Take(t.Context(), update, []string{"web"})
	require.ErrorIs(t, err, ErrTooMuch)
	require.ErrorContains(t, err, "takes more than 1ns")
	there, err := w.Exists(update)
	require.NoError(t, err)
	require.False(t, there)
	_, err = w.Tidy("")
	require.NoError(t, err)
	requireNoSets(w)
}

// bound makes a directory a mount of its own, of the same file system.
func bound(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, unix.Mount(dir, dir, "", unix.MS_BIND, ""))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// Under a sandbox each directory that may be written to is a mount of its own: nothing can
// be renamed from one to another. Sets are made in the shared directory then.
func TestOtherMounts(t *testing.T) {
	w := newWorld(t)
	bound(t, w.dir)
	w.newVersionRan()
	require.DirExists(t, w.live(setName(update)))
	requireNoSets(w)
	w.requireBack()
	_, err := w.Tidy("")
	require.NoError(t, err)
	requireNoTrace(w)
}

// A set that was made without a sandbox is put back in one, by copying.
func TestMountsThatChanged(t *testing.T) {
	for name, half := range map[string]func(w *world){
		"whole": func(*world) {},
		"cut while an entry was copied": func(w *world) {
			w.begun()
			w.write("app/data/sub/lo", "ol")
		},
		"the directory is gone": func(w *world) { require.NoError(w.t, os.RemoveAll(w.live("app/data"))) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.newVersionRan()
			half(w)
			bound(t, w.dir)
			w.requireBack()
			require.NoFileExists(t, w.live("app/data/sub/lo"))
			_, err := w.Tidy("")
			require.NoError(t, err)
			requireNoTrace(w)
		})
	}
}

// The updater before this one made its sets in the shared directory, with stamps of a known
// name, and noted a refill in the service's directory.
func TestSetOfAnEarlierUpdater(t *testing.T) {
	for name, half := range map[string]func(w *world, set string){
		"untouched": func(*world, string) {},
		"a refill that was cut": func(w *world, set string) {
			w.empty("app/data")
			w.write("app/data/"+oldRefillPrefix+update, "")
			require.NoError(w.t, os.Rename(filepath.Join(set, "data/app/data/db"), w.live("app/data/db")))
			w.exchange = func(*disk.Dir, string, *disk.Dir, string) error { return unix.EINVAL }
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.newVersionRan()
			set := w.live(setName(update))
			require.NoError(t, os.Rename(w.set(update), set))
			for _, p := range []string{"app/data", "web"} {
				dir := filepath.Join(set, dataName, p)
				require.NoError(t, os.Rename(w.stamp(dir), filepath.Join(dir, stampPrefix+update)))
			}
			require.NoError(t, os.WriteFile(filepath.Join(set, indexName), []byte(`{"schema":1,"update":"`+update+`","paths":["app/data","web"]}`+"\n"), 0o600))
			half(w, set)
			pending, err := w.Pending(update)
			require.NoError(t, err)
			require.Equal(t, []string{"app/data", "web"}, pending)
			w.requireBack()
			_, err = w.Tidy("")
			require.NoError(t, err)
			requireNoTrace(w)
		})
	}
}

// A directory with more entries than are read at once is filled again whole.
func TestRefillOfManyEntries(t *testing.T) {
	w := newWorld(t)
	for n := range 3000 {
		w.write("app/data/"+strconv.Itoa(n), "old")
	}
	w.newVersionRan()
	for n := range 1500 {
		w.write("app/data/new"+strconv.Itoa(n), "new")
	}
	w.exchange = func(*disk.Dir, string, *disk.Dir, string) error { return unix.EINVAL }
	w.requireBack()
	entries, err := os.ReadDir(w.live("app/data"))
	require.NoError(t, err)
	require.Len(t, entries, 3000+2)
}
