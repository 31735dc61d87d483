package httpapi_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each error that the versions directory can answer a request with has a kind of its own:
// a client that gets "internal error" thinks that the updater is broken.
func TestEachErrorOfVersionsHasAKind(t *testing.T) {
	kinds, err := os.ReadFile("problem.go")
	require.NoError(t, err)
	files, err := filepath.Glob("../../platform/versions/*.go")
	require.NoError(t, err)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?m)^(?:var|\t)\s*(Err\w+)\s*= errors\.New`).FindAllStringSubmatch(string(text), -1) {
			if m[1] == "ErrTreeLocked" {
				continue // ends the process before there is a server
			}
			found++
			require.Contains(t, string(kinds), "versions."+m[1]+"}", "%s: give %s a kind in problem.go", file, m[1])
		}
	}
	require.Greater(t, found, 10, "this test can fail")
}
