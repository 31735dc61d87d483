package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/fetch/fetchtest"
)

// systemd does not run in a tree that is being built; the device has
// everything at its first boot.
func TestPackageInAnImage(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	pkg := d.Give(deb(t, older))
	d.Write("/etc/tope-updater/config.toml", d.Read("/etc/tope-updater/config.toml"), 0o600)
	out, err := exec.CommandContext(t.Context(), "chroot", d.Disk("/"), "dpkg", "-i", pkg).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "cannot")
	require.FileExists(t, d.Disk("/etc/systemd/system/device-api.service.d/50-tope-updater.conf"))
	d.firstBoot()
}

// firstBoot of a device that was prepared while it was off.
func (d *device) firstBoot() {
	d.t.Helper()
	d.Boot()
	require.Empty(d.t, d.Failed())
	require.Equal(d.t, usuallyEnabled, d.enabled())
	require.Equal(d.t, "active", d.Property(daemon, "ActiveState"))
	require.Equal(d.t, "success", d.Property(recovery, "Result"))
	require.Contains(d.t, d.Property("device-api.service", "After"), recovery)
	require.Equal(d.t, "tope-updater\n", d.MustRun("stat", "-c", "%G", "/run/tope-updater/api.sock"))
}

// A device without dpkg, and a build host without any tool of systemd.
func TestInstallScriptIntoAnImage(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	tools := t.TempDir()
	missing := []string{"systemctl", "systemd-sysusers", "systemd-tmpfiles", "journalctl"}
	for _, dir := range []string{"/usr/bin", "/usr/sbin"} {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range entries {
			if !slices.Contains(missing, e.Name()) {
				_ = os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(tools, e.Name())) // some are in both
			}
		}
	}
	// What the operator has put there by hand is what the script is given. Only the
	// kernel understands the path of the machine's disk, so the tree is made beside it.
	given, root := t.TempDir(), filepath.Join(t.TempDir(), "root")
	config, version := filepath.Join(given, "settings.toml"), filepath.Join(given, "v1.0.0")
	host(t, "mv", d.Disk("/etc/tope-updater/config.toml"), config)
	host(t, "mv", d.Disk("/opt/tope/versions/v1.0.0"), version)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	for _, file := range []string{"/etc/passwd", "/etc/group", "/etc/gshadow"} {
		host(t, "cp", "-a", d.Disk(file), filepath.Join(root, file))
	}
	for _, unit := range []string{devicetest.DeviceAPI, devicetest.WebServer} {
		d.Enable(unit, "multi-user.target")
	}
	for range 2 {
		cmd := exec.CommandContext(t.Context(), "deploy/install.sh", "--root", root, "--program", builttest.Updater(t, older),
			"--config", config, "--factory", version)
		cmd.Dir, cmd.Env = builttest.Top(), []string{"PATH=" + tools}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.NotContains(t, string(out), "cannot")
	}
	d.Copy(root+"/.", "/")
	d.firstBoot()
	for _, unit := range []string{devicetest.DeviceAPI, devicetest.WebServer} {
		require.Equal(t, "active", d.Property(unit, "ActiveState"), "its first version runs")
	}
	d.MustRun("tope-updater", "install", d.Offer(fixtures.Release{Version: "1.1.0"}))
	require.Equal(t, "v1.0.0\n", d.MustRun("readlink", "/opt/tope/versions/factory"))
}

// host runs a command of the host.
func host(t *testing.T, command ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// On a running device: installed twice, upgraded, and removed again.
func TestInstallScript(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.Copy(filepath.Join(builttest.Top(), "deploy"), "/root/deploy")
	d.Boot()
	for _, version := range []string{older, older, newer} {
		d.Put(builttest.Updater(t, version), "/root/deploy/tope-updater", 0o755)
		d.MustRun("/root/deploy/install.sh")
		require.Equal(t, version, d.program())
		require.Equal(t, "active", d.Property(daemon, "ActiveState"))
		require.Equal(t, "success", d.Property(recovery, "Result"))
		require.Equal(t, usuallyEnabled, d.enabled())
	}
	d.setUp()
	software := d.software()

	// New settings name files anywhere on the device, which have to be there; with them, the
	// daemon has them.
	keys := t.TempDir()
	host(t, builttest.Program(t, "tope-bundle", builttest.Version), "keygen", filepath.Join(keys, "k"))
	d.Put(filepath.Join(keys, "k.pub"), "/root/k.pub", 0o644)
	d.Write("/root/new.toml", d.Read("/etc/tope-updater/config.toml")+"\n[download]\nca_file = \"/usr/share/acme/ca.pem\"\n", 0o644)
	out, err := d.Run("/root/deploy/install.sh", "--key", "/root/k.pub", "--config", "/root/new.toml")
	require.Error(t, err)
	require.Contains(t, out, "download.ca_file: open /usr/share/acme/ca.pem: no such file or directory")
	require.NoFileExists(t, d.Path("/etc/tope-updater/keys/k.pub"))
	d.Put(fetchtest.NewAuthority(t).File, "/usr/share/acme/ca.pem", 0o644)
	d.MustRun("/root/deploy/install.sh", "--key", "/root/k.pub", "--config", "/root/new.toml")
	require.Contains(t, d.MustRun("tope-updater", "--json", "status"), "1 key in /etc/tope-updater/keys")

	d.MustRun("systemctl", "disable", recovery)
	d.MustRun("/root/deploy/install.sh")
	require.Equal(t, "multi-user.target.wants/tope-updater.service", d.enabled(), "the operator's word")
	d.MustRun("/root/deploy/install.sh", "--uninstall")
	d.gone(software)
	require.FileExists(t, d.Path("/var/lib/tope-updater/journal.db"))
	d.MustRun("/root/deploy/install.sh", "--uninstall", "--purge")
	d.gone(software)
	require.NoDirExists(t, d.Path("/var/lib/tope-updater"))
	require.NoDirExists(t, d.Path("/etc/tope-updater"))
}
