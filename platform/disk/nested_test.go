package disk_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/roottest"
)

// bound mounts one directory over another, until the test calls loose or ends.
func bound(t *testing.T, from, at string) (loose func()) {
	t.Helper()
	roottest.Need(t, "a mount")
	require.NoError(t, unix.Mount(from, at, "", unix.MS_BIND, ""))
	mounted := true
	loose = func() {
		if mounted {
			mounted = false
			require.NoError(t, unix.Unmount(at, unix.MNT_DETACH))
		}
	}
	t.Cleanup(loose)
	return loose
}

// What is mounted in a tree, or at it, is never emptied: not even where stat(2) tells the
// same device of both, as for a directory of the same file system.
func TestWhatIsMountedInATreeIsNeverEmptied(t *testing.T) {
	remove := func(d *disk.Dir) error { return d.RemoveTree("tree") }
	empty := func(d *disk.Dir) error {
		tree, err := d.Open("tree")
		if err != nil {
			return err
		}
		defer tree.Close()
		return tree.Empty("")
	}
	for name, c := range map[string]struct {
		at string
		do func(*disk.Dir) error
	}{
		"at the top":              {"tree", remove},
		"in it":                   {"tree/a", remove},
		"deep in it":              {"tree/a/b", remove},
		"in one that is emptied":  {"tree/a", empty},
		"deep in an emptied one":  {"tree/a/b", empty},
		"beside others of a tree": {"tree/z", remove},
	} {
		t.Run(name, func(t *testing.T) {
			dir := dirWith(t, both(both(file("x", "tree/a/b/c"), file("x", "tree/z/f")), file("precious", "other/sub/f")))
			loose := bound(t, filepath.Join(dir, "other"), filepath.Join(dir, c.at))
			d := opened(t, dir)
			err := c.do(d)
			require.ErrorIs(t, err, disk.ErrMounted)
			require.ErrorContains(t, err, filepath.Join(dir, c.at))
			text, err := os.ReadFile(filepath.Join(dir, "other/sub/f"))
			require.NoError(t, err)
			require.Equal(t, "precious", string(text))
			loose()
			require.NoError(t, c.do(d), "it goes on where it was")
			require.FileExists(t, filepath.Join(dir, "other/sub/f"))
		})
	}
}
