package systems_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// Versions of the updater itself.
const (
	older = "v1.0.0"
	newer = "v1.1.0"
)

// machine is a device of some suite, on which somebody has put its software by hand.
type machine struct {
	*devicetest.Device
	t *testing.T
	// packages are the updater's, the older one first.
	packages [2]string
}

// packages builds the packages that each machine installs.
func packages(t *testing.T) [2]string {
	t.Helper()
	return [2]string{devicetest.Deb(t, "tope-updater", "", older), devicetest.Deb(t, "tope-updater", "", newer)}
}

func newMachine(t *testing.T, suite string, packages [2]string) *machine {
	t.Helper()
	m := &machine{Device: devicetest.ByHandOn(t, suite), t: t}
	m.packages = [2]string{m.Give(packages[0]), m.Give(packages[1])}
	m.Boot()
	return m
}

// checks play what the words of package claims say, in the order of that table.
func (m *machine) checks() map[string]func() {
	return map[string]func(){
		"package": m.installed, "zip": m.zip, "tope": m.native, "bad": m.bad, "rollback": m.back, "snapshot": m.snapshot,
		"prune": m.prune, "cut": m.cuts, "old-calls": m.oldCalls, "upgrade": m.upgraded, "removal": m.removed,
	}
}

// installed: the package, and the guide's scripts.
func (m *machine) installed() {
	m.MustRun("dpkg", "-i", m.packages[0])
	require.Equal(m.t, "success", m.Property(devicetest.Recover, "Result"))
	require.Empty(m.t, m.MustRun("systemd-analyze", "verify", "--man=no", devicetest.Daemon, devicetest.Recover, devicetest.Rescue, "tope-updater.socket"), "each line of the units is understood")
	m.MustRun("/usr/share/tope-updater/setup_symlinks.sh", "--adopt")
	m.MustRun("systemctl", "enable", "--now", "--quiet", devicetest.DeviceAPI, devicetest.WebServer)
	m.MustRun("/usr/share/tope-updater/create_factory_version.sh")
	m.MustRun("/usr/share/tope-updater/verify_setup.sh")
	require.Empty(m.t, m.Failed())
	require.Contains(m.t, m.Property(devicetest.DeviceAPI, "After"), devicetest.Recover)
	require.Equal(m.t, "2", m.MustRun("sh", "-c", "awk '/^Seccomp:/ {printf $2}' /proc/$(systemctl show --value -p MainPID "+devicetest.Daemon+")/status"),
		"the daemon is in its sandbox")
}

// zip: from where an operator may have put it, which the sandbox only lets the daemon read.
func (m *machine) zip() {
	path := "/home/release.zip"
	m.MustRun("mv", m.Offer(fixtures.Release{Version: "1.1.0"}), path)
	m.ends(path, engine.Committed, "1.1.0")
}

// native: its writable directory belongs to the service that it is for.
func (m *machine) native() {
	m.ends(m.bundle(fixtures.Release{Version: "1.2.0"}), engine.Committed, "1.2.0")
	require.Equal(m.t, "tope tope", strings.TrimSpace(m.MustRun("stat", "-c", "%U %G", data)))
}

func (m *machine) bad() {
	m.ends(m.Offer(fixtures.Release{Version: "1.3.0", DeviceAPI: "exit"}), engine.RolledBack, "1.2.0")
}

func (m *machine) back() {
	m.MustRun("tope-updater", "rollback")
	m.Whole("1.1.0")
}

const data = "/opt/tope/shared/services/web-server/data"

// snapshot: a bad release spoils the data of a service, which come back with owners and modes.
// The service owns all of the shared directory, and has what a snapshot could stumble over:
// directories in one another, a file that is one large hole, names like the updater's own.
func (m *machine) snapshot() {
	m.MustRun("sh", "-ec", `rm -rf `+data+`; mkdir -p `+data+`/spool `+data+`/open; echo old > `+data+`/db; cd `+data+`
		chown -R tope:tope .; chgrp daemon spool; chmod 2775 . && chmod 2770 spool && chmod 1777 open && chmod 640 db
		mkdir -p "deep/$(printf 'd/%.0s' $(seq 1900))" && truncate -s 1T hole && echo mine > .tope-snapshot-mine && chown tope:tope /opt/tope/shared`)
	before := m.data()
	require.Contains(m.t, before, "./spool d 2770 tope daemon")
	m.Begin(m.bundle(fixtures.Release{Version: "1.4.0", WebServer: "unhealthy"}))
	m.In(engine.CheckingHealth)
	m.MustRun("sh", "-ec", "cd "+data+"; echo new > db; rmdir spool; mkdir 'of the new version'")
	require.NotEqual(m.t, before, m.data())
	u := m.Over()
	require.Equal(m.t, engine.RolledBack, u.State, "%+v", u.Error)
	m.Whole("1.1.0")
	require.Equal(m.t, before, m.data())
	require.Equal(m.t, "1901 1099511627776 0 mine", strings.TrimSpace(m.MustRun("sh", "-c", "cd "+data+` && echo $(find deep -type d | wc -l) $(stat -c '%s %b' hole) $(cat .tope-snapshot-mine)`)))
	m.MustRun("sh", "-c", "rm -rf "+data+"/deep "+data+"/hole; chown root:root /opt/tope/shared")
	require.Equal(m.t, "", strings.TrimSpace(m.MustRun("sh", "-c", "ls -A /opt/tope/versions | grep -e snapshot || true")), "nothing is left of it")
}

// data lists the data of the service.
func (m *machine) data() string {
	m.t.Helper()
	return m.MustRun("sh", "-c", "cd "+data+" && find . -path ./deep -prune -o ! -name '.tope-snapshot-*' -printf '%p %y %m %u %g\\n' | sort; cat db")
}

func (m *machine) prune() {
	m.MustRun("tope-updater", "prune", "--keep", "0")
	require.Equal(m.t, "v1.0.0 v1.1.0 v1.2.0", m.versions(), "the factory's, and those that pointers lead to")
}

func (m *machine) versions() string {
	m.t.Helper()
	return strings.Join(strings.Fields(m.MustRun("sh", "-c", "cd /opt/tope/versions && ls -d v*")), " ")
}

// cuts: as soon as an update is accepted, while the services start, and in the gate.
func (m *machine) cuts() {
	// A start and a gate that last, to be cut.
	const slow = "/etc/systemd/system/web-server.service.d/slow.conf"
	m.Write(slow, "[Service]\nExecStartPre=/bin/sleep 4\n", 0o644)
	m.MustRun("systemctl", "daemon-reload")
	m.stable("300ms", "4s")
	defer m.stable("4s", "300ms")
	for i, at := range []engine.State{"", engine.Restarting, engine.CheckingHealth} {
		version := fmt.Sprintf("2.%d.0", i)
		m.Begin(m.Offer(fixtures.Release{Version: version, DeviceAPI: "ready-after=1s"}))
		if at != "" {
			m.In(at)
		}
		m.Kill()
		m.Up()
		m.RecoveredFirst()
		u := m.Over()
		require.Equal(m.t, engine.Committed, u.State, "cut in %s: %+v", at, u.Error)
		m.Whole(version)
	}
	m.MustRun("rm", slow)
	m.MustRun("systemctl", "daemon-reload")
}

// stable changes how long the gate wants a service to run.
func (m *machine) stable(from, to string) {
	m.t.Helper()
	m.MustRun("sed", "-i", `s/stable = "`+from+`"/stable = "`+to+`"/`, "/etc/tope-updater/config.toml")
	m.MustRun("systemctl", "restart", devicetest.Daemon)
	m.Answers()
}

// newCalls are those that Linux has gained since 4.4, where they were not on all
// processors before. A systemd that does not know one bars it anyway.
const newCalls = "copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc pkey_free statx io_pgetevents rseq pidfd_send_signal " +
	"io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig fsmount fspick pidfd_open clone3 close_range " +
	"openat2 pidfd_getfd faccessat2 process_madvise epoll_pwait2 mount_setattr quotactl_fd landlock_create_ruleset landlock_add_rule " +
	"landlock_restrict_self memfd_secret process_mrelease futex_waitv set_mempolicy_home_node cachestat fchmodat2 map_shadow_stack " +
	"futex_wake futex_wait futex_requeue"

// oldCalls: the daemon does its work also when the sandbox knows none of the newer calls.
func (m *machine) oldCalls() {
	const dropIn = "/etc/systemd/system/" + devicetest.Daemon + ".d/90-old-calls.conf"
	m.Write(dropIn, "[Service]\nSystemCallFilter=~"+newCalls+"\n", 0o644)
	m.MustRun("systemctl", "daemon-reload")
	m.MustRun("systemctl", "restart", devicetest.Daemon)
	allowed := strings.Fields(m.Property(devicetest.Daemon, "SystemCallFilter"))
	require.Contains(m.t, allowed, "fchmodat")
	for call := range strings.FieldsSeq(newCalls) {
		require.NotContains(m.t, allowed, call)
	}
	version := strings.TrimPrefix(strings.TrimSpace(m.MustRun("readlink", "/opt/tope/versions/current")), "v")
	before := m.data()
	m.ends(m.bundle(fixtures.Release{Version: "3.0.0", DeviceAPI: "exit"}), engine.RolledBack, version)
	require.Equal(m.t, before, m.data())
	m.ends(m.bundle(fixtures.Release{Version: "3.1.0"}), engine.Committed, "3.1.0")
	m.MustRun("tope-updater", "rollback")
	m.Whole(version)
	m.MustRun("tope-updater", "prune", "--keep", "0")
	require.Equal(m.t, "v1.0.0 v"+version+" v3.1.0", m.versions())
	m.MustRun("rm", dropIn)
	m.MustRun("systemctl", "daemon-reload")
}

func (m *machine) upgraded() {
	updates, pid := m.MustRun("tope-updater", "journal", "list"), m.Property(devicetest.Daemon, "MainPID")
	m.MustRun("dpkg", "-i", m.packages[1])
	require.Contains(m.t, m.MustRun("tope-updater", "version"), newer)
	require.Equal(m.t, "active", m.Property(devicetest.Daemon, "ActiveState"))
	require.NotEqual(m.t, pid, m.Property(devicetest.Daemon, "MainPID"))
	require.Equal(m.t, updates, m.MustRun("tope-updater", "journal", "list"))
	m.ends(m.Offer(fixtures.Release{Version: "4.0.0"}), engine.Committed, "4.0.0")
	require.Empty(m.t, m.Failed())
}

func (m *machine) removed() {
	m.MustRun("dpkg", "-P", "tope-updater")
	require.Equal(m.t, "not-found", m.Property(devicetest.Daemon, "LoadState"))
	require.NoDirExists(m.t, m.Path("/var/lib/tope-updater"))
	m.Kill()
	m.Boot()
	require.Empty(m.t, m.Failed())
	for _, unit := range []string{devicetest.DeviceAPI, devicetest.WebServer} {
		require.Equal(m.t, "4.0.0", m.Serves(unit), unit)
	}
}

// bundle puts a release's bundle into the device. The data of its web-server are
// writable, and an update takes a snapshot of them.
func (m *machine) bundle(r fixtures.Release) string {
	m.t.Helper()
	dir := m.t.TempDir()
	p, err := builttest.Services(m.t).Package(dir, r)
	require.NoError(m.t, err)
	about, path := filepath.Join(dir, "release.toml"), filepath.Join(dir, "device-"+r.Version+".tope")
	require.NoError(m.t, os.WriteFile(about, []byte("product = \"device\"\nepoch = 0\n[[writable]]\npath = \"services/web-server/data\"\nsnapshot = true\n"), 0o644))
	cmd := exec.CommandContext(m.t.Context(), builttest.Program(m.t, "tope-bundle", builttest.Version), "convert", "--unsigned", "--release", about, "--level", "1", "-o", path, p.Path)
	out, err := cmd.CombinedOutput()
	require.NoError(m.t, err, "%s", out)
	return m.Give(path)
}
