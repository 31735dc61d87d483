package disk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/roottest"
)

// A walk holds no more names than fit into the daemon's memory; a tree that is wider can be
// removed all the same.
func TestWideTree(t *testing.T) {
	roottest.Need(t, "a mount")
	dir := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "nr_inodes=100k"))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	long := strings.Repeat("x", 240)
	for n := range 40_000 {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "tree", fmt.Sprint(long, n)), 0o755))
	}
	d := opened(t, dir)
	require.ErrorIs(t, d.Walk(disk.Tour{}), disk.ErrTooWide)
	require.NoError(t, d.RemoveTree("tree"))
	require.Empty(t, names(t, dir))
}
