package disk_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/roottest"
)

// A write that the disk did not take is an error of SyncFS: on an overlay, too, whose
// syncfs does not tell of it.
func TestSyncFSTellsOfAWriteThatWasLost(t *testing.T) {
	roottest.Need(t, "a disk that fails")
	for _, kind := range disktest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			small := t.TempDir()
			require.NoError(t, unix.Mount("tmpfs", small, "tmpfs", 0, "size=160m"))
			t.Cleanup(func() { require.NoError(t, unix.Unmount(small, unix.MNT_DETACH)) })
			t.Setenv("GOTMPDIR", small)
			t.Run("", func(t *testing.T) {
				d := disktest.New(t, kind, filepath.Join(t.TempDir(), "mnt"), 0)
				dir := filepath.Join(d.Dir, "staging")
				require.NoError(t, os.Mkdir(dir, 0o755))
				path := filepath.Join(dir, "f")
				require.NoError(t, disk.WriteFile(path, []byte(strings.Repeat("the content of f", 256)), 0o644))
				d.Lose(t, "the content of f")
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				require.NoError(t, err)
				_, err = f.WriteString("another content!")
				require.NoError(t, err)
				require.NoError(t, f.Close())
				require.Error(t, disk.SyncFS(t.Context(), dir))
			})
		})
	}
}
