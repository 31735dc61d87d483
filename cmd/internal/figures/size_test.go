package figures_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// size: the device program as it is shipped for most devices.
func size(b *testing.B, l *lab) []row {
	info, err := os.Stat(l.shipped("arm64"))
	require.NoError(b, err)
	return []row{{what: "device program, stripped, arm64", metric: "B-arm64", ours: quantity{float64(info.Size()), megabytes}, reach: 12 * mega}}
}
