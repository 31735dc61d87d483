package snapshot

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/filecaps"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/versions"
)

const update = "20260101-000000-abcd"

// world is a shared directory in which services wrote app/data and web.
type world struct {
	*Store
	t *testing.T
}

func newWorld(t *testing.T) *world { return worldAt(t, t.TempDir()) }

func worldAt(t *testing.T, dir string) *world {
	t.Helper()
	w := &world{Store: New(filepath.Join(dir, "shared"), filepath.Join(dir, "versions")), t: t}
	require.NoError(t, os.MkdirAll(w.beside, 0o755))
	w.write("app/data/db", "old")
	w.write("app/data/sub/log", "old log")
	w.write("web/page", "old page")
	w.write("other", "not asked for")
	return w
}

func (w *world) write(path, text string) {
	w.t.Helper()
	host := w.live(path)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(host), 0o755))
	require.NoError(w.t, os.WriteFile(host, []byte(text), 0o644))
}

func (w *world) read(path string) string {
	w.t.Helper()
	data, err := os.ReadFile(w.live(path))
	require.NoError(w.t, err)
	return string(data)
}

func (w *world) take() Taken {
	w.t.Helper()
	taken, err := w.Take(context.Background(), update, []string{"web", "app/data", "app/data/sub", "missing"})
	require.NoError(w.t, err)
	return taken
}

// newVersionRan leaves the data as an update does that is about to be rolled back.
func (w *world) newVersionRan() {
	w.take()
	w.write("app/data/db", "new")
	w.write("app/data/added", "new")
	require.NoError(w.t, os.Remove(w.live("web/page")))
}

// set is where the update's set is, kept the copy of a directory in it.
func (w *world) set(update string) string { return filepath.Join(w.beside, Vault, setName(update)) }

func (w *world) kept(update, path string) string {
	return filepath.Join(w.set(update), dataName, filepath.FromSlash(path))
}

// swapped exchanges a directory for its copy.
func (w *world) swapped(path string) {
	w.t.Helper()
	require.NoError(w.t, unix.Renameat2(unix.AT_FDCWD, w.kept(update, path), unix.AT_FDCWD, w.live(path), unix.RENAME_EXCHANGE))
}

// empty removes what is in a directory.
func (w *world) empty(path string) {
	w.t.Helper()
	entries, err := os.ReadDir(w.live(path))
	require.NoError(w.t, err)
	for _, e := range entries {
		require.NoError(w.t, os.RemoveAll(filepath.Join(w.live(path), e.Name())))
	}
}

// begun leaves a directory as refill does before the first entry is moved.
func (w *world) begun() {
	w.t.Helper()
	w.empty("app/data")
	require.NoError(w.t, os.WriteFile(filepath.Join(w.set(update), refillNote(0)), nil, 0o600))
}

// stamp is the path of the one stamp in a directory.
func (w *world) stamp(dir string) string {
	w.t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, stampPrefix+"*"))
	require.NoError(w.t, err)
	require.Len(w.t, found, 1)
	return found[0]
}

// requireBack: all is as the old version left it, and stays so however often Restore is called.
func (w *world) requireBack() {
	w.t.Helper()
	for range 2 {
		_, err := w.Restore(update)
		require.NoError(w.t, err)
		pending, err := w.Pending(update)
		require.NoError(w.t, err)
		require.Empty(w.t, pending)
		require.Equal(w.t, "old", w.read("app/data/db"))
		require.Equal(w.t, "old log", w.read("app/data/sub/log"))
		require.Equal(w.t, "old page", w.read("web/page"))
		require.NoFileExists(w.t, w.live("app/data/added"))
		require.Equal(w.t, "not asked for", w.read("other"))
	}
}

func TestTakeIsALikeness(t *testing.T) {
	roottest.Need(t, "files of other users")
	w := newWorld(t)
	long := time.Date(2020, 2, 3, 4, 5, 6, 7000, time.UTC)
	require.NoError(t, unix.Chmod(w.live("app/data/db"), 0o4750))
	require.NoError(t, os.Lchown(w.live("app/data/sub"), disktest.Nobody, disktest.Nobody))
	require.NoError(t, os.Symlink("/etc/passwd", w.live("app/data/link")))
	require.NoError(t, unix.Mkfifo(w.live("app/data/pipe"), 0o600))
	require.NoError(t, unix.Chmod(w.live("app/data"), 0o2555))
	for _, p := range []string{"app/data/db", "app/data/sub", "app/data"} {
		require.NoError(t, os.Chtimes(w.live(p), long, long))
	}
	// user:1:r-- beside the owner's, the group's and others' rights; see acl(5).
	list := []byte("\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x02\x00\x04\x00\x01\x00\x00\x00\x04\x00\x05\x00\xff\xff\xff\xff" +
		"\x10\x00\x05\x00\xff\xff\xff\xff\x20\x00\x05\x00\xff\xff\xff\xff")
	for name, value := range map[string][]byte{
		"user.comment": make([]byte, 2000), "user.empty": nil, "system.posix_acl_access": list,
		filecaps.Attribute: append([]byte{1, 0, 0, 2, 0, 4}, make([]byte, 14)...),
	} {
		require.NoError(t, unix.Setxattr(w.live("app/data/sub/log"), name, value, 0), name)
	}
	require.NoError(t, unix.Setxattr(w.live("app/data"), "system.posix_acl_default", list, 0))
	taken := w.take()
	require.Equal(t, []string{"app/data", "web"}, taken.Paths, "what lies in another is in it; what is missing is left out")
	require.Equal(t, 3, taken.Files)
	require.Equal(t, int64(len("old")+len("old log")+len("old page")), taken.Bytes)
	require.Equal(t, 1, taken.Skipped)
	for _, p := range []string{"app/data/db", "app/data/sub", "app/data", "app/data/sub/log", "app/data/link"} {
		var a, b unix.Stat_t
		require.NoError(t, unix.Lstat(w.live(p), &a))
		require.NoError(t, unix.Lstat(w.kept(update, p), &b))
		require.Equal(t, []uint32{a.Mode, a.Uid, a.Gid}, []uint32{b.Mode, b.Uid, b.Gid}, p)
		if a.Mode&unix.S_IFMT != unix.S_IFLNK {
			require.Equal(t, a.Mtim, b.Mtim, p)
		}
	}
	for _, p := range []string{"app/data/db", "app/data", "app/data/sub", "app/data/sub/log"} {
		require.Equal(t, attributesOf(t, w.live(p)), attributesOf(t, w.kept(update, p)), p)
	}
	require.Len(t, attributesOf(t, w.kept(update, "app/data/sub/log")), 4)
	require.Contains(t, attributesOf(t, w.kept(update, "app/data")), "system.posix_acl_default")
	target, err := os.Readlink(w.kept(update, "app/data/link"))
	require.NoError(t, err)
	require.Equal(t, "/etc/passwd", target)
	info, err := os.Stat(w.set(update))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "nobody else looks into it")
}

func TestTakeAgainTakesWhatIsThereNow(t *testing.T) {
	w := newWorld(t)
	w.take()
	w.write("app/data/db", "older still")
	w.take()
	w.write("app/data/db", "new")
	_, err := w.Restore(update)
	require.NoError(t, err)
	require.Equal(t, "older still", w.read("app/data/db"))
}

// A set that was not finished does not have its final name: nothing is put back
// from it, and the next set takes its place.
func TestTakeThatWasCut(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Take(ctx, update, []string{"web"})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, os.MkdirAll(w.set(update)+disk.TempSuffix+"/data/web", 0o755))
	there, err := w.Exists(update)
	require.NoError(t, err)
	require.False(t, there)
	done, err := w.Restore(update)
	require.NoError(t, err)
	require.Empty(t, done.Paths)
	w.newVersionRan()
	w.requireBack()
}

// Wherever the power went during Restore, calling it again ends with the old data,
// whole.
func TestRestoreFromEveryHalf(t *testing.T) {
	none := func(*disk.Dir, string, *disk.Dir, string) error { return unix.EINVAL }
	for _, how := range []struct {
		name     string
		exchange func(*disk.Dir, string, *disk.Dir, string) error
	}{{"exchange", (*disk.Dir).Exchange}, {"refill", none}} {
		for name, half := range map[string]func(*world){
			"nothing done": func(*world) {},
			"one of two exchanged": func(w *world) {
				w.swapped("web")
			},
			"the other exchanged": func(w *world) {
				w.swapped("app/data")
			},
			"emptied in part": func(w *world) {
				require.NoError(w.t, os.Remove(w.live("app/data/db")))
			},
			"emptied": func(w *world) {
				w.empty("app/data")
			},
			"emptied, and noted": func(w *world) {
				w.begun()
			},
			"filled again in part": func(w *world) {
				w.begun()
				require.NoError(w.t, os.Rename(w.kept(update, "app/data/db"), w.live("app/data/db")))
			},
			"filled again in part, and a program made the rest anew": func(w *world) {
				w.begun()
				w.write("app/data/db", "by a program")
				w.write("app/data/sub/log", "by a program")
			},
			"filled again, without the stamp": func(w *world) {
				w.begun()
				for _, name := range []string{"db", "sub"} {
					require.NoError(w.t, os.Rename(w.kept(update, "app/data/"+name), w.live("app/data/"+name)))
				}
			},
			"filled again, with the note": func(w *world) {
				w.begun()
				for _, name := range []string{"db", "sub"} {
					require.NoError(w.t, os.Rename(w.kept(update, "app/data/"+name), w.live("app/data/"+name)))
				}
				require.NoError(w.t, os.Remove(w.stamp(w.kept(update, "app/data"))))
			},
			"a program removed the directory": func(w *world) {
				require.NoError(w.t, os.RemoveAll(w.live("app/data")))
			},
			"a program made the directory anew": func(w *world) {
				require.NoError(w.t, os.RemoveAll(w.live("app/data")))
				w.write("app/data/added", "by a program")
			},
			"a program removed a directory with its parent": func(w *world) {
				require.NoError(w.t, os.RemoveAll(w.live("app")))
			},
			"exchanged, and a program removed the stamp": func(w *world) {
				w.swapped("web")
				require.NoError(w.t, os.Remove(w.stamp(w.live("web"))))
			},
			"exchanged, and the program gave what it wrote a stamp": func(w *world) {
				w.write("web/"+stampPrefix+update, "")
				w.swapped("web")
			},
			"a program put a link in place of the directory": func(w *world) {
				require.NoError(w.t, os.RemoveAll(w.live("app/data")))
				require.NoError(w.t, os.Symlink("../web", w.live("app/data")))
			},
		} {
			t.Run(how.name+"/"+name, func(t *testing.T) {
				w := newWorld(t)
				w.newVersionRan()
				half(w)
				w.exchange = how.exchange
				w.requireBack()
				_, err := w.Tidy("")
				require.NoError(t, err)
				requireNoTrace(w)
				require.Equal(t, "old", w.read("app/data/db"))
			})
		}
	}
}

func requireNoTrace(w *world) {
	w.t.Helper()
	require.NoError(w.t, filepath.WalkDir(filepath.Dir(w.dir), func(path string, d os.DirEntry, err error) error {
		require.NotContains(w.t, d.Name(), "snapshot")
		require.NotContains(w.t, d.Name(), oldRefillPrefix)
		return err
	}))
}

// Data that the old version writes after a rollback stays: without a stamp in the set,
// the directory is not put back once more.
func TestRestoreKeepsWhatWasWrittenSince(t *testing.T) {
	w := newWorld(t)
	w.newVersionRan()
	done, err := w.Restore(update)
	require.NoError(t, err)
	require.Equal(t, []string{"app/data", "web"}, done.Paths)
	w.write("app/data/db", "written since")
	done, err = w.Restore(update)
	require.NoError(t, err)
	require.Equal(t, Restored{Before: 2}, done)
	require.Equal(t, "written since", w.read("app/data/db"))
}

// After one directory that cannot be put back, Restore goes on with the others.
func TestRestoreGoesOnPastAFailure(t *testing.T) {
	w := newWorld(t)
	w.newVersionRan()
	w.exchange = func(from *disk.Dir, name string, to *disk.Dir, as string) error {
		if as == "data" {
			return unix.EBUSY
		}
		return from.Exchange(name, to, as)
	}
	done, err := w.Restore(update)
	require.ErrorIs(t, err, unix.EBUSY)
	require.ErrorContains(t, err, w.live("app/data"))
	require.Equal(t, []string{"web"}, done.Paths)
	require.Equal(t, "new", w.read("app/data/db"))
	w.exchange = (*disk.Dir).Exchange
	w.requireBack()
	_, err = w.Tidy("")
	require.NoError(t, err)
	requireNoTrace(w)
}

// A set that could not be put back completely is kept when the update's sets are
// removed.
func TestTidyKeepsWhatCouldNotBePutBack(t *testing.T) {
	w := newWorld(t)
	w.newVersionRan()
	w.exchange = func(*disk.Dir, string, *disk.Dir, string) error { return unix.EBUSY }
	_, err := w.Restore(update)
	require.ErrorIs(t, err, unix.EBUSY)
	for range 2 {
		_, err = w.Tidy("")
		require.NoError(t, err)
		text, err := os.ReadFile(filepath.Join(w.beside, Vault, Kept+update, "data/app/data/db"))
		require.NoError(t, err)
		require.Equal(t, "old", string(text))
		require.NoDirExists(t, w.set(update))
	}
}

func TestTidyKeepsTheOpenUpdatesSet(t *testing.T) {
	w := newWorld(t)
	w.take()
	_, err := w.Take(t.Context(), "old", []string{"web"})
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(w.set("cut")+disk.TempSuffix, 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(w.beside, Vault, disk.TrashPrefix+versions.SnapshotPrefix+"x-0/data"), 0o700))
	removed, err := w.Tidy(update)
	require.NoError(t, err)
	require.Len(t, removed, 3)
	there, err := w.Exists(update)
	require.NoError(t, err)
	require.True(t, there)
	removed, err = w.Tidy("")
	require.NoError(t, err)
	require.Len(t, removed, 1)
	requireNoTrace(w)
	removed, err = w.Tidy("")
	require.NoError(t, err)
	require.Empty(t, removed)
}

func TestMeasureRefusesWhatCannotBePutBack(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, os.Symlink("web", w.live("link")))
	_, err := w.Measure(t.Context(), []string{"link"})
	require.ErrorContains(t, err, "not a directory")
	e := disktest.NewExt4(t, 4<<20)
	require.NoError(t, os.Mkdir(w.live("mnt"), 0o755))
	require.NoError(t, unix.Mount(e.Dir, w.live("mnt"), "", unix.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(w.live("mnt"), unix.MNT_DETACH)) })
	_, err = w.Measure(t.Context(), []string{"mnt"})
	require.ErrorContains(t, err, "another file system")
	_, err = w.Measure(t.Context(), []string{"."})
	require.ErrorIs(t, err, disk.ErrMounted)
}
