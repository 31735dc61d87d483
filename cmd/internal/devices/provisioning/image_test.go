package provisioning_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/service/systemdtest"
)

// An image of mkosi's boots into its first version and takes the next one.
func TestImageByMkosi(t *testing.T) {
	roottest.Need(t, "an image")
	deploy, out := filepath.Join(t.TempDir(), "deploy"), t.TempDir()
	copied(t, filepath.Join(builttest.Top(), "deploy"), deploy)
	recipe := filepath.Join(deploy, "images/mkosi")
	two := files(t, filepath.Join(recipe, "files"))
	// Where no systemd runs, mkosi's containers cannot be registered with one.
	shim := t.TempDir()
	nspawn, err := exec.LookPath("systemd-nspawn")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(shim, "systemd-nspawn"), []byte("#!/bin/sh\nexec "+nspawn+" --register=no --keep-unit \"$@\"\n"), 0o755))
	t.Setenv("PATH", shim+":"+os.Getenv("PATH"))
	built(t, "mkosi", "--directory", recipe, "--output-dir", out, "--workspace-dir", t.TempDir(), "--force")
	bootsAndUpdates(t, filepath.Join(out, "debian~bookworm/image"), two)
}

// The same of debos.
func TestImageByDebos(t *testing.T) {
	roottest.Need(t, "an image")
	given, out, tree := t.TempDir(), t.TempDir(), t.TempDir()
	two := files(t, given)
	built(t, "debos", "--disable-fakemachine", "--artifactdir", out, "-t", "files:"+given,
		filepath.Join(builttest.Top(), "deploy/images/debos/image.yaml"))
	built(t, "tar", "-xzf", filepath.Join(out, "image.tar.gz"), "-C", tree)
	bootsAndUpdates(t, tree, two)
}

// files makes what an image is given, and returns the path of a second release.
func files(t *testing.T, dir string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	made := t.TempDir()
	release(t, made)
	copied(t, builttest.Updater(t, builttest.Version), filepath.Join(dir, "tope-updater"))
	copied(t, filepath.Join(made, "k.pub"), dir)
	copied(t, filepath.Join(made, "one.tope"), filepath.Join(dir, "first.tope"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.toml"), []byte("[device]\nproduct = \"printer\"\n[[service]]\nname = \"tool\"\n"), 0o644))
	return filepath.Join(made, "two.tope")
}

// built runs an image builder.
func built(t *testing.T, command ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// bootsAndUpdates boots the tree of an image and installs a second release there.
func bootsAndUpdates(t *testing.T, tree, second string) {
	t.Helper()
	m := systemdtest.With(t, systemdtest.Options{Image: tree})
	m.Boot()
	version := func() string { return m.MustRun("readlink", "/opt/tope/versions/current") }
	require.Equal(t, "v1.0.0\n", version())
	require.Equal(t, "v1.0.0\n", m.MustRun("readlink", "/opt/tope/versions/factory"))
	for _, unit := range []string{devicetest.Daemon, "tool.service"} {
		require.Equal(t, "active", m.Property(unit, "ActiveState"), unit)
	}
	require.Equal(t, "success", m.Property(devicetest.Recover, "Result"))
	require.Contains(t, m.MustRun("tope-updater", "--json", "status"), `"trust": "1 key in /etc/tope-updater/keys; what they have not signed is refused`)
	require.Contains(t, m.Read("/etc/tope-updater/config.toml"), `product = "printer"`)
	m.Put(second, "/root/two.tope", 0o644)
	m.MustRun("tope-updater", "install", "/root/two.tope")
	require.Equal(t, "v1.1.0\n", version())
	require.Equal(t, "active", m.Property("tool.service", "ActiveState"))
	m.MustRun("tope-updater", "doctor")
}
