package booted_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/bootedtest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// checking is a device in the midst of a health gate that takes ten seconds.
func checking(t *testing.T) *bootedtest.Device {
	t.Helper()
	d := bootedtest.New(t, bootedtest.Options{Stable: 10 * time.Second, Timeout: 15 * time.Second})
	d.Up()
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	d.In(engine.CheckingHealth)
	return d
}

func TestACutAtTheGate(t *testing.T) {
	t.Parallel()
	d := checking(t)
	d.Kill()
	d.Up()
	recoveredFirst(t, d)
	require.Equal(t, "1.1.0", d.Serves(bootedtest.DeviceAPI), "forward: the gate has not judged yet")
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
}

// Three boots without a commit are one too many: the third is on the old
// version, from the start.
func TestThreeBootsUncommitted(t *testing.T) {
	t.Parallel()
	d := checking(t)
	d.Kill()
	for range 2 { // two boots are what the state may cost
		d.Up()
		recoveredFirst(t, d)
		st, _ := d.Status()
		require.Equal(t, engine.CheckingHealth, st.State)
		d.Kill()
	}
	d.Up()
	recoveredFirst(t, d)
	require.Contains(t, d.MustRun("journalctl", "-b", "-u", bootedtest.Recover), "current now leads to 1.0.0")
	require.Equal(t, engine.RolledBack, d.Over().State)
	d.Whole("1.0.0")
	require.NotContains(t, d.Journal("-b", "-u", bootedtest.DeviceAPI), "device-api 1.1.0:", "the services were not started from it again")
}

// An operator's reboot is just another cut, and no unit that it stops is
// evidence against the release.
func TestARebootWhileSwitching(t *testing.T) {
	t.Parallel()
	// What does not stop at once makes Switching long enough to be seen.
	d := bootedtest.New(t, bootedtest.Options{Unit: "TimeoutStopSec=1s", Release: fixtures.Release{DeviceAPI: "stubborn"}})
	d.Up()
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	d.In(engine.Switching)
	_, _ = d.Run("systemctl", "--no-block", "reboot") // the machine may be gone before it answers
	d.AwaitBoots(2)
	d.Answers()
	recoveredFirst(t, d)
	u := d.Over()
	require.Equal(t, engine.Committed, u.State, "%+v", u)
	d.Whole("1.1.0")
}

// A daemon that is killed is started again and goes on; what it had started
// itself is gone with it.
func TestTheDaemonIsKilled(t *testing.T) {
	t.Parallel()
	d := bootedtest.New(t, bootedtest.Options{Stable: 3 * time.Second})
	d.Up()
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	d.In(engine.CheckingHealth)
	services := properties(t, d, "MainPID", bootedtest.DeviceAPI)[bootedtest.DeviceAPI]["MainPID"]
	before := d.Property(bootedtest.Daemon, "MainPID")
	d.MustRun("systemctl", "kill", "--kill-who=main", "--signal=KILL", bootedtest.Daemon)
	d.Wait("another daemon", func() bool {
		pid := d.Property(bootedtest.Daemon, "MainPID")
		return pid != "0" && pid != before
	})
	d.Answers()
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	require.Equal(t, "1", d.Property(bootedtest.Daemon, "NRestarts"))
	require.NotEmpty(t, services)
}

// A daemon in trouble: its bus goes, and its log.
func TestTheBusRestarts(t *testing.T) {
	t.Parallel()
	d := bootedtest.New(t, bootedtest.Options{Stable: 2 * time.Second})
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
	require.Equal(t, "0", d.Property(bootedtest.Daemon, "NRestarts"))
}

func TestWithoutJournald(t *testing.T) {
	t.Parallel()
	d := bootedtest.New(t, bootedtest.Options{})
	for _, unit := range []string{"systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald-audit.socket", "systemd-journal-flush.service"} {
		d.Symlink("/dev/null", "/etc/systemd/system/"+unit)
	}
	d.Up()
	recoveredFirst(t, d)
	install(t, d, "1.1.0", "", engine.Committed)
	d.Whole("1.1.0")
	install(t, d, "1.2.0", "exit", engine.RolledBack)
	d.Whole("1.1.0")
	d.Kill()
	d.Up()
	recoveredFirst(t, d)
	d.Whole("1.1.0")
}
