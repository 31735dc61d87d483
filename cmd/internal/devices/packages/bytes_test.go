package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
)

// The same tree gives the same package. The publisher's program has a package too.
func TestPackagesAreReproducible(t *testing.T) {
	t.Parallel()
	first, second := deb(t, older), deb(t, older)
	require.Equal(t, "tope-updater_1.0.0-1_"+runtime.GOARCH+".deb", filepath.Base(first))
	one, err := os.ReadFile(first)
	require.NoError(t, err)
	other, err := os.ReadFile(second)
	require.NoError(t, err)
	require.Equal(t, one, other)

	// Any program will do: its name is what counts.
	dist := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dist, "tope-bundle-linux-"+runtime.GOARCH), []byte("#!/bin/sh\n"), 0o755))
	out, err := exec.CommandContext(t.Context(), "dpkg-deb", "-c", devicetest.Deb(t, "tope-bundle", dist, newer)).Output()
	require.NoError(t, err)
	for _, file := range []string{"./usr/bin/tope-bundle", "./usr/share/man/man1/tope-bundle-pack.1.gz", "./usr/share/zsh/vendor-completions/_tope-bundle"} {
		require.Contains(t, string(out), file+"\n")
	}
}

func TestVersionsThatDpkgCompares(t *testing.T) {
	t.Parallel()
	last := "0~"
	for _, described := range []string{"6ac4318", "v1.2.0-rc.1", "v1.2.0-rc.1-4-gabc123", "v1.2.0-rc.2", "v1.2.0", "v1.2.0-4-gabc123", "v1.2.0-4-gabc123-dirty", "v1.2.1"} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(builttest.Top(), "deploy/deb/version.sh"), described, "87").Output()
		require.NoError(t, err)
		version := strings.TrimSpace(string(out))
		require.NoError(t, exec.CommandContext(t.Context(), "dpkg", "--compare-versions", last, "lt", version).Run(), "%s, %s", last, version)
		last = version
	}
}
