package snapshot

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/roottest"
)

// outside is a directory of root's that no service may change, and a picture of it.
func outside(t *testing.T) (dir string, unchanged func()) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "etc")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data/sub"), 0o755))
	for _, f := range []string{"shadow", "data/db", "data/sub/log"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, f), []byte("root's "+f), 0o600))
	}
	picture := func() (lines []string) {
		require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			require.NoError(t, err)
			var st unix.Stat_t
			require.NoError(t, unix.Lstat(path, &st))
			text, _ := os.ReadFile(path)
			lines = append(lines, path, e.Type().String(), string(text), time.Unix(st.Mtim.Unix()).String(), time.Unix(st.Ctim.Unix()).String())
			return nil
		}))
		return lines
	}
	before := picture()
	return dir, func() { t.Helper(); require.Equal(t, before, picture()) }
}

// A service that owns the shared directory puts a link in the way after the snapshot: the
// data is not put back into what it leads to.
func TestNothingIsPutBackThroughALink(t *testing.T) {
	for name, removed := range map[string]bool{"in place of a parent": false, "in place of a parent, with what it had": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			etc, unchanged := outside(t)
			w.newVersionRan()
			if removed {
				require.NoError(t, os.RemoveAll(filepath.Join(etc, "data")))
				etc, unchanged = outside(t)
			}
			require.NoError(t, os.RemoveAll(w.live("app")))
			require.NoError(t, os.Symlink(etc, w.live("app")))
			done, err := w.Restore(update)
			require.ErrorIs(t, err, disk.ErrNotDirectory)
			require.ErrorContains(t, err, w.live("app")+": not a directory: the updater follows no link below the shared directory")
			require.Equal(t, []string{"web"}, done.Paths, "the others' data is put back")
			unchanged()
			_, err = w.Tidy("")
			require.NoError(t, err)
			require.DirExists(t, filepath.Join(w.beside, Vault, Kept+update), "and this is kept")
			unchanged()

			require.NoError(t, os.MkdirAll(filepath.Join(etc, "data"), 0o755))
			_, unchanged = outside(t)
			_, err = w.Measure(t.Context(), []string{"app/data"})
			require.ErrorIs(t, err, disk.ErrNotDirectory)
			_, err = w.Take(t.Context(), "another", []string{"app/data"})
			require.ErrorIs(t, err, disk.ErrNotDirectory)
			unchanged()
		})
	}
}

// Whatever a service gives the names of the updater's marks, its data is kept and put back.
func TestAServiceMakesMarksOfItsOwn(t *testing.T) {
	for name, make := range map[string]func(w *world, path string){
		"a file":      func(w *world, path string) { w.write(path, "mine") },
		"a directory": func(w *world, path string) { w.write(path+"/f", "mine") },
		"a link":      func(w *world, path string) { require.NoError(w.t, os.Symlink("/etc/passwd", w.live(path))) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, mark := range []string{stampPrefix + update, oldRefillPrefix + update, indexName} {
				make(w, "app/data/"+mark)
				make(w, mark)
			}
			for _, set := range []string{setName(update), setName(update) + disk.TempSuffix, Kept + update} {
				make(w, set)
			}
			w.newVersionRan()
			w.requireBack()
			_, err := w.Tidy("")
			require.NoError(t, err)
			require.Equal(t, "old", w.read("app/data/db"))
			_, err = os.Lstat(w.live("app/data/" + stampPrefix + update))
			require.NoError(t, err, "what is the service's stays")
		})
	}
}

// A set in the shared directory that the service has made itself is none.
func TestASetThatTheServiceMade(t *testing.T) {
	roottest.Need(t, "files of other users")
	w := newWorld(t)
	forged := setName(update)
	w.write(forged+"/"+indexName, `{"schema":1,"update":"`+update+`","paths":["web"]}`)
	w.write(forged+"/data/web/"+stampPrefix+update, "")
	disktest.AsNobody(t, w.live(forged), func() {})
	there, err := w.Exists(update)
	require.NoError(t, err)
	require.False(t, there)
	done, err := w.Restore(update)
	require.NoError(t, err)
	require.Empty(t, done.Paths)
	require.Equal(t, "old page", w.read("web/page"))
	_, err = w.Tidy("")
	require.NoError(t, err)
	requireNoTrace(w)
}

// A vault that others may write to is refused, and named.
func TestAVaultOfOthers(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, os.Mkdir(filepath.Join(w.beside, Vault), 0o700))
	require.NoError(t, os.Chmod(filepath.Join(w.beside, Vault), 0o777))
	_, err := w.Take(t.Context(), update, []string{"web"})
	require.ErrorContains(t, err, "can be changed by others than root: remove it")
}

// A service's user swaps directories for links to a directory of root's, all the time, while
// snapshots are taken, put back and removed. Nothing outside the shared directory changes,
// and nothing of it gets into it.
func TestRaceWithASwapper(t *testing.T) {
	roottest.Need(t, "another user")
	refilled := func(*disk.Dir, string, *disk.Dir, string) error { return unix.EINVAL }
	for name, c := range map[string]struct {
		how func(*disk.Dir, string, *disk.Dir, string) error
		// elsewhere has sets made in the shared directory; copied has them put back by copying.
		elsewhere func(t *testing.T, w *world)
		copied    bool
	}{
		"exchange":                               {how: (*disk.Dir).Exchange},
		"refill":                                 {how: refilled},
		"exchange, sets in what the service has": {how: (*disk.Dir).Exchange, elsewhere: func(t *testing.T, w *world) { bound(t, w.dir) }},
		"refill, sets in what the service has":   {how: refilled, elsewhere: func(t *testing.T, w *world) { bound(t, w.dir) }},
		"copied":                                 {how: (*disk.Dir).Exchange, copied: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			etc, unchanged := outside(t)
			w := worldAt(t, dir)
			w.exchange = c.how
			if c.elsewhere != nil {
				c.elsewhere(t, w)
			}
			disktest.AsNobody(t, w.dir, func() {}) // the service owns all of it
			for _, d := range []string{dir, filepath.Dir(dir)} {
				require.NoError(t, os.Chmod(d, 0o755))
			}
			stop, rounds := swapper(t, etc, w.live("app"), w.live("app/data"), w.live("app/data/sub"), w.live("web"))
			taken, back, failed := 0, 0, 0
			for (back < 20 || rounds() < 2000) && t.Context().Err() == nil {
				_, err := w.Take(t.Context(), update, []string{"web", "app/data"})
				if err != nil {
					failed++
				} else {
					taken++
				}
				if c.copied {
					require.NoError(t, unix.Mount(w.dir, w.dir, "", unix.MS_BIND, ""))
				}
				done, _ := w.Restore(update)
				back += len(done.Paths)
				if c.copied {
					require.NoError(t, unix.Unmount(w.dir, unix.MNT_DETACH))
				}
				_, _ = w.Tidy("")
				require.NoError(t, os.RemoveAll(filepath.Join(w.beside, Vault))) // those that were kept
				unchanged()
			}
			stop()
			t.Logf("%d snapshots taken, %d refused, %d directories put back, %d swaps", taken, failed, back, rounds())
			unchanged()
			require.Positive(t, failed, "the swapper came in between")
			require.NoError(t, filepath.WalkDir(w.dir, func(path string, e os.DirEntry, err error) error {
				require.NoError(t, err)
				require.NotEqual(t, "shadow", e.Name(), path)
				return nil
			}))
		})
	}
}

// swapper swaps each of these directories, over and over, for a link to another and back,
// as a user who is not root.
func swapper(t *testing.T, to string, dirs ...string) (stop func(), rounds func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	var mu sync.Mutex
	n := 0
	done.Go(func() {
		// Never unlocked: the thread ends with the goroutine, and its identity with it.
		runtime.LockOSThread()
		_ = unix.Setfsgid(disktest.Nobody)
		_ = unix.Setfsuid(disktest.Nobody)
		for ctx.Err() == nil {
			for _, dir := range dirs {
				aside, lead := dir+".aside", dir+".link"
				_ = os.Symlink(to, lead)
				_ = unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, lead, unix.RENAME_EXCHANGE)
				_ = os.Rename(lead, aside)
				_ = os.Symlink(to, lead)
				_ = unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, aside, unix.RENAME_EXCHANGE)
				_, _ = os.Remove(aside), os.Remove(lead)
				if _, err := os.Lstat(dir); err != nil {
					_ = os.Mkdir(dir, 0o755)
				}
				mu.Lock()
				n++
				mu.Unlock()
			}
		}
	})
	stop = func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return stop, func() int { mu.Lock(); defer mu.Unlock(); return n }
}
