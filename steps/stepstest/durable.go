package stepstest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/steps"
)

// worldSize is the size of the disk that a world is put on.
const worldSize = 64 << 20

// foundDone proves that the work that Probe finds Done is on the disk: a process did
// it, and was killed before it had synced the names. Then the power goes.
func (c Case) foundDone(t *testing.T) {
	if c.Stateless {
		return // nothing to find
	}
	roottest.Need(t, "a file system whose power is cut")
	for name, probes := range map[string]bool{"with Probe": true, "without Probe": false} {
		t.Run(name, func(t *testing.T) {
			ext4 := disktest.NewExt4(t, worldSize)
			kept := t.TempDir()
			t.Setenv("GOTMPDIR", ext4.Dir) // the world's directories are made there
			t.Run("", func(t *testing.T) { c.cutOff(t, ext4, kept, probes) })
		})
	}
}

func (c Case) cutOff(t *testing.T, ext4 *disktest.Disk, kept string, probes bool) {
	w := c.New(t)
	untouched, finished := filepath.Join(kept, "untouched"), filepath.Join(kept, "finished")
	copyTree(t, ext4.Dir, untouched)
	do(t, w)
	copyTree(t, ext4.Dir, finished)
	want := w.Picture()
	become(t, ext4.Dir, untouched)
	require.NoError(t, disk.SyncFS(t.Context(), ext4.Dir))
	if !become(t, ext4.Dir, finished) {
		return // the step leaves nothing on the disk
	}
	if probes {
		require.Equal(t, steps.Done, probe(t, w))
	}
	ext4.PowerCut(t)
	if probes {
		require.Equal(t, want, w.Picture(), "Probe found it done, and it was not on the disk")
		return
	}
	require.NotEqual(t, Tree(t, finished), moved(Tree(t, ext4.Dir), ext4.Dir, finished), "without Probe it is lost: this test can fail")
}

func moved(tree map[string]string, from, to string) map[string]string {
	out := map[string]string{}
	for path, line := range tree {
		rel, err := filepath.Rel(from, path)
		if err == nil {
			out[filepath.Join(to, rel)] = line
		}
	}
	return out
}

// copyTree copies a tree with its modes.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, os.Mkdir(to, 0o755))
	become(t, to, from)
}

// become makes the tree at dir like the other, and reports whether anything had to be
// changed. The contents of new files are durable, as every step makes them before
// it names them. The names are not.
func become(t *testing.T, dir, like string) (changed bool) {
	t.Helper()
	pool, err := os.MkdirTemp(dir, ".pool")
	require.NoError(t, err)
	have, want := Tree(t, dir), moved(Tree(t, like), like, dir)
	var paths []string
	for path, line := range want {
		if have[path] != line {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	contents := map[string]string{}
	for i, path := range paths {
		from := filepath.Join(like, path[len(dir):])
		if info, err := os.Lstat(from); err == nil && info.Mode().IsRegular() {
			data, err := os.ReadFile(from)
			require.NoError(t, err)
			contents[path] = filepath.Join(pool, strconv.Itoa(i))
			require.NoError(t, disk.WriteFile(contents[path], data, info.Mode().Perm()))
		}
	}
	require.NoError(t, disk.SyncFS(t.Context(), dir))
	for path := range have {
		if _, stays := want[path]; !stays && path != pool && filepath.Dir(path) != pool {
			changed = true
			require.NoError(t, os.RemoveAll(path))
		}
	}
	for _, path := range paths {
		changed = true
		place(t, path, filepath.Join(like, path[len(dir):]), contents[path])
	}
	require.NoError(t, os.RemoveAll(pool))
	return changed
}

// place makes one path like the other. A file takes the name of its content.
func place(t *testing.T, path, like, content string) {
	t.Helper()
	info, err := os.Lstat(like)
	require.NoError(t, err)
	if !info.IsDir() {
		require.NoError(t, os.RemoveAll(path))
	}
	switch {
	case content != "":
		require.NoError(t, os.Rename(content, path))
	case info.IsDir():
		if err := os.Mkdir(path, 0o755); err != nil {
			require.ErrorIs(t, err, fs.ErrExist)
		}
		require.NoError(t, os.Chmod(path, info.Mode().Perm()))
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(like)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(target, path))
	default:
		require.NoError(t, unix.Mkfifo(path, 0o600))
	}
}
