// Package roottest is for tests that need root: for loop devices, name spaces,
// booted machines.
//
// "make quick" runs go test with -short. There, and only there, such a test is
// skipped and says so. In "make test" it fails where it cannot run, and CI fails on
// a skipped test, so that no test is left out unnoticed.
package roottest

import (
	"os"
	"testing"
)

// Need skips the test under -short, and fails it where the user is not root.
// The text of what completes the sentence "root is needed for …".
func Need(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("root is needed for %s: make test runs this test", what)
	}
	if os.Geteuid() != 0 {
		t.Fatalf("root is needed for %s: run make test as root, or make quick, which leaves this test out", what)
	}
}
