// Package roottest is asked by tests that need root: for loop devices, name
// spaces, booted machines.
//
// "make quick" runs go test with -short. There, and only there, such a test is
// skipped and says so. In "make test" it fails where it cannot run, and CI takes a
// skipped test for a failed one, so that no test is left out unseen.
package roottest

import (
	"os"
	"testing"
)

// Need skips the test under -short, and fails it where the user is not root.
// What root is needed for completes the sentence "root is needed for …".
func Need(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("root is needed for %s: make test runs this test", what)
	}
	if os.Geteuid() != 0 {
		t.Fatalf("root is needed for %s: run make test as root, or make quick, which leaves this test out", what)
	}
}
