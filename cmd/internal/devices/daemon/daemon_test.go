package daemon_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/filecaps"
)

// dropIn changes a unit, as an operator does it.
func dropIn(d *devicetest.Device, unit, text string) {
	d.Write("/etc/systemd/system/"+unit+".d/90-test.conf", text, 0o644)
}

// A daemon that hangs is killed by its watchdog, and started again.
func TestTheDaemonHangs(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{})
	dropIn(d, devicetest.Daemon, "[Service]\nWatchdogSec=10s\n")
	d.Up()
	before := d.Property(devicetest.Daemon, "MainPID")
	d.MustRun("kill", "-STOP", before)
	d.Wait("another daemon", func() bool {
		pid := d.Property(devicetest.Daemon, "MainPID")
		return pid != "0" && pid != before
	})
	d.Answers()
	d.Logged("Watchdog timeout", "-u", devicetest.Daemon)
	d.Install("1.1.0", "", engine.Committed)
	require.Equal(t, "1", d.Property(devicetest.Daemon, "NRestarts"), "one that works is fed")
}

// A daemon that always dies is given up, with the start limits of the shipped unit;
// the rescue unit brings the update to its end, and the daemon gets another chance.
func TestADaemonThatDiesIsRescued(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{Unit: "TimeoutStartSec=60", Timeout: 20 * time.Second})
	d.Write("/usr/local/sbin/daemon", "#!/bin/sh\n[ ! -e /etc/broken ] || exit 1\nexec "+devicetest.Updater+" serve\n", 0o755)
	dropIn(d, devicetest.Daemon, "[Service]\nExecStart=\nExecStart=/usr/local/sbin/daemon\nRestartSec=100ms\n")
	dropIn(d, devicetest.Rescue, "[Service]\nExecStopPost=\nExecStopPost=+/bin/rm -f /etc/broken\nExecStopPost=-/bin/systemctl reset-failed "+devicetest.Daemon+
		"\nExecStopPost=-/bin/systemctl --no-block start "+devicetest.Daemon+"\n")
	d.Up()
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0", DeviceAPI: "ready-after=5s"}))
	d.In(engine.Restarting)
	d.Write("/etc/broken", "", 0o644)
	d.MustRun("systemctl", "kill", "--kill-who=main", "--signal=KILL", devicetest.Daemon)
	d.Logged("Finished ", "-u", devicetest.Rescue)
	d.Answers()
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	d.Logged("Start request repeated too quickly", "-u", devicetest.Daemon)
}

// The shipped unit has the sandbox that was tested, by systemd's own measure.
func TestTheSandbox(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{Config: "[trust]\nfile_capabilities = true\nallow_unsigned = true\n"})
	d.Up()
	for unit, threshold := range map[string]string{devicetest.Daemon: "25", devicetest.Recover: "35", devicetest.Rescue: "30"} {
		out := d.MustRun("systemd-analyze", "security", "--no-pager", "--threshold="+threshold, unit)
		t.Log(strings.TrimSpace(out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]))
	}
	// A hook may say nice: it goes on at the daemon's priority.
	run := []string{"systemd-run", "--wait", "--pipe", "--quiet"}
	for line := range strings.Lines(d.MustRun("systemctl", "cat", devicetest.Daemon)) {
		if strings.HasPrefix(line, "SystemCall") {
			run = append(run, "--property="+strings.TrimSpace(line))
		}
	}
	require.Contains(t, d.MustRun(append(run, "nice", "-n", "5", "echo", "it went on")...), "it went on")

	// Bundles may lie where operators put them.
	for dir, version := range map[string]string{"/tmp": "1.1.0", "/var/tmp": "1.2.0", "/home": "1.3.0"} {
		path := d.Offer(fixtures.Release{Version: version})
		d.MustRun("mv", path, dir+"/")
		d.MustRun(devicetest.Updater, "install", dir+"/tope-"+version+".zip")
		d.Whole(version)
	}
	d.MustRun(devicetest.Updater, "install", capable(t, d, "1.3.0", "1.4.0"))
	caps, err := filecaps.Of(d.Path("/opt/tope/versions/v1.4.0/bin/device-api"))
	require.NoError(t, err)
	require.Equal(t, "cap_net_bind_service=ep", caps.String(), "the sandbox lets it set them")
	d.MustRun(devicetest.Updater, "factory", "create", "--replace")
	d.MustRun(devicetest.Updater, "prune", "--keep", "0")
	d.MustRun(devicetest.Updater, "links")

	// The daemon has the environment of /etc/default, which an operator has not.
	d.Write("/etc/default/tope-updater", "HTTP_PROXY=http://127.0.0.1:9\n", 0o644)
	d.MustRun("systemctl", "restart", devicetest.Daemon)
	d.Answers()
	d.MustRun(devicetest.Updater, "install", "--no-wait", "http://updates.test/release.zip")
	d.Wait("the download tells of the proxy", func() bool {
		return strings.Contains(d.MustRun(devicetest.Updater, "status"), "cannot reach the proxy http://127.0.0.1:9")
	})
	d.MustRun(devicetest.Updater, "cancel")
	require.Empty(t, d.Failed())
}

// capable makes a signed release of an installed one, in which device-api has a
// capability, and returns its path on the device, which trusts its publisher.
func capable(t *testing.T, d *devicetest.Device, installed, version string) string {
	t.Helper()
	dir := t.TempDir()
	run := func(name string, args ...string) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s %s: %s", name, args, out)
	}
	bundler := builttest.Program(t, "tope-bundle", builttest.Version)
	run("cp", "-a", d.Path("/opt/tope/versions/v"+installed), "tree")
	run("setcap", "cap_net_bind_service=ep", "tree/bin/device-api")
	run(bundler, "-q", "keygen", "k")
	run(bundler, "-q", "pack", "tree", "--product", "p", "--version", version, "--level", "1", "--key", "k.key", "-o", "capable.tope")
	d.Put(filepath.Join(dir, "k.pub"), "/etc/tope-updater/keys/k.pub", 0o644)
	return d.Give(filepath.Join(dir, "capable.tope"))
}

// The rights of users at the socket, with the group that sysusers made.
func TestTheSocket(t *testing.T) {
	t.Parallel()
	for name, activated := range map[string]bool{"made by the daemon": false, "held by systemd": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := devicetest.New(t, devicetest.Options{})
			if activated {
				d.Enable("tope-updater.socket", "sockets.target")
			}
			d.Up()
			const socket = "/run/tope-updater/api.sock"
			require.Equal(t, "660 root:tope-updater", strings.TrimSpace(d.MustRun("stat", "-c", "%a %U:%G", socket)))
			d.MustRun("useradd", "--groups", "tope-updater", "fitter")
			d.MustRun("useradd", "stranger")
			as := func(user string, args ...string) string {
				out, err := d.Run(append([]string{"setpriv", "--reuid", user, "--regid", user, "--init-groups", "curl", "-s", "-w", "%{http_code}", "--unix-socket", socket}, args...)...)
				return out + map[bool]string{true: " failed"}[err != nil]
			}
			prune := []string{"-X", "POST", "http://localhost/api/v2/prune"}
			const look = "http://localhost/api/v2/status"
			require.Contains(t, as("fitter", look), "200")
			require.Contains(t, as("fitter", prune...), "202")
			require.Contains(t, as("stranger", look), "000 failed", "the socket's mode keeps them out")
			d.MustRun("chmod", "666", socket)
			require.Contains(t, as("stranger", look), "200")
			denied := as("stranger", prune...)
			require.Contains(t, denied, "foreign-peer")
			require.Contains(t, denied, "403")
			require.Regexp(t, `upkeep: prune\n +by: fitter \(curl, process \d+\)\n`, d.MustRun(devicetest.Updater, "journal", "show", "--all"))

			// TCP goes round nothing, and the kernel tells whose a legacy client is.
			over := func(args ...string) string {
				return d.MustRun(append([]string{"setpriv", "--reuid", "stranger", "--regid", "stranger", "--init-groups", "curl", "-s", "-w", "%{http_code}"}, args...)...)
			}
			require.Contains(t, over("-X", "POST", "http://127.0.0.1:12315/api/v2/prune"), "401")
			require.Contains(t, over("http://127.0.0.1:12315/api/v2/journal"), "401")
			const asked = `{"version":"9.0.0","package_url":"http://127.0.0.1:1/x.zip","package_name":"x.zip","package_size":1,"package_md5":"600aff0f78265dd25bb6907828f916dd"}`
			require.Contains(t, over("-H", "Content-Type: application/json", "-d", asked, "http://127.0.0.1:12315/api/v1.0/download"), `{"code":200,`)
			require.Regexp(t, `asked for by the legacy API's client at 127\.0\.0\.1:\d+, of stranger\n`, d.MustRun(devicetest.Updater, "status"))
			d.MustRun(devicetest.Updater, "cancel")

			// With systemd holding the socket, a request finds a daemon also while it restarts.
			d.MustRun("systemctl", "stop", devicetest.Daemon)
			if activated {
				first := as("fitter", look) // it says at least that the updater is starting
				require.NotContains(t, first, "failed")
				d.Answers()
				require.Contains(t, as("fitter", look), "200")
			} else {
				require.Contains(t, as("fitter", look), "000 failed")
			}
		})
	}
}

// An update stays within the unit's memory limit. Where the kernel has the
// controllers of cgroup v1, which systemd in a container may not use, the test
// itself holds the daemon to the unit's figure.
func TestTheMemoryLimit(t *testing.T) {
	t.Parallel()
	// On a disk in memory, written pages would count without end.
	d := devicetest.New(t, devicetest.Options{OnDisk: true})
	d.Up()
	limit := d.Number(devicetest.Daemon, "MemoryMax")
	require.EqualValues(t, 96<<20, limit)
	peak := limited(t, d, limit)
	big := map[string][]byte{"services/data/big": noise(128 << 20)}
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0", Files: big}))
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	require.Equal(t, "0", d.Property(devicetest.Daemon, "NRestarts"))
	peak()
}

// Exactly the units of the preset are enabled.
func TestThePreset(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{})
	d.Put(builttest.Top()+"/deploy/systemd/90-tope-updater.preset", "/usr/lib/systemd/system-preset/90-tope-updater.preset", 0o644)
	d.Up()
	d.MustRun("systemctl", "disable", devicetest.Daemon, devicetest.Recover)
	d.MustRun("systemctl", "preset", devicetest.Daemon, devicetest.Recover, "tope-updater.socket")
	for unit, want := range map[string]string{devicetest.Daemon: "enabled", devicetest.Recover: "enabled", "tope-updater.socket": "disabled", devicetest.Rescue: "static"} {
		out, _ := d.Run("systemctl", "is-enabled", unit) // it fails for a unit that is not enabled
		require.Equal(t, want, strings.TrimSpace(out), unit)
	}
	d.Kill()
	d.Up()
	d.RecoveredFirst()
}

// A process that the daemon has started does not outlive it: nothing goes on writing.
func TestHelpersEndWithTheDaemon(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{
		Timeout: time.Minute,
		// It passes on the version before, and lingers on the next one.
		Config: "[[service.health]]\nkind = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"test /opt/tope/versions/current -ef /opt/tope/versions/v1.0.0 || exec sleep 7777\"]\ntimeout = \"1m\"\n",
	})
	dropIn(d, devicetest.Daemon, "[Service]\nRestart=no\n")
	d.Symlink("/dev/null", "/etc/systemd/system/"+devicetest.Rescue) // it would run the gate, too
	d.Up()
	helper := func() bool {
		_, err := d.Run("pgrep", "-f", "^sleep 7777")
		return err == nil
	}
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	d.Wait("the helper runs", helper)
	d.MustRun("systemctl", "kill", "--kill-who=main", "--signal=KILL", devicetest.Daemon)
	d.Wait("the daemon has failed", func() bool { return d.Property(devicetest.Daemon, "ActiveState") == "failed" })
	require.False(t, helper())
}
