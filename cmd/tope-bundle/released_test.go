package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
)

// perform runs the program as a user does and returns its output.
func perform(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), builttest.Program(t, "tope-bundle", builttest.Version), args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	require.NoError(t, err, "%s\n%s", strings.Join(args, " "), said.String())
	return string(out)
}

// Every bundle that a release has made is read: inspect prints the golden text beside
// it, and its signature and every byte of it are good. See testdata/README.md.
func TestBundlesOfEveryRelease(t *testing.T) {
	files, err := filepath.Glob("../../testdata/bundles/*/*.tope")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 3)
	for _, file := range files {
		dir, name := filepath.Split(file)
		t.Run(name, func(t *testing.T) {
			got := perform(t, "inspect", "--files", file)
			golden := strings.TrimSuffix(file, ".tope") + ".inspect.txt"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got, "if it is right: go test ./cmd/tope-bundle -run EveryRelease -update")
			switch {
			case strings.Contains(name, "unsigned"):
				require.Contains(t, perform(t, "-q", "verify", file, "--any-signature"), "every byte")
			default:
				require.Contains(t, perform(t, "-q", "verify", file, "--pub", dir+"test.pub"), "every byte")
			}
			if name == "1.1.0.tope" {
				require.Contains(t, perform(t, "-q", "verify", file, "--pub", dir+"test.pub", "--from", dir+"1.0.0.tope"), "every byte", "its patches are good")
				require.Contains(t, perform(t, "-q", "diff", dir+"1.0.0.tope", file), "a patch of")
			}
		})
	}
}

// A bundle can be made of every legacy package.
func TestLegacyPackagesOfEveryRelease(t *testing.T) {
	files, err := filepath.Glob("../../testdata/bundles/*/*.zip")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		made := filepath.Join(t.TempDir(), "made.tope")
		perform(t, "-q", "convert", file, "--product", "printer", "--key", filepath.Join(filepath.Dir(file), "test.key"), "-o", made)
		require.Contains(t, perform(t, "inspect", "--files", made), "bin/app")
	}
}
