package daemon_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// A daemon that is killed is started again and goes on; the processes that it had
// started itself are gone with it.
func TestTheDaemonIsKilled(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{Stable: 3 * time.Second})
	d.Up()
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	d.In(engine.CheckingHealth)
	services := d.Properties("MainPID", devicetest.DeviceAPI)[devicetest.DeviceAPI]["MainPID"]
	before := d.Property(devicetest.Daemon, "MainPID")
	d.MustRun("systemctl", "kill", "--kill-who=main", "--signal=KILL", devicetest.Daemon)
	d.Wait("another daemon", func() bool {
		pid := d.Property(devicetest.Daemon, "MainPID")
		return pid != "0" && pid != before
	})
	d.Answers()
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	require.Equal(t, "1", d.Property(devicetest.Daemon, "NRestarts"))
	require.NotEmpty(t, services)
}

// A daemon in trouble: its bus goes away.
func TestTheBusRestarts(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{Stable: 4 * time.Second})
	d.Up()
	for _, state := range []engine.State{engine.Verifying, engine.CheckingHealth} {
		version := map[engine.State]string{engine.Verifying: "1.1.0", engine.CheckingHealth: "1.2.0"}[state]
		d.Begin(d.Offer(fixtures.Release{Version: version}))
		if state == engine.CheckingHealth {
			d.In(state)
		}
		d.MustRun("systemctl", "restart", "dbus.service")
		require.Equal(t, engine.Committed, d.Over().State)
		d.Whole(version)
	}
	require.Equal(t, "0", d.Property(devicetest.Daemon, "NRestarts"))
}

// The bus is killed while services are started, and so is the daemon: the units
// that were stopped with the services run again afterwards.
func TestNeitherBusNorDaemonIsMissed(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{Unit: "TimeoutStartSec=60", Timeout: 20 * time.Second})
	d.Write("/etc/systemd/system/kiosk.service", "[Unit]\nRequires=web-server.service\nAfter=web-server.service\n[Service]\nExecStart=sleep infinity\n", 0o644)
	d.Write("/etc/systemd/system/poll.service", "[Unit]\nRequires=device-api.service\nAfter=device-api.service\n[Service]\nType=oneshot\nExecStart=true\n", 0o644)
	d.Write("/etc/systemd/system/poll.timer", "[Timer]\nOnActiveSec=20ms\nOnUnitInactiveSec=20ms\nAccuracySec=1ms\n", 0o644)
	d.Up()
	d.MustRun("systemctl", "start", "kiosk.service", "poll.timer")
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0", DeviceAPI: "ready-after=8s"}))
	d.In(engine.Restarting)
	require.Equal(t, "inactive", d.Property("kiosk.service", "ActiveState"))
	require.Equal(t, "inactive", d.Property("poll.timer", "ActiveState"))
	d.MustRun("systemctl", "kill", "--signal=KILL", "dbus.service")
	d.MustRun("systemctl", "kill", "--signal=KILL", devicetest.Daemon)
	d.Answers()
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	require.Equal(t, "active", d.Property("kiosk.service", "ActiveState"))
	require.Equal(t, "active", d.Property("poll.timer", "ActiveState"))
}
