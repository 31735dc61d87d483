package disk_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
)

func TestPreflight(t *testing.T) {
	small := disktest.NewExt4(t, 4<<20)
	have, err := disk.Available(small.Dir)
	require.NoError(t, err)
	require.Less(t, have.Bytes, uint64(4<<20))
	require.NoError(t, disk.Preflight(small.Dir, have.Bytes, have.Inodes))
	for _, c := range []struct {
		name          string
		bytes, inodes uint64
		says, not     string
	}{
		{"bytes", have.Bytes + 1, 1, "bytes needed", "inodes needed"},
		{"inodes", 1, have.Inodes + 1, "inodes needed", "bytes needed"},
		{"both", have.Bytes + 1, have.Inodes + 1, "inodes needed", "no such word"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := disk.Preflight(small.Dir, c.bytes, c.inodes)
			require.ErrorIs(t, err, disk.ErrNoSpace)
			require.True(t, disk.OutOfSpace(err))
			require.ErrorContains(t, err, small.Dir)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), c.not)
		})
	}
	_, err = disk.Available(small.Dir + "/gone")
	require.ErrorIs(t, err, unix.ENOENT)
	require.ErrorIs(t, disk.Preflight(small.Dir+"/gone", 1, 1), unix.ENOENT)
}

func TestOutOfSpace(t *testing.T) {
	for err, want := range map[error]bool{
		fmt.Errorf("write: %w", unix.ENOSPC): true,
		fmt.Errorf("write: %w", unix.EDQUOT): true,
		fmt.Errorf("write: %w", unix.EIO):    false,
		nil:                                  false,
	} {
		require.Equal(t, want, disk.OutOfSpace(err), "%v", err)
	}
}
