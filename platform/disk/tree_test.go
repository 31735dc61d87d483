package disk_test

import (
	"context"
	"errors"
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

// readOnly takes the write bits from a tree, as Publish of a version does.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Type() == fs.ModeSymlink {
			return err
		}
		if e.IsDir() {
			return os.Chmod(path, 0o555)
		}
		return os.Chmod(path, 0o444)
	}))
}

func TestPublishTrashRemoveOfAReadOnlyTreeAsItsOwner(t *testing.T) {
	dir := dirWith(t, both(file("x", "staging/a/b/c"), file("y", "staging/d")))
	readOnly(t, filepath.Join(dir, "staging"))
	disktest.AsNobody(t, dir, func() {
		require.NoError(t, disk.Publish(filepath.Join(dir, "staging"), filepath.Join(dir, "v1")))
		require.Equal(t, []string{"v1"}, names(t, dir))
		trash, err := disk.Trash(filepath.Join(dir, "v1"))
		require.NoError(t, err)
		require.Equal(t, filepath.Join(dir, ".trash-v1-0"), trash)
		require.NoError(t, disk.RemoveTree(trash))
		require.Empty(t, names(t, dir))
	})
}

func TestPublishRefusesATakenName(t *testing.T) {
	dir := dirWith(t, both(file("new", "staging/f"), file("old", "v1/f")))
	err := disk.Publish(filepath.Join(dir, "staging"), filepath.Join(dir, "v1"))
	require.ErrorIs(t, err, fs.ErrExist)
	data, err := os.ReadFile(filepath.Join(dir, "v1/f"))
	require.NoError(t, err)
	require.Equal(t, "old", string(data))
}

func TestTrashFindsAFreeName(t *testing.T) {
	dir := dirWith(t, both(file("x", ".trash-v1-0/f"), link("x", ".trash-v1-1"), file("x", "v1/f")))
	trash, err := disk.Trash(filepath.Join(dir, "v1"))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, ".trash-v1-2"), trash)
	_, err = disk.Trash(filepath.Join(dir, "v1"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestRemoveTree(t *testing.T) {
	outside := dirWith(t, file("precious", "f"))
	for _, c := range []struct {
		name  string
		start func(*testing.T, string)
	}{
		{"nothing", nil},
		{"a file", file("x", "tree")},
		{"a link to a directory", link(outside, "tree")},
		{"links inside", both(file("x", "tree/f"), link(outside, "tree/out"), link("../..", "tree/up"))},
		{"names that are not text", file("x", "tree/\xff\xfe/\n")},
		{"directories nobody may enter", both(file("x", "tree/a/b/c"), func(t *testing.T, dir string) {
			require.NoError(t, os.Chmod(filepath.Join(dir, "tree/a/b"), 0))
			require.NoError(t, os.Chmod(filepath.Join(dir, "tree/a"), 0))
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := dirWith(t, c.start)
			disktest.AsNobody(t, dir, func() {
				require.NoError(t, disk.RemoveTree(filepath.Join(dir, "tree")))
			})
			require.Empty(t, names(t, dir))
			require.Equal(t, []string{"f"}, names(t, outside))
		})
	}
	require.NoError(t, disk.RemoveTree(filepath.Join(outside, "no/such/parent")))
}

func TestSyncTree(t *testing.T) {
	dir := dirWith(t, both(file("x", "a/b/c"), link("nowhere", "a/l"), file("y", "d")))
	require.NoError(t, disk.SyncTree(context.Background(), dir))
	require.NoError(t, disk.SyncFS(context.Background(), dir))
	require.NoError(t, disk.SyncDir(dir))

	why := errors.New("cancelled")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	require.ErrorIs(t, disk.SyncTree(ctx, dir), why)
	require.ErrorContains(t, disk.SyncDir(filepath.Join(dir, "gone")), "gone")
	require.ErrorContains(t, disk.SyncFS(context.Background(), filepath.Join(dir, "gone")), "gone")
}

// procfs has no fsync, like squashfs. That is an error on a file system that can be
// written to; on a read-only one there is nothing to do.
func TestSyncOfAReadOnlyFileSystem(t *testing.T) {
	roottest.Need(t, "a mount")
	dir := t.TempDir()
	require.NoError(t, unix.Mount("proc", dir, "proc", 0, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	tree := filepath.Join(dir, "tty") // some directories and files
	require.ErrorIs(t, disk.SyncDir(dir), unix.EINVAL)
	require.ErrorIs(t, disk.SyncFS(t.Context(), tree), unix.EINVAL)
	require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
	require.NoError(t, disk.SyncDir(dir))
	require.NoError(t, disk.SyncFS(t.Context(), tree))
}

func TestWalkGoesInOrderAndFollowsNothing(t *testing.T) {
	dir := dirWith(t, both(file("x", "b/2"), file("x", "b/1"), link("b", "a"), file("x", "c")))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	var before, after []string
	note := func(list *[]string) disk.Visit {
		return func(path string, _ fs.FileInfo) error { *list = append(*list, path); return nil }
	}
	require.NoError(t, disk.Walk(root, note(&before), note(&after)))
	require.Equal(t, []string{".", "a", "b", "b/1", "b/2", "c"}, before)
	require.Equal(t, []string{"b", "."}, after)
}
