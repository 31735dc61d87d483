package outcomes_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// simple are units that count as started when their program has been executed: only
// the gate sees how long it takes until they answer.
const simple = "Type=simple\nTimeoutStartSec=5min\n"

// A check whose limit is shorter than what the device needs is not the release's fault:
// the device goes back, not further, the release is not in quarantine, and the account
// says what to change. With that changed the same release is installed.
func TestALimitThatIsTooShortForTheDevice(t *testing.T) {
	t.Parallel()
	const slow = "ready-after=5s"
	d := devicetest.New(t, devicetest.Options{
		Release: fixtures.Release{WebServer: slow}, Timeout: 3 * time.Second, Unit: simple,
	})
	d.Up()
	answers := func() {
		d.Wait("the web server answers", func() bool {
			_, err := d.Run("curl", "-sf", "http://127.0.0.1:8080/")
			return err == nil
		})
	}
	answers()
	offer := d.Offer(fixtures.Release{Version: "1.1.0", WebServer: slow})
	out, err := d.Run(devicetest.Updater, "install", offer)
	require.Error(t, err)
	u := d.Over()
	require.Equal(t, engine.RolledBack, u.State, "%+v %+v", u.Cause, u.Error)
	require.Equal(t, "late", u.Cause.Class)
	d.Whole("1.0.0")
	st := d.Answers()
	require.Empty(t, st.Quarantine)
	require.Regexp(t, `web-server: http http://127.0.0.1:8080/.*: version 1.0.0 needs [\d.]+s, and 3s were allowed: raise the timeout of the check`, out)

	answers()
	d.MustRun("sed", "-i", `s/timeout = "3s"/timeout = "20s"/`, "/etc/tope-updater/config.toml")
	d.MustRun("systemctl", "restart", devicetest.Daemon)
	d.Answers()
	d.Begin(offer)
	u = d.Over()
	require.Equal(t, engine.Committed, u.State, "%+v", u.Error)
	d.Whole("1.1.0")
}

// The verdict on a program that exits at once falls at once: the device is not dark for
// as long as the other checks would be waited for.
func TestAProgramThatExitsAtOnceIsRolledBackAtOnce(t *testing.T) {
	t.Parallel()
	for name, unit := range map[string]string{
		"and stays so":              simple + "Restart=no\n",
		"and is restarted later":    simple + "RestartSec=1min\n",
		"and reaches a start limit": simple + "Restart=always\nRestartSec=100ms\nStartLimitIntervalSec=20\nStartLimitBurst=3\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := devicetest.New(t, devicetest.Options{Timeout: 40 * time.Second, Unit: unit})
			d.Up()
			d.Begin(d.Offer(fixtures.Release{Version: "1.1.0", DeviceAPI: "exit"}))
			u := d.Over()
			require.Equal(t, engine.RolledBack, u.State, "%+v", u.Error)
			// It may be gone before the service that requires it is started.
			require.Regexp(t, `device-api is (failed|activating)|restart web-server.*dependency`, u.Cause.Text)
			require.NotContains(t, u.Cause.Text, "not within")
			st := d.Answers()
			require.Len(t, st.Quarantine, 1)
			var took time.Duration
			for _, r := range d.Records(u.ID) {
				// systemd has the web server wait for a device-api that it starts again later.
				if r.From == engine.Restarting || r.From == engine.CheckingHealth {
					took += r.Took
				}
			}
			require.Less(t, took, 20*time.Second, "it waited for checks that could not change its verdict")
		})
	}
}
