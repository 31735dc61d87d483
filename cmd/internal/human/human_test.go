package human_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/human"
)

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.00 kB", 12_345_678: "12.3 MB", 999_999: "1.00 MB",
		1_000_000_000: "1.00 GB", 5_000_000_000_000: "5.00 TB", -4: "-4 B",
	} {
		require.Equal(t, want, human.Bytes(n))
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0 ms", 400 * time.Microsecond: "0.4 ms", 120 * time.Millisecond: "120 ms",
		4200 * time.Millisecond: "4.2 s", 200 * time.Second: "3 min 20 s",
		125 * time.Minute: "2 h 5 min", 76 * time.Hour: "3 d 4 h", -time.Second: "-1.0 s",
		math.MinInt64: "-106751 d 23 h", math.MaxInt64: "106751 d 23 h",
	} {
		require.Equal(t, want, human.Duration(d))
	}
}
