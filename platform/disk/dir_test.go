package disk_test

import (
	"errors"
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
)

func opened(t *testing.T, path string) *disk.Dir {
	t.Helper()
	d, err := disk.OpenDir(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close() }) // a descent may have closed it
	return d
}

// No name leads out of a directory: not a link, not "..", not an absolute path.
func TestDirFollowsNothing(t *testing.T) {
	outside := dirWith(t, file("precious", "f"))
	dir := dirWith(t, both(file("x", "a/b/c"), link(outside, "out"), link("a", "in"), link(outside+"/f", "leaf")))
	d := opened(t, dir)
	for _, path := range []string{"out", "in", "in/b", "a/b/c", "leaf"} {
		_, err := d.Descend(path)
		require.ErrorIs(t, err, disk.ErrNotDirectory, path)
		_, err = d.MakeAll(path+"/more", 0o755)
		require.ErrorIs(t, err, disk.ErrNotDirectory, path)
	}
	for _, path := range []string{"..", "a/../..", "/etc", "a//b", "a/./b"} {
		_, err := d.Descend(path)
		require.ErrorIs(t, err, unix.EINVAL, path)
	}
	_, err := d.Descend("a/missing")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = d.OpenFile("leaf", os.O_RDWR, 0)
	require.ErrorIs(t, err, unix.ELOOP)
	_, err = d.OpenFile("leaf", os.O_WRONLY|os.O_CREATE, 0o600)
	require.ErrorIs(t, err, unix.ELOOP)
	require.NoError(t, d.WriteFile("leaf", []byte("new"), 0o600), "the link is replaced")
	require.NoError(t, d.RemoveTree("out"))
	b, err := d.MakeAll("a/b/new/er", 0o750)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "a/b/new/er"), b.Path())
	require.NoError(t, b.Close())
	require.Equal(t, []string{"f"}, names(t, outside))
	text, err := os.ReadFile(filepath.Join(outside, "f"))
	require.NoError(t, err)
	require.Equal(t, "precious", string(text))
}

// A pipe that has the name of a file does not hold up whoever opens it.
func TestDirDoesNotWaitForAPipe(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "f"), 0o600))
	f, err := opened(t, dir).OpenFile("f", os.O_RDONLY, 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// far is deeper than a descent keeps directories open.
const far = 100

func deep(t *testing.T, dir string) *disk.Descent {
	t.Helper()
	d, err := disk.OpenDir(dir)
	require.NoError(t, err)
	way, err := disk.Begin(d)
	require.NoError(t, err)
	for n := range far {
		require.NoError(t, way.At().Mkdir("d"+strconv.Itoa(n), 0o755))
		require.NoError(t, way.Down("d"+strconv.Itoa(n)))
	}
	return way
}

// A descent comes back the way that it went, and notices when it cannot.
func TestDescent(t *testing.T) {
	dir := t.TempDir()
	way := deep(t, dir)
	for n := far - 1; n >= 0; n-- {
		require.Equal(t, n+1, way.Depth())
		require.NoError(t, way.Up())
		_, err := way.At().Lstat("d" + strconv.Itoa(n))
		require.NoError(t, err)
	}
	require.NoError(t, way.Close())
	require.NoError(t, disk.RemoveTree(filepath.Join(dir, "d0")))

	way = deep(t, dir)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "elsewhere"), 0o755))
	require.NoError(t, os.Rename(filepath.Join(dir, "d0/d1/d2"), filepath.Join(dir, "elsewhere/d2")))
	var err error
	for err == nil && way.Depth() > 0 {
		err = way.Up()
	}
	require.ErrorContains(t, err, "was moved while it was read")
	require.Equal(t, 3, way.Depth(), "it never left what it had come through")
	require.NoError(t, way.Close())
}

// A walk visits all there is, goes past what it is told to, and ends with the first error.
func TestWalkOfADir(t *testing.T) {
	dir := dirWith(t, both(file("x", "b/2"), file("x", "b/1"), link("b", "a"), file("x", "skip/f"), file("x", "c/d/e")))
	for n := range 2000 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "c", "f"+strconv.Itoa(n)), nil, 0o600))
	}
	var seen []string
	entered, left := []string{}, []string{}
	err := opened(t, dir).Walk(disk.Tour{
		Entry: func(_ *disk.Dir, name string, _ *unix.Stat_t) error {
			seen = append(seen, name)
			if name == "skip" {
				return fs.SkipDir
			}
			return nil
		},
		Enter: func(_ *disk.Dir, name string, _ *unix.Stat_t) error { entered = append(entered, name); return nil },
		Left:  func(_ *disk.Dir, name string) error { left = append(left, name); return nil },
	})
	require.NoError(t, err)
	require.Len(t, seen, 2000+8)
	require.False(t, slices.Contains(seen, "f"))
	slices.Sort(seen)
	require.Equal(t, len(seen), len(slices.Compact(seen)), "each once")
	require.ElementsMatch(t, []string{"", "b", "c", "d"}, entered)
	require.ElementsMatch(t, []string{"b", "c", "d"}, left)

	why := errors.New("enough")
	require.ErrorIs(t, opened(t, dir).Walk(disk.Tour{Entry: func(*disk.Dir, string, *unix.Stat_t) error { return why }}), why)
}

// Two directories of one file system under different mounts are told apart.
func TestSameMount(t *testing.T) {
	roottest.Need(t, "a mount")
	dir := dirWith(t, both(file("x", "a/f"), file("x", "b/f")))
	require.True(t, opened(t, dir).SameMount(opened(t, filepath.Join(dir, "a"))))
	b := filepath.Join(dir, "b")
	require.NoError(t, unix.Mount(b, b, "", unix.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(b, unix.MNT_DETACH)) })
	require.False(t, opened(t, dir).SameMount(opened(t, b)))
	require.ErrorIs(t, opened(t, filepath.Join(dir, "a")).Rename("f", opened(t, b), "g"), unix.EXDEV)
	require.False(t, opened(t, dir).SameMount(opened(t, disktest.NewExt4(t, 4<<20).Dir)))
}
