package booted_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/bootedtest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// An operator's reboot in mid-update is a cut like any other: services that end
// because the system does are nobody's fault. While none runs it waits.
func TestAnOperatorReboots(t *testing.T) {
	t.Parallel()
	for _, at := range []engine.State{engine.Restarting, engine.CheckingHealth} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			d := bootedtest.New(t, bootedtest.Options{Stable: 2 * time.Second, Timeout: 10 * time.Second, Unit: "TimeoutStartSec=60"})
			d.Up()
			d.Begin(d.Offer(fixtures.Release{Version: "1.1.0", DeviceAPI: "ready-after=2s"}))
			held := func() bool { return strings.Contains(d.MustRun("systemd-inhibit", "--list"), "tope-updater") }
			if at == engine.Restarting {
				d.Wait("a shutdown is put off", held)
			}
			d.In(at)
			if at == engine.CheckingHealth {
				require.False(t, held())
			}
			d.MustRun("systemctl", "--no-block", "reboot")
			d.AwaitBoots(2)
			d.Answers()
			require.Equal(t, engine.Committed, d.Over().State)
			d.Whole("1.1.0")
			st, _ := d.Status()
			require.Empty(t, st.Quarantine)
			require.False(t, held())
		})
	}
}

// The bus is killed while services are started, and the daemon is, too: what
// was stopped beside the services runs again afterwards.
func TestNeitherBusNorDaemonIsMissed(t *testing.T) {
	t.Parallel()
	d := bootedtest.New(t, bootedtest.Options{Unit: "TimeoutStartSec=60", Timeout: 20 * time.Second})
	d.Write("/etc/systemd/system/kiosk.service", "[Unit]\nRequires=web-server.service\nAfter=web-server.service\n[Service]\nExecStart=sleep infinity\n", 0o644)
	d.Write("/etc/systemd/system/poll.service", "[Unit]\nRequires=device-api.service\nAfter=device-api.service\n[Service]\nType=oneshot\nExecStart=true\n", 0o644)
	d.Write("/etc/systemd/system/poll.timer", "[Timer]\nOnActiveSec=20ms\nOnUnitInactiveSec=20ms\nAccuracySec=1ms\n", 0o644)
	d.Up()
	d.MustRun("systemctl", "start", "kiosk.service", "poll.timer")
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0", DeviceAPI: "ready-after=3s"}))
	d.In(engine.Restarting)
	require.Equal(t, "inactive", d.Property("kiosk.service", "ActiveState"))
	require.Equal(t, "inactive", d.Property("poll.timer", "ActiveState"))
	d.MustRun("systemctl", "kill", "--signal=KILL", "dbus.service")
	d.MustRun("systemctl", "kill", "--signal=KILL", bootedtest.Daemon)
	d.Answers()
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	require.Equal(t, "active", d.Property("kiosk.service", "ActiveState"))
	require.Equal(t, "active", d.Property("poll.timer", "ActiveState"))
}

// A service that could not be started again stops an update before it has
// touched anything, and costs no release its good name.
func TestAMaskedService(t *testing.T) {
	t.Parallel()
	d := bootedtest.New(t, bootedtest.Options{})
	d.Up()
	before := d.Property(bootedtest.DeviceAPI, "MainPID")
	// A unit whose file is in /etc can't be masked but for this boot.
	d.MustRun("systemctl", "stop", bootedtest.WebServer)
	d.MustRun("sh", "-c", "mv /etc/systemd/system/web-server.service /root; ln -s /dev/null /etc/systemd/system/web-server.service; systemctl daemon-reload")
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	u := d.Over()
	require.Equal(t, engine.Failed, u.State)
	require.Contains(t, u.Error.Text, "web-server.service is masked; run systemctl unmask web-server.service")
	require.Equal(t, before, d.Property(bootedtest.DeviceAPI, "MainPID"), "it was not restarted")
	st, _ := d.Status()
	require.Equal(t, "1.0.0", st.Pointers.Current)
	require.Empty(t, st.Quarantine)
	d.MustRun("sh", "-c", "mv /root/web-server.service /etc/systemd/system/web-server.service; systemctl daemon-reload")
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
}

// An operator goes to the rescue shell in mid-update. The jobs that this cancels
// tell nothing of the release: the update goes on when the system does.
func TestAnOperatorGoesToTheRescueShell(t *testing.T) {
	t.Parallel()
	d := bootedtest.New(t, bootedtest.Options{Stable: time.Second, Timeout: 20 * time.Second, Unit: "TimeoutStartSec=60"})
	d.Up()
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0", DeviceAPI: "ready-after=3s"}))
	d.In(engine.Restarting)
	d.Wait("device-api is started", func() bool { return d.Property(bootedtest.DeviceAPI, "ActiveState") == "activating" })
	d.MustRun("systemctl", "isolate", "--no-block", "rescue.target")
	d.Wait("the daemon has ended", func() bool { return d.Property(bootedtest.Daemon, "ActiveState") == "inactive" })
	d.MustRun("systemctl", "isolate", "--no-block", "multi-user.target")
	d.Answers()
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	st, _ := d.Status()
	require.Empty(t, st.Quarantine)
}
