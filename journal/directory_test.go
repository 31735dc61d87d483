package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
)

// TestADirectoryInItsPlace: a directory is put aside like any other damage,
// with all that is in it.
func TestADirectoryInItsPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	for range 4 { // three are kept
		require.NoError(t, os.RemoveAll(path))
		require.NoError(t, os.Mkdir(path, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(path, "something"), []byte("of somebody's"), 0o644))

		_, err := journal.OpenReader(path, journal.Options{})
		require.ErrorIs(t, err, journal.ErrDamaged)
		require.ErrorContains(t, err, "directory")
		opt := options()
		opt.Create = false
		_, err = journal.Open(path, opt)
		require.ErrorIs(t, err, journal.ErrDamaged)
		require.DirExists(t, path)

		j := open(t, path, options())
		fresh, found := j.Fresh()
		require.True(t, fresh)
		require.Equal(t, journal.DamagedHeader, found.Kind)
		require.FileExists(t, filepath.Join(found.Kept, "something"))
		requireWhole(t, j)
		require.NoError(t, j.Close())
	}
	kept, err := filepath.Glob(path + ".damaged-*")
	require.NoError(t, err)
	require.Len(t, kept, 3)
}
