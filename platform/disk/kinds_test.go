package disk_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/roottest"
)

// What this package promises holds on each kind of file system: what returned without
// error is there after a power cut, and what was not synced is lost, so that the test
// can fail.
func TestOnEachFileSystem(t *testing.T) {
	disktest.Each(t, func(t *testing.T, d *disktest.Disk) {
		in := func(name string) string { return filepath.Join(d.Dir, name) }
		both(file("old", "v1/a/f"), file("seal", "v1/seal"), file("old", "file"), link("v1", "current"))(t, d.Dir)
		readOnly(t, in("v1"))
		d.Settle(t)

		require.NoError(t, os.WriteFile(in("lost"), nil, 0o600))
		d.PowerCut(t)
		require.Equal(t, []string{"current", "file", "v1"}, besides(t, d.Dir))

		require.NoError(t, disk.MkdirAll(in("staging/a"), 0o755))
		file("new", "staging/a/f")(t, d.Dir)
		require.NoError(t, disk.SyncFS(t.Context(), in("staging")))
		require.NoError(t, disk.Publish(in("staging"), in("v2")))
		require.NoError(t, disk.SwapLink(in("current"), "v2"))
		require.NoError(t, disk.WriteFile(in("file"), []byte("new"), 0o600))
		d.PowerCut(t)
		requireContent(t, "new", in("current/a/f"))
		requireContent(t, "new", in("file"))

		require.NoError(t, disk.Discard(in("v1"), "seal", []byte("void")))
		require.NoFileExists(t, in("v1"))
		d.PowerCut(t)
		require.NoFileExists(t, in("v1"))
		file("again", "staging/f")(t, d.Dir)
		require.NoError(t, disk.SyncFS(t.Context(), in("staging")))
		require.NoError(t, disk.Publish(in("staging"), in("v1")))
		d.PowerCut(t)
		require.Equal(t, []string{"f"}, names(t, in("v1")), "nothing of the tree that had the name shows through")
	})
}

// besides is what is in a directory, besides what mkfs and the trash have there.
func besides(t *testing.T, dir string) (all []string) {
	t.Helper()
	for _, name := range names(t, dir) {
		if name != "lost+found" && name[0] != '.' {
			all = append(all, name)
		}
	}
	return all
}

func requireContent(t *testing.T, want, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(data))
}

// A half deleted tree that could not be renamed is deleted by the next call.
func TestDiscardOfATreeThatCannotBeRenamed(t *testing.T) {
	d := disktest.New(t, disktest.Overlay, filepath.Join(t.TempDir(), "mnt"), 0)
	in := func(name string) string { return filepath.Join(d.Dir, name) }
	both(file("old", "v1/a/f"), both(file("whole", "v1/seal"), file("old", "v1/z/f")))(t, d.Dir)
	readOnly(t, in("v1"))
	d.Settle(t)
	_, err := disk.Trash(in("v1"))
	require.ErrorIs(t, err, unix.EXDEV, "this test can fail")
	require.NoError(t, os.Chmod(in("v1"), 0o700))
	require.NoError(t, disk.WriteFile(in("v1/seal"), []byte("void"), 0o444))
	require.NoError(t, disk.RemoveTree(in("v1/a")))

	require.NoError(t, disk.Discard(in("v1"), "seal", []byte("void")))
	require.Empty(t, besides(t, d.Dir))
}

// stopAt mounts something at dir, until the function that it returns is called.
func stopAt(t *testing.T, dir string) (stop func()) {
	t.Helper()
	roottest.Need(t, "a mount")
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	file("somebody else's", "precious")(t, dir)
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return func() { require.NoError(t, unix.Unmount(dir, 0)) }
}

// What is mounted in a tree is not the tree's: nothing is deleted, there or beside it.
func TestATreeWithAMountIsNotDeleted(t *testing.T) {
	dir := dirWith(t, both(file("x", "v1/a/f"), file("x", "v1/mnt/f")))
	require.NoError(t, os.Symlink(dir, dir+"-link"))
	stop := stopAt(t, filepath.Join(dir, "v1/mnt"))
	for name, remove := range map[string]func() error{
		"discard":        func() error { return disk.Discard(filepath.Join(dir, "v1"), "f", nil) },
		"remove":         func() error { return disk.RemoveTree(filepath.Join(dir, "v1")) },
		"the mount":      func() error { return disk.RemoveTree(filepath.Join(dir, "v1/mnt")) },
		"through a link": func() error { return disk.RemoveTree(filepath.Join(dir+"-link", "v1")) },
	} {
		err := remove()
		require.ErrorIs(t, err, disk.ErrMounted, name)
		require.ErrorContains(t, err, filepath.Join(dir, "v1/mnt"), name)
		require.Equal(t, []string{"a", "mnt"}, names(t, filepath.Join(dir, "v1")), name)
		requireContent(t, "somebody else's", filepath.Join(dir, "v1/mnt/precious"))
	}
	stop()
	require.NoError(t, disk.Discard(filepath.Join(dir, "v1"), "f", nil))
	_, err := os.Lstat(filepath.Join(dir, "v1"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}
