package extract_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/bundletest"
	"github.com/tope/updater/steps/extract"
	"github.com/tope/updater/steps/stepstest"
)

// writes makes a world whose version has one writable directory.
func writes(t *testing.T) (w *world, shared string) {
	t.Helper()
	w = newWorld(t, bundletest.Package("1.2.0"))
	shared = w.dev.Path("/opt/tope/shared")
	w.cfg.Shared = shared
	w.cfg.Writable = map[string]string{"services/web-server/log": filepath.Join(shared, "services/web-server/log")}
	return w, shared
}

func ownerOf(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// A new shared directory belongs to the service that it is for; its parents are root's.
func TestASharedDirectoryGetsItsOwner(t *testing.T) {
	roottest.Need(t, "giving directories away")
	for name, c := range map[string]struct {
		before func(dir string)
		owner  int
	}{
		"new":                   {func(string) {}, disktest.Nobody},
		"cut before it was his": {func(dir string) { require.NoError(t, os.MkdirAll(dir, 0o755)) }, disktest.Nobody},
		"has files of root's": {func(dir string) {
			require.NoError(t, os.MkdirAll(dir, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o600))
		}, 0},
		"is somebody's": {func(dir string) {
			require.NoError(t, os.MkdirAll(dir, 0o755))
			require.NoError(t, os.Chown(dir, 1, 1))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w, shared := writes(t)
			dir := filepath.Join(shared, "services/web-server/log")
			c.before(dir)
			w.cfg.Owner = func(tree, dir string) (int, int, bool) {
				require.DirExists(t, filepath.Join(tree, "services/web-server"), "the version is there to look at")
				require.Equal(t, "services/web-server/log", dir)
				return disktest.Nobody, disktest.Nobody, true
			}
			w.do()
			require.Equal(t, c.owner, ownerOf(t, dir))
			require.Equal(t, 0, ownerOf(t, filepath.Dir(dir)))
			require.Equal(t, 0, ownerOf(t, shared))
		})
	}
}

// Where a service can put a link, none is followed: nothing is made elsewhere.
func TestASharedDirectoryBehindALink(t *testing.T) {
	roottest.Need(t, "links of other users")
	w, shared := writes(t)
	etc := filepath.Join(t.TempDir(), "etc")
	require.NoError(t, os.MkdirAll(etc, 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(shared, "services"), 0o755))
	require.NoError(t, os.Symlink(etc, filepath.Join(shared, "services/web-server")))
	require.NoError(t, os.Lchown(filepath.Join(shared, "services/web-server"), disktest.Nobody, disktest.Nobody))
	text := stepstest.Fails(t, extract.New(w.cfg), w.task, steps.Local, steps.Internal)
	require.Contains(t, text, filepath.Join(shared, "services/web-server")+": not a directory, and others than root can change it")
	entries, err := os.ReadDir(etc)
	require.NoError(t, err)
	require.Empty(t, entries)

	// An operator's own link leads to where he has the data.
	require.NoError(t, os.Lchown(filepath.Join(shared, "services/web-server"), 0, 0))
	w.do()
	require.DirExists(t, filepath.Join(etc, "log"))
	require.NoError(t, os.WriteFile(w.in("services/web-server/log/today"), nil, 0o600))
	require.FileExists(t, filepath.Join(etc, "log/today"))
}

// The last part of an operator's link may be another's to change: root gives away nothing
// that he leads it to, and makes nothing there.
func TestTheOwnerOfAVictim(t *testing.T) {
	roottest.Need(t, "links of other users")
	for name, c := range map[string]struct {
		link, to string // link in the shared directory leads to the user's own link
	}{
		"the directory itself": {"services/web-server/log", "victim"},
		"its parent":           {"services/web-server", "."},
	} {
		t.Run(name, func(t *testing.T) {
			w, shared := writes(t)
			w.cfg.Owner = func(string, string) (int, int, bool) { return disktest.Nobody, disktest.Nobody, true }
			etc := t.TempDir()
			victim := filepath.Join(etc, "victim")
			require.NoError(t, os.Mkdir(victim, 0o755))
			his := t.TempDir()
			require.NoError(t, os.Chown(his, disktest.Nobody, disktest.Nobody))
			require.NoError(t, os.Symlink(filepath.Join(etc, c.to), filepath.Join(his, "data")))
			require.NoError(t, os.MkdirAll(filepath.Join(shared, filepath.Dir(c.link)), 0o755))
			require.NoError(t, os.Symlink(filepath.Join(his, "data"), filepath.Join(shared, c.link)))
			if c.to == "." {
				text := stepstest.Fails(t, extract.New(w.cfg), w.task, steps.Local, steps.Internal)
				require.Contains(t, text, "make it yourself")
				require.NoDirExists(t, filepath.Join(etc, "log"))
				require.NoError(t, os.Mkdir(filepath.Join(etc, "log"), 0o755))
				victim = filepath.Join(etc, "log")
			}
			w.do()
			require.Equal(t, 0, ownerOf(t, victim), "owner of victim")
		})
	}
}

// A way that is root's alone may be followed: the service gets its directory there.
func TestASharedDirectoryBehindRootsLink(t *testing.T) {
	roottest.Need(t, "giving directories away")
	w, shared := writes(t)
	w.cfg.Owner = func(string, string) (int, int, bool) { return disktest.Nobody, disktest.Nobody, true }
	data := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(shared, "services"), 0o755))
	require.NoError(t, os.Symlink(data, filepath.Join(shared, "services/web-server")))
	w.do()
	require.Equal(t, disktest.Nobody, ownerOf(t, filepath.Join(data, "log")))
}
