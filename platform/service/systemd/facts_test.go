package systemd

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSystemdsVersionIsANumberAndMore(t *testing.T) {
	for variant, want := range map[string]int{
		`"252.39-1~deb12u2"`: 252, `"v249.11"`: 249, `"219"`: 219, "256~rc1": 256,
	} {
		n, _, err := parseVersion(variant)
		require.NoError(t, err)
		require.Equal(t, want, n, variant)
	}
	_, _, err := parseVersion(`"unknown"`)
	require.ErrorContains(t, err, "unknown")
}
