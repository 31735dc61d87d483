package daemon_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// serve checks that the services run, from a version.
func serve(t *testing.T, d *devicetest.Device, version string) {
	t.Helper()
	for _, unit := range []string{devicetest.DeviceAPI, devicetest.WebServer} {
		require.Equal(t, "active", d.Property(unit, "ActiveState"), unit)
		d.Wait(unit+" serves "+version, func() bool { return strings.Contains(d.Serves(unit), version) })
	}
}

// A daemon that is killed in the gate, three times, says nothing of the release.
func TestAKilledDaemonIsNotEvidence(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{Stable: 4 * time.Second, Timeout: 20 * time.Second})
	dropIn(d, devicetest.Daemon, "[Service]\nRestartSec=100ms\n")
	d.Up()
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	for range 3 {
		d.In(engine.CheckingHealth)
		before := d.Property(devicetest.Daemon, "MainPID")
		d.MustRun("systemctl", "kill", "--kill-who=main", "--signal=KILL", devicetest.Daemon)
		d.Wait("another daemon", func() bool {
			pid := d.Property(devicetest.Daemon, "MainPID")
			return pid != "0" && pid != before
		})
		d.Answers()
	}
	require.Equal(t, engine.Committed, d.Over().State)
	st := d.Answers()
	require.Empty(t, st.Quarantine)
}

// An operator restarts the daemon as often as he likes, and stops it in the middle of
// a switch: the services run again when it has ended, and it goes on when it is back.
func TestTheDaemonIsStopped(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{Unit: "TimeoutStartSec=60", Timeout: 20 * time.Second})
	// Its watchdog is shorter than the start that it waits for.
	dropIn(d, devicetest.Daemon, "[Service]\nWatchdogSec=6s\n")
	d.Up()
	for range 8 {
		d.MustRun("systemctl", "restart", devicetest.Daemon)
	}
	d.Answers()
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0", DeviceAPI: "ready-after=12s"}))
	d.In(engine.Restarting)
	d.Wait("no service runs", func() bool { return d.Property(devicetest.WebServer, "ActiveState") == "inactive" })
	d.MustRun("systemctl", "stop", devicetest.Daemon)
	serve(t, d, "1.1.0")
	require.Equal(t, "success", d.Property(devicetest.Daemon, "Result"))
	d.MustRun("systemctl", "start", devicetest.Daemon)
	d.Answers()
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
}

// Without a daemon the verb is the updater. Its terminal goes away, or somebody
// presses ctrl-C, twice, between stop and start; the reader of its output goes away.
func TestAVerbIsInterrupted(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{Unit: "TimeoutStartSec=60", Timeout: 40 * time.Second})
	d.Up()
	d.MustRun("systemctl", "stop", devicetest.Daemon)
	for version, signal := range map[string]string{"1.1.0": "HUP", "1.2.0": "INT"} {
		path := d.Offer(fixtures.Release{Version: version, DeviceAPI: "ready-after=15s"})
		d.MustRun("systemd-run", "--unit=verb", "--property=RemainAfterExit=no", "--property=IgnoreSIGPIPE=no", devicetest.Updater, "install", path)
		d.Wait("the services are stopped", func() bool {
			return d.Property(devicetest.WebServer, "ActiveState") == "inactive" && d.Property(devicetest.DeviceAPI, "ActiveState") == "activating"
		})
		kill := "systemctl kill --kill-who=main --signal=" + signal + " verb.service"
		d.MustRun("sh", "-c", kill+" && "+kill) // both before device-api is ready, and the verb ends
		d.Wait("the verb has ended", func() bool { return d.Property("verb.service", "MainPID") == "0" })
		serve(t, d, version)
		_, err := d.Run(devicetest.Updater, "prune")
		require.Error(t, err, "it is refused")
		d.MustRun(devicetest.Updater, "recover", "--finish")
		d.MustRun("systemctl", "reset-failed")
	}
	path := d.Offer(fixtures.Release{Version: "1.3.0", DeviceAPI: "ready-after=1s"})
	d.MustRun("sh", "-c", devicetest.Updater+" install "+path+" | head -1")
	d.Wait("it is current", func() bool { return strings.Contains(d.MustRun(devicetest.Updater, "status"), "Idle") })
	serve(t, d, "1.3.0")
}

// systemctl reload says what is wrong with a new configuration, and the daemon goes on
// with the old one. A good one is in force when it returns, without a restart.
func TestReload(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{})
	d.Up()
	const file = "/etc/tope-updater/config.toml"
	pid := d.Property(devicetest.Daemon, "MainPID")
	good := d.MustRun("cat", file)
	d.Write(file, good+"\n[recovery]\nbudget = 0\n", 0o644)
	_, err := d.Run("systemctl", "reload", devicetest.Daemon)
	require.Error(t, err)
	d.Logged("recovery.budget", "-u", devicetest.Daemon)
	d.Answers()
	trusts := func() string { return d.Answers().Trust }
	require.NotContains(t, trusts(), "signature is demanded")
	d.Write(file, good+"\n[trust]\nrequire_signature = true\n", 0o644)
	d.MustRun("systemctl", "reload", devicetest.Daemon)
	require.Contains(t, trusts(), "signature is demanded")
	d.Write(file, good, 0o644)
	d.MustRun("systemctl", "kill", "--kill-who=main", "--signal=HUP", devicetest.Daemon)
	d.Wait("it is read anew", func() bool { return !strings.Contains(trusts(), "signature is demanded") })
	d.Install("1.1.0", "", engine.Committed)
	require.Equal(t, pid, d.Property(devicetest.Daemon, "MainPID"))
	require.Empty(t, d.Failed())
}
