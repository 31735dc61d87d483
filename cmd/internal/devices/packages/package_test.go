package packages_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
)

const usuallyEnabled = "basic.target.wants/tope-updater-recover.service multi-user.target.wants/tope-updater.service"

// The life of a device with the package, from a tree that was set up by hand.
func TestInstallUpgradeRemovePurge(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	first, second := d.Give(deb(t, older)), d.Give(deb(t, newer))
	d.Boot()

	d.MustRun("dpkg", "-i", first)
	require.Equal(t, older, d.program())
	require.Equal(t, "active", d.Property(daemon, "ActiveState"))
	require.Equal(t, "success", d.Property(recovery, "Result"))
	require.Equal(t, usuallyEnabled, d.enabled())
	require.Equal(t, "660 root tope-updater\n", d.MustRun("stat", "-c", "%a %U %G", "/run/tope-updater/api.sock"))
	require.Contains(t, d.Property("device-api.service", "After"), recovery)
	require.Contains(t, d.Property("device-api.service", "DropInPaths"), "50-tope-updater.conf")
	require.Empty(t, d.MustRun("dpkg", "--verify", "tope-updater"))

	d.setUp()
	d.MustRun("tope-updater", "install", d.Offer(fixtures.Release{Version: "1.1.0"}))
	d.switches()

	// The power goes in the middle of an upgrade: the old program still recovers the device.
	d.MustRun("dpkg", "--unpack", second)
	d.Kill()
	d.Boot()
	require.Empty(t, d.Failed())
	require.Equal(t, older, d.program())
	require.Equal(t, "active", d.Property(daemon, "ActiveState"))

	// The upgrade continues: the daemon is another process, and all else is as it was.
	pid, journal, software := d.Property(daemon, "MainPID"), d.updates(), d.software()
	d.MustRun("dpkg", "--configure", "-a")
	require.Equal(t, newer, d.program())
	require.Equal(t, "active", d.Property(daemon, "ActiveState"))
	require.NotEqual(t, pid, d.Property(daemon, "MainPID"))
	require.Equal(t, journal, d.updates())
	require.Equal(t, software, d.software())

	// The operator asks for the older package and gets it. Then the device
	// updates itself, and the package does not undo that update.
	d.MustRun("dpkg", "-i", first)
	require.Equal(t, older, d.program())
	program, err := os.ReadFile(builttest.Updater(t, newer))
	require.NoError(t, err)
	d.MustRun("sh", "-ec", `printf '\n[trust]\nunsigned_brings = ["updater"]\n' >>/etc/tope-updater/config.toml; tope-updater reload`)
	d.MustRun("tope-updater", "install", d.Offer(fixtures.Release{Version: "1.2.0", Files: map[string][]byte{"bin/tope-updater": program}}))
	d.Wait("the device has updated itself", func() bool { return d.program() == newer })
	require.Contains(t, d.MustRun("dpkg", "-i", first), "it stays")
	require.Equal(t, newer, d.program())
	require.Empty(t, d.MustRun("dpkg", "--verify", "tope-updater"))
	d.MustRun("dpkg", "-i", second)
	require.Equal(t, newer, d.program())

	// Units that an operator has disabled stay disabled, also when the package comes back.
	d.MustRun("systemctl", "disable", recovery)
	d.MustRun("dpkg", "-i", second)
	require.Equal(t, "multi-user.target.wants/tope-updater.service", d.enabled())
	journal, software = d.updates(), d.software()
	d.MustRun("dpkg", "-r", "tope-updater")
	d.gone(software)
	require.FileExists(t, d.Path("/var/lib/tope-updater/journal.db"))
	require.FileExists(t, d.Path("/etc/tope-updater/config.toml"))

	d.MustRun("dpkg", "-i", second)
	require.Equal(t, "multi-user.target.wants/tope-updater.service", d.enabled())
	require.Equal(t, "active", d.Property(daemon, "ActiveState"))
	require.Equal(t, journal, d.updates())

	d.MustRun("dpkg", "-P", "tope-updater")
	d.gone(software)
	require.NoDirExists(t, d.Path("/var/lib/tope-updater"))
	require.NoDirExists(t, d.Path("/etc/tope-updater"))
}

// An upgrade or a removal in the middle of an update: the update goes on from the
// journal, or comes to an end first. No service stays down.
func TestInTheMiddleOfAnUpdate(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	first, second := d.Give(deb(t, older)), d.Give(deb(t, newer))
	d.Boot()
	d.MustRun("dpkg", "-i", first)
	d.setUp()
	begin := func(r fixtures.Release) {
		r.WebServer = "ready-after=6s"
		d.MustRun("tope-updater", "install", "--no-wait", d.Offer(r))
		d.Wait("the update is in the gate", func() bool {
			return strings.Contains(d.MustRun("tope-updater", "status"), "CheckingHealth")
		})
	}
	begin(fixtures.Release{Version: "1.1.0"})
	d.MustRun("dpkg", "-i", second)
	require.Equal(t, newer, d.program())
	d.Wait("the update is over", func() bool {
		return regexp.MustCompile(`state +Idle`).MatchString(d.MustRun("tope-updater", "status"))
	})
	require.Equal(t, "v1.1.0\n", d.MustRun("readlink", "/opt/tope/versions/current"))
	require.Contains(t, d.updates(), "Committed")

	begin(fixtures.Release{Version: "1.2.0"})
	d.MustRun("dpkg", "-r", "tope-updater")
	require.Equal(t, "v1.2.0\n", d.MustRun("readlink", "/opt/tope/versions/current"))
	require.NoFileExists(t, d.Path("/opt/tope/versions/.uncommitted"))
	for _, unit := range []string{"device-api.service", "web-server.service"} {
		require.Equal(t, "active", d.Property(unit, "ActiveState"))
	}
}

// updates is the journal's list of updates.
func (d *device) updates() string { return d.MustRun("tope-updater", "journal", "list") }

// gone: nothing of the updater runs or will run, and the device's software has not changed.
func (d *device) gone(software string) {
	d.t.Helper()
	require.Equal(d.t, software, d.software())
	require.Equal(d.t, "not-found", d.Property(daemon, "LoadState"))
	require.Equal(d.t, "inactive", d.Property(daemon, "ActiveState"))
	require.Empty(d.t, d.enabled())
	require.NoFileExists(d.t, d.Path(committed))
	require.NotContains(d.t, d.Property("device-api.service", "DropInPaths"), "tope-updater")
	require.Equal(d.t, "active", d.Property("device-api.service", "ActiveState"))
	require.Empty(d.t, d.Failed())
	left := d.MustRun("find", "/usr", "/etc/systemd", "-name", "*tope-updater*", "!", "-path", "/usr/local/bin/*") // the links there belong to a version
	require.Empty(d.t, strings.TrimSpace(left))
}
