package disk

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSyncfsReports(t *testing.T) {
	for release, want := range map[string]bool{
		"4.19.0": false, "5.4.0-42-generic": false, "5.7.19": false,
		"5.8.0": true, "5.8-rc1": true, "5.10.110+": true, "5.15.0-1-arm64": true, "6.18.44": true, "10.0": true,
		"": false, "unknown": false, "5": false, "5.x": false,
	} {
		require.Equal(t, want, syncfsReports(release), "Linux %q", release)
	}
}

func TestSpaceOf(t *testing.T) {
	ext4 := unix.Statfs_t{Bsize: 4096, Frsize: 1024, Bfree: 100, Bavail: 10, Files: 1000, Ffree: 7}
	require.Equal(t, Space{Bytes: 10 * 1024, Inodes: 7}, spaceOf(&ext4), "what root keeps is not ours")
	btrfs := unix.Statfs_t{Bsize: 4096, Bavail: 3}
	require.Equal(t, Space{Bytes: 3 * 4096, Inodes: math.MaxUint64}, spaceOf(&btrfs))
}
