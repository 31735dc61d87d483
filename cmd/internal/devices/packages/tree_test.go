package packages_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/platform/fetch/fetchtest"
	"github.com/tope/updater/platform/roottest"
)

// The tree of a device of another kind: its program cannot run here. It gets keys, a
// configuration and a first version, and a second run changes nothing.
func TestInstallScriptIntoTheTreeOfAnotherKindOfDevice(t *testing.T) {
	t.Parallel()
	roottest.Need(t, "a tree that belongs to root")
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
		return path
	}
	// A program of no processor that there is: what the kernel says of it is all that counts.
	foreign := write("tope-updater", "\x7fELF of another processor\n", 0o755)
	run := func(name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	bundler := builttest.Program(t, "tope-bundle", builttest.Version)
	write("release/bin/tool", "#!/bin/sh\nexec sleep infinity\n", 0o755)
	write("release/systemd/tool.service", "[Service]\nExecStart=/usr/local/bin/tool\n[Install]\nWantedBy=multi-user.target\n", 0o644)
	write("release.toml", "product = \"printer\"\nepoch = 1\n", 0o644)
	for _, args := range [][]string{{"keygen", "k"}, {"-q", "pack", "release", "--release", "release.toml", "--version", "1.0.0", "--key", "k.key", "-o", "one.tope"}} {
		out, err := run(bundler, args...)
		require.NoError(t, err, "%s", out)
	}
	config := write("config.toml", "[device]\nproduct = \"printer\"\n[download]\nca_file = \"/etc/tope-updater/ca.pem\"\n[[service]]\nname = \"tool\"\n", 0o644)
	root := filepath.Join(dir, "tree")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "bin/sh"), nil, 0o755))
	// The settings are elsewhere, and what the configuration names is there already.
	settings := filepath.Join(root, "data/settings")
	require.NoError(t, os.MkdirAll(settings, 0o755))
	require.NoError(t, os.Symlink("../data/settings", filepath.Join(root, "etc/tope-updater")))
	require.NoError(t, os.Rename(fetchtest.NewAuthority(t).File, filepath.Join(settings, "ca.pem")))
	own := builttest.Updater(t, builttest.Version)
	install := func(args ...string) (string, error) {
		return run(filepath.Join(builttest.Top(), "deploy/install.sh"), append([]string{"--root", "tree", "--program", foreign, "--runs-here", own}, args...)...)
	}

	// What is wrong changes neither keys nor configuration.
	wrong := write("wrong.toml", "[http]\nlisten_on = \"x\"\n", 0o644)
	out, err := install("--key", "k.pub", "--config", wrong)
	require.Error(t, err)
	require.Contains(t, out, wrong+":2: unknown key http.listen_on")
	require.NoFileExists(t, filepath.Join(root, "etc/tope-updater/keys/k.pub"))
	require.NoFileExists(t, filepath.Join(root, "etc/tope-updater/config.toml"))

	// Files that the configuration names may be anywhere in the tree, and have to be there.
	elsewhere := write("elsewhere.toml", "[download]\nca_file = \"/usr/share/acme/ca.pem\"\n", 0o644)
	out, err = install("--key", "k.pub", "--config", elsewhere)
	require.Error(t, err)
	require.Contains(t, out, "download.ca_file: open "+root+"/usr/share/acme/ca.pem: no such file or directory")
	require.Contains(t, out, "install.sh: keys and configuration are as they were: the program refuses the new ones; files that [download] names have to be in "+root+" before\n")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "usr/share/acme"), 0o755))
	require.NoError(t, os.Rename(fetchtest.NewAuthority(t).File, filepath.Join(root, "usr/share/acme/ca.pem")))
	out, err = install("--key", "k.pub", "--config", elsewhere)
	require.NoError(t, err, "%s", out)

	const anybody = "install.sh: this device takes a release from anybody; name the publisher's keys with --key\n"
	require.NotContains(t, out, anybody)
	require.NoError(t, os.Remove(filepath.Join(root, "etc/tope-updater/keys/k.pub")))
	out, err = install()
	require.NoError(t, err, "%s", out)
	require.Contains(t, out, anybody)

	first, err := install("--key", "k.pub", "--config", config, "--factory", "one.tope")
	require.NoError(t, err, "%s", first)
	for _, said := range []string{"key: k.pub", "configuration: " + config, "version: v1.0.0, of one.tope", "factory: v1.0.0"} {
		require.Contains(t, first, said+"\n")
	}
	before := everything(t, root)
	again, err := install("--key", "k.pub", "--config", config, "--factory", "one.tope")
	require.NoError(t, err, "%s", again)
	require.Contains(t, again, "version: it has v1.0.0, which stays\n")
	require.Equal(t, before, everything(t, root))

	for link, target := range map[string]string{
		"opt/tope/versions/current": "v1.0.0", "opt/tope/versions/factory": "v1.0.0",
		"usr/local/bin/tool": "/opt/tope/versions/current/bin/tool",
		"etc/systemd/system/multi-user.target.wants/tool.service": "/etc/systemd/system/tool.service",
		"usr/bin/tope-updater": "../lib/tope-updater/tope-updater",
	} {
		got, err := os.Readlink(filepath.Join(root, link))
		require.NoError(t, err)
		require.Equal(t, target, got, link)
	}
	for _, unit := range strings.Fields(usuallyEnabled) {
		_, err := os.Lstat(filepath.Join(root, "etc/systemd/system", unit))
		require.NoError(t, err)
	}
	require.FileExists(t, filepath.Join(root, "etc/systemd/system/tool.service.d/50-tope-updater.conf"))
	program, err := os.ReadFile(filepath.Join(root, "usr/lib/tope-updater/tope-updater"))
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(program, []byte("\x7fELF of another")), runtime.GOARCH)
	out, err = run(own, "--root", "tree", "doctor")
	require.NoError(t, err, "%s", out)
}

// everything lists a tree: names, modes, targets, times of the last change.
func everything(t *testing.T, root string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target, _ := os.Readlink(path)
		all = append(all, strings.Join([]string{strings.TrimPrefix(path, root), info.Mode().String(), target, info.ModTime().String()}, " "))
		return nil
	}))
	return all
}
