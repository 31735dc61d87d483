package static

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRan: running time of one boot is counted once, and of a boot before as far as it was
// written down.
func TestRan(t *testing.T) {
	const h = time.Hour
	f := facts{Ran: 10 * h, Boot: "a", Uptime: 3 * h}
	for _, c := range []struct {
		boot   string
		uptime time.Duration
		want   time.Duration
	}{
		{"a", 3 * h, 10 * h},
		{"a", 5 * h, 12 * h},
		{"b", 5 * h, 15 * h},
		{"b", h, 11 * h},
		{"a", h, 11 * h}, // boots that cannot be told apart
	} {
		require.Equal(t, c.want, f.ran(c.boot, c.uptime), c)
	}
}
