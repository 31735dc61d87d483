package powercut_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// An operator's reboot in mid-update is a cut like any other: services that end
// because the system does are not evidence against the release. While no
// service runs, the reboot waits.
func TestAnOperatorReboots(t *testing.T) {
	t.Parallel()
	for _, at := range []engine.State{engine.Restarting, engine.CheckingHealth} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			d := devicetest.New(t, devicetest.Options{Stable: 6 * time.Second, Timeout: 20 * time.Second, Unit: "TimeoutStartSec=60"})
			d.Up()
			d.Begin(d.Offer(fixtures.Release{Version: "1.1.0", DeviceAPI: "ready-after=4s"}))
			held := func() bool { return strings.Contains(d.MustRun("systemd-inhibit", "--list"), "tope-updater") }
			if at == engine.Restarting {
				d.Wait("a shutdown is put off", held)
			}
			d.In(at)
			if at == engine.CheckingHealth {
				d.Wait("a shutdown is not put off any more", func() bool { return !held() })
			}
			d.MustRun("systemctl", "--no-block", "reboot")
			d.AwaitBoots(2)
			d.Answers()
			require.Equal(t, engine.Committed, d.Over().State)
			d.Whole("1.1.0")
			st := d.Answers()
			require.Empty(t, st.Quarantine)
			d.Wait("a shutdown is not put off any more", func() bool { return !held() })
			var said []string
			for _, r := range d.Records(st.Last.ID) {
				if r.Stopped != nil {
					said = append(said, "stopped")
				}
				if r.Spend != nil && r.Spend.By == string(engine.Oneshot) {
					said = append(said, fmt.Sprintf("boot: cost %d, excused %v", r.Spend.Cost, r.Spend.Excused))
				}
			}
			require.Equal(t, []string{"stopped", "boot: cost 0, excused true"}, said)
		})
	}
}

// An operator goes to the rescue shell in mid-update. The jobs that this cancels
// tell nothing of the release: the update goes on when the system does.
func TestAnOperatorGoesToTheRescueShell(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{Stable: time.Second, Timeout: 20 * time.Second, Unit: "TimeoutStartSec=60"})
	d.Up()
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0", DeviceAPI: "ready-after=8s"}))
	d.In(engine.Restarting)
	d.Wait("device-api is started", func() bool { return d.Property(devicetest.DeviceAPI, "ActiveState") == "activating" })
	d.MustRun("systemctl", "isolate", "--no-block", "rescue.target")
	d.Wait("the daemon has ended", func() bool { return d.Property(devicetest.Daemon, "ActiveState") == "inactive" })
	d.MustRun("systemctl", "isolate", "--no-block", "multi-user.target")
	d.Answers()
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	st := d.Answers()
	require.Empty(t, st.Quarantine)
}
