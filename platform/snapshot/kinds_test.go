package snapshot

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
)

// On every kind of file system, a set that Take has returned, and data that Restore has
// put back, survive a power cut.
func TestOnEachFileSystem(t *testing.T) {
	disktest.Each(t, func(t *testing.T, d *disktest.Disk) {
		w := worldAt(t, d.Dir)
		require.NoError(t, unix.Chmod(w.live("app/data"), 0o2750))
		d.Settle(t)
		w.newVersionRan()
		d.PowerCut(t)
		w.requireBack()
		d.PowerCut(t)
		w.requireBack()
		info, err := os.Stat(w.live("app/data"))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o750)|os.ModeSetgid, info.Mode()&^os.ModeDir)
		_, err = w.Tidy("")
		require.NoError(t, err)
		d.PowerCut(t)
		_, err = w.Tidy("") // what the cut brought back of the trash
		require.NoError(t, err)
		requireNoTrace(w)
		require.Equal(t, "old", w.read("app/data/db"))
	})
}

// ext4 cannot clone files: a snapshot needs as much room as the data. ext4 can
// exchange directories, so Restore does that.
func TestOnExt4(t *testing.T) {
	e := disktest.NewExt4(t, 16<<20)
	require.False(t, CanClone(e.Dir))
	w := worldAt(t, e.Dir)
	w.write("web/big", string(make([]byte, 2<<20)))
	size, err := w.Measure(t.Context(), []string{"web", "app/data"})
	require.NoError(t, err)
	require.GreaterOrEqual(t, size.Bytes, uint64(2<<20))
	require.NoError(t, w.Fits(size))
	release := e.Fill(t, 1<<20)
	err = w.Fits(size)
	require.ErrorIs(t, err, disk.ErrNoSpace)
	_, err = w.Take(t.Context(), update, size.Paths)
	require.True(t, disk.OutOfSpace(err), "%v", err)
	there, err := w.Exists(update)
	require.NoError(t, err)
	require.False(t, there, "half a snapshot is none")
	release()
	w.newVersionRan()
	w.requireBack()
}
