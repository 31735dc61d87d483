package powercut_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// checking is a device in the midst of a health gate that takes longer than a boot.
func checking(t *testing.T) *devicetest.Device {
	t.Helper()
	d := devicetest.New(t, devicetest.Options{Stable: 20 * time.Second, Timeout: 40 * time.Second})
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
	d.RecoveredFirst()
	require.Equal(t, "1.1.0", d.Serves(devicetest.DeviceAPI), "forward: the gate has not judged yet")
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
}

// Three boots without a commit are one too many: the third starts the
// old version from the beginning.
func TestThreeBootsUncommitted(t *testing.T) {
	t.Parallel()
	d := checking(t)
	d.Kill()
	for range 2 { // two boots are what the state may cost
		d.Up()
		d.RecoveredFirst()
		st := d.Answers()
		require.Equal(t, engine.CheckingHealth, st.State)
		d.Kill()
	}
	d.Up()
	d.RecoveredFirst()
	d.Wait("recover tells that it went back", func() bool {
		// Only recover prints it. journald does not know the unit of a line whose process
		// has ended before it looked.
		said, _ := d.Run("journalctl", "-b")
		return strings.Contains(said, "current now leads to 1.0.0")
	})
	require.Equal(t, engine.RolledBack, d.Over().State)
	d.Whole("1.0.0")
	require.NotContains(t, d.Journal("-b", "-u", devicetest.DeviceAPI), "device-api 1.1.0:", "the services were not started from it again")
}

// An operator's reboot is just another cut, and no unit that it stops is
// evidence against the release.
func TestARebootWhileSwitching(t *testing.T) {
	t.Parallel()
	// A service that does not stop at once makes Switching long enough to be seen.
	d := devicetest.New(t, devicetest.Options{Unit: "TimeoutStopSec=4s", Release: fixtures.Release{DeviceAPI: "stubborn"}})
	d.Up()
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	d.In(engine.Switching)
	_, _ = d.Run("systemctl", "--no-block", "reboot") // the machine may be gone before it answers
	d.AwaitBoots(2)
	d.Answers()
	d.RecoveredFirst()
	u := d.Over()
	require.Equal(t, engine.Committed, u.State, "%+v", u)
	d.Whole("1.1.0")
}
