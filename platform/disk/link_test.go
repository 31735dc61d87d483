package disk_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
)

// dirWith makes a directory that holds what build puts there.
func dirWith(t *testing.T, build func(t *testing.T, dir string)) string {
	t.Helper()
	dir := t.TempDir()
	if build != nil {
		build(t, dir)
	}
	return dir
}

func link(target, name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
	}
}

func file(content, name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
}

func both(parts ...func(*testing.T, string)) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		for _, p := range parts {
			p(t, dir)
		}
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestSwapLinkFromAnyStart(t *testing.T) {
	for _, c := range []struct {
		name  string
		start func(*testing.T, string)
	}{
		{"nothing there", nil},
		{"right already", link("v2", "current")},
		{"another target", link("v1", "current")},
		{"a dangling link", link("nowhere", "current")},
		{"a link to a directory, which must not be entered", both(file("x", "v1/f"), link("v1", "current"))},
		{"a stale temporary link", both(link("v1", "current"), link("v9", ".current.tmp"))},
		{"a stale temporary file", both(link("v1", "current"), file("x", ".current.tmp"))},
		{"a stale temporary tree", both(link("v1", "current"), file("x", ".current.tmp/a/b"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := dirWith(t, c.start)
			path := filepath.Join(dir, "current")
			for range 2 { // again changes nothing
				require.NoError(t, disk.SwapLink(path, "v2"))
				got, err := os.Readlink(path)
				require.NoError(t, err)
				require.Equal(t, "v2", got)
				require.NotContains(t, names(t, dir), ".current.tmp")
			}
		})
	}
}

func TestWhatIsNoLinkIsLeftAlone(t *testing.T) {
	for _, c := range []struct {
		name  string
		start func(*testing.T, string)
	}{
		{"a file", file("precious", "current")},
		{"an empty directory", func(t *testing.T, dir string) {
			require.NoError(t, os.Mkdir(filepath.Join(dir, "current"), 0o755))
		}},
		{"a directory", file("precious", "current/f")},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := dirWith(t, c.start)
			path := filepath.Join(dir, "current")
			before, err := os.Lstat(path)
			require.NoError(t, err)
			require.ErrorIs(t, disk.SwapLink(path, "v2"), disk.ErrNotLink)
			require.ErrorIs(t, disk.RemoveLink(path), disk.ErrNotLink)
			after, err := os.Lstat(path)
			require.NoError(t, err)
			require.True(t, os.SameFile(before, after))
			require.Equal(t, []string{"current"}, names(t, dir))
		})
	}
}

func TestRemoveLink(t *testing.T) {
	dir := dirWith(t, both(file("x", "v1/f"), link("v1", "current")))
	for range 2 {
		require.NoError(t, disk.RemoveLink(filepath.Join(dir, "current")))
		require.Equal(t, []string{"v1"}, names(t, dir), "the link goes, what it led to stays")
	}
	require.Error(t, disk.RemoveLink(filepath.Join(dir, "gone/current")), "its directory cannot be synced")
}

// A reader looks at the pointer as fast as it can while it is swapped: it must
// never find it missing, nor with a target that was not asked for.
func TestAPointerIsNeverSeenMissing(t *testing.T) {
	dir := dirWith(t, link("v0", "current"))
	path := filepath.Join(dir, "current")
	stop, seen := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(seen)
		for {
			target, err := os.Readlink(path)
			if err == nil && target != "v0" && target != "v1" {
				err = &os.PathError{Op: "unexpected target " + target, Path: path, Err: os.ErrInvalid}
			}
			if err != nil {
				seen <- err
				return
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	for i := range 200 {
		require.NoError(t, disk.PlaceLink(path, []string{"v1", "v0"}[i%2]))
	}
	close(stop)
	require.NoError(t, <-seen)
}

// Whether a link could be made is tried without leaving anything.
func TestProbeLink(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "api")
	require.NoError(t, os.Symlink("old", disk.TempName(path)), "as a cut leaves it")
	require.NoError(t, disk.ProbeLink(path, "new"))
	require.NoError(t, disk.ProbeLink(filepath.Join(dir, "a/b/api"), "new"), "directories would be made")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	require.ErrorIs(t, disk.ProbeLink("/proc/self/api", "new"), fs.ErrNotExist, "/proc takes no new names")
	sealed := disktest.TempDir(t)
	require.NoError(t, os.Chmod(sealed, 0o555))
	disktest.AsNobody(t, sealed, func() {
		require.ErrorIs(t, disk.ProbeLink(filepath.Join(sealed, "api"), "new"), fs.ErrPermission)
		require.ErrorIs(t, disk.ProbeLink(filepath.Join(sealed, "a/api"), "new"), fs.ErrPermission)
	})
}
