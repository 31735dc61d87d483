package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
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
	for range 2 {
		cmd := exec.CommandContext(t.Context(), "deploy/install.sh", "--root", d.Disk("/"), "--program", builttest.Updater(t, older))
		cmd.Dir, cmd.Env = builttest.Top(), []string{"PATH=" + tools}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.NotContains(t, string(out), "cannot")
	}
	d.firstBoot()
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
