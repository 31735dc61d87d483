package disk

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheNumberOfAMount(t *testing.T) {
	for text, want := range map[string]uint64{
		"pos:\t0\nflags:\t02200000\nmnt_id:\t29\nino:\t2\n": 29,
		"mnt_id:\t7": 7,
		"pos:\t0\n":  0,
		"":           0,
		"mnt_id:\t-": 0,
	} {
		require.Equal(t, want, mountIn(text), text)
	}
}

// Mounts tell more than devices, where both are known.
func TestWhatLeavesAPlace(t *testing.T) {
	for _, c := range []struct {
		why      string
		from, to place
		left     bool
	}{
		{"the same", place{1, 5}, place{1, 5}, false},
		{"a directory of the same file system is mounted", place{1, 5}, place{1, 6}, true},
		{"another file system", place{1, 5}, place{2, 6}, true},
		{"a subvolume of btrfs", place{1, 5}, place{2, 5}, false},
		{"nobody tells the mounts", place{1, 0}, place{1, 0}, false},
		{"nobody tells the mounts, and the device is another", place{1, 0}, place{2, 0}, true},
		{"one of them is told", place{1, 5}, place{2, 0}, true},
	} {
		require.Equal(t, c.left, c.from.left(c.to), c.why)
	}
}
