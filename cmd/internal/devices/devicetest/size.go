package devicetest

import (
	"testing"

	"github.com/tope/updater/cmd/internal/sweeptest"
)

// Cuts is how often a sweep cuts the power: TOPE_CUTS, or 60.
// "make boots BOOT=Cuts CUTS=1000 SEED=7" sets both.
func Cuts(t testing.TB) int { return sweeptest.FromEnv(t, "TOPE_CUTS", 60) }

// Seed is the seed from which a sweep draws its instants: TOPE_SEED, or 1.
func Seed(t testing.TB) int { return sweeptest.Seed(t) }

// MatrixCuts is how often the power of the devices of the matrix is cut:
// TOPE_MATRIX_CUTS, or usual. "make matrix CUTS=200" sets it.
func MatrixCuts(t testing.TB, usual int) int { return sweeptest.FromEnv(t, "TOPE_MATRIX_CUTS", usual) }
