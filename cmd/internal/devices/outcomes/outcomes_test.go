package outcomes_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

func TestAGoodUpdate(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{})
	d.Up()
	require.Empty(t, d.Failed())
	d.Whole("1.0.0")
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	d.Wait("systemd is told", func() bool { return strings.Contains(d.Property(devicetest.Daemon, "StatusText"), "current is 1.1.0") })
	d.MustRun(devicetest.Updater, "rollback")
	d.Whole("1.0.0")
	require.Empty(t, d.Failed())
}

// Every way in which a release can be bad leads back to the old version, which is
// down only as long as the way back takes. The next good release is installed.
func TestABadReleaseRollsBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		release fixtures.Release
		options devicetest.Options
	}{
		"exits at once":           {release: fixtures.Release{DeviceAPI: "exit"}},
		"dies after 3 s":          {release: fixtures.Release{DeviceAPI: "die-after=3s"}, options: devicetest.Options{Stable: 5 * time.Second, Timeout: 8 * time.Second}},
		"is never healthy":        {release: fixtures.Release{WebServer: "unhealthy"}},
		"never answers":           {release: fixtures.Release{WebServer: "hang"}},
		"hangs in start":          {release: fixtures.Release{WebServer: "ready-after=1h"}},
		"hangs in stop":           {release: fixtures.Release{DeviceAPI: "stubborn unhealthy"}, options: devicetest.Options{Unit: "TimeoutStopSec=1h"}},
		"is healthy but restarts": {release: fixtures.Release{DeviceAPI: "die-after=700ms"}, options: devicetest.Options{Stable: 2 * time.Second, Timeout: 4 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := devicetest.New(t, c.options)
			d.Up()
			c.release.Version = "1.1.0"
			d.Begin(d.Offer(c.release))
			u := d.Over()
			require.Equal(t, engine.RolledBack, u.State, "%+v", u)
			d.Whole("1.0.0")
			st := d.Answers()
			require.Len(t, st.Quarantine, 1)
			d.Begin(d.Offer(fixtures.Release{Version: "1.2.0"}))
			require.Equal(t, engine.Committed, d.Over().State)
			d.Whole("1.2.0")
		})
	}
}

// The old version has stopped working in the meantime, so the factory's is next. When
// that one is dead too, a person has to come, but the API is up and takes a good release.
func TestWhenTheWayBackIsBarred(t *testing.T) {
	t.Parallel()
	dying := func(t *testing.T, spoilt ...string) *devicetest.Device {
		d := devicetest.New(t, devicetest.Options{Timeout: 6 * time.Second})
		d.Up()
		d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
		require.Equal(t, engine.Committed, d.Over().State)
		d.Begin(d.Offer(fixtures.Release{Version: "1.2.0", DeviceAPI: "unhealthy"}))
		d.In(engine.CheckingHealth)
		for _, version := range spoilt {
			d.Spoil(version, devicetest.DeviceAPI, "exit")
		}
		return d
	}
	t.Run("previous", func(t *testing.T) {
		t.Parallel()
		d := dying(t, "1.1.0")
		require.Equal(t, engine.FellBack, d.Over().State)
		require.Equal(t, "1.0.0", d.Serves(devicetest.DeviceAPI))
		d.Whole("1.0.0")
	})
	t.Run("previous and factory", func(t *testing.T) {
		t.Parallel()
		d := dying(t, "1.1.0", "1.0.0")
		require.Equal(t, engine.NeedsAttention, d.Over().State)
		st := d.Answers()
		require.Equal(t, "1.1.0", st.Pointers.Current, "the version that ran before the update, not the oldest one")
		_, err := d.Run("curl", "-sf", "http://127.0.0.1:12315/api/v1.0/progress")
		require.NoError(t, err, "the API is up")
		require.Equal(t, "active", d.Property(devicetest.Daemon, "ActiveState"))
		d.Begin(d.Offer(fixtures.Release{Version: "1.3.0"}))
		require.Equal(t, engine.Committed, d.Over().State)
		d.Whole("1.3.0")
	})
}

// A release that ties the updater to one of its units must not end the updater:
// the device would have neither services nor a program to start them.
func TestAReleaseThatTiesTheUpdater(t *testing.T) {
	t.Parallel()
	for name, tie := range map[string]string{
		"required": "[Service]\nExecStart=sleep infinity\n[Install]\nRequiredBy=tope-updater.service\n",
		"conflict": "[Unit]\nConflicts=tope-updater.service\n[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := devicetest.New(t, devicetest.Options{Config: "\n[trust]\nunsigned_brings = [\"units\"]\n"})
			d.Up()
			for _, version := range []string{"1.1.0", "1.2.0"} {
				d.Begin(d.Offer(fixtures.Release{Version: version, Files: map[string][]byte{"systemd/tie.service": []byte(tie)}}))
				require.Equal(t, engine.Committed, d.Over().State)
				d.Whole(version)
			}
			require.Equal(t, "0", d.Property(devicetest.Daemon, "NRestarts"))
		})
	}
}

// A service that could not be started again stops an update before the update has
// touched anything, and the release is not put into quarantine.
func TestAMaskedService(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{})
	d.Up()
	before := d.Property(devicetest.DeviceAPI, "MainPID")
	// A unit whose file is in /etc can only be masked for this boot.
	d.MustRun("systemctl", "stop", devicetest.WebServer)
	d.MustRun("sh", "-c", "mv /etc/systemd/system/web-server.service /root; ln -s /dev/null /etc/systemd/system/web-server.service; systemctl daemon-reload")
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	u := d.Over()
	require.Equal(t, engine.Failed, u.State)
	require.Contains(t, u.Error.Text, "web-server.service is masked; run systemctl unmask web-server.service")
	require.Equal(t, before, d.Property(devicetest.DeviceAPI, "MainPID"), "it was not restarted")
	st := d.Answers()
	require.Equal(t, "1.0.0", st.Pointers.Current)
	require.Empty(t, st.Quarantine)
	d.MustRun("sh", "-c", "mv /root/web-server.service /etc/systemd/system/web-server.service; systemctl daemon-reload")
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
}

// The first boot of a device with the updater and nothing else is quiet, and the
// device takes its first version.
func TestNothingIsInstalledYet(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{})
	for _, dir := range []string{"/opt/tope", "/var/lib/tope-updater"} {
		require.NoError(t, os.RemoveAll(d.Disk(dir)))
	}
	// The package's scripts do the same.
	out, err := exec.Command("systemd-tmpfiles", "--root="+d.Disk("/"), "--create", "--prefix=/opt/tope", "--prefix=/var/lib/tope-updater").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, unit := range []string{devicetest.DeviceAPI, devicetest.WebServer} {
		require.NoError(t, os.Remove(d.Disk("/etc/systemd/system/multi-user.target.wants/"+unit)))
	}
	d.Up()
	require.Empty(t, d.Failed())
	d.RecoveredFirst()
	d.Install("1.1.0", "", engine.Committed)
	d.Whole("1.1.0")
}
