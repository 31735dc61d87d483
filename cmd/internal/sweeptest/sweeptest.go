// Package sweeptest says how much of a long sweep is played. `make test` plays a part
// that shows each row of a table, and `make test WHOLE=1` all of it.
package sweeptest

import (
	"os"
	"strconv"
	"testing"
)

// OneIn reports whether the trial at this place of a sweep is played: each one when
// TOPE_WHOLE is 1, else every n-th, beginning where TOPE_SEED says. In a table the
// place is row + column, so that each row and each column has its trials.
func OneIn(t testing.TB, n, place int) bool {
	t.Helper()
	return os.Getenv("TOPE_WHOLE") == "1" || (place+Seed(t))%n == 0
}

// Seed is the seed from which a sweep draws: TOPE_SEED, or 1.
func Seed(t testing.TB) int {
	t.Helper()
	return FromEnv(t, "TOPE_SEED", 1)
}

// FromEnv is the whole number in an environment variable, or the usual one.
func FromEnv(t testing.TB, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
