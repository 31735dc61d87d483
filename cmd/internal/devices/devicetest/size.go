package devicetest

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Cuts is how often a sweep cuts the power: TOPE_CUTS, or 102.
// "make boots BOOT=Cuts CUTS=1000 SEED=7" sets both.
func Cuts(t testing.TB) int { return fromEnv(t, "TOPE_CUTS", 102) }

// Seed is the seed from which a sweep draws its instants: TOPE_SEED, or 1.
func Seed(t testing.TB) int { return fromEnv(t, "TOPE_SEED", 1) }

func fromEnv(t testing.TB, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}
