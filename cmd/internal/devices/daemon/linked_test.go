package daemon_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// Default paths that are links to another disk: systemd follows its own settings' links,
// and not those below. The doctor foresees what is denied, the daemon says it, and what the
// advice writes is all that was missing.
func TestLinkedPaths(t *testing.T) {
	t.Parallel()
	d := &moved{Device: devicetest.New(t, devicetest.Options{}), t: t}
	d.Up()
	d.MustRun("sh", "-c", `
		systemctl stop tope-updater web-server device-api
		mkdir /data
		for path in /opt/tope/versions /opt/tope/shared /opt/tope/services /usr/local/bin /etc/tope-updater/keys; do
			mkdir -p $path && mv $path /data/${path##*/} && ln -s /data/${path##*/} $path
		done
		systemctl start device-api web-server`)
	foreseen := d.denied()
	require.Contains(t, d.about(foreseen, "paths.versions").Run, "units", "the doctor foresees it while no daemon runs")
	d.about(foreseen, "paths.shared")
	d.about(foreseen, "paths.services")
	require.Len(t, foreseen, 3, "%+v", foreseen)

	d.MustRun("systemctl", "start", devicetest.Daemon)
	d.Answers()
	d.Logged("the daemon's sandbox cannot write to /opt/tope/versions (paths.versions)", "-u", devicetest.Daemon)
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	u := d.Over()
	require.Equal(t, engine.Failed, u.State, "%+v", u)
	require.Equal(t, "SANDBOX_DENIED", u.Error.Code, "%+v", u.Error)
	seen := d.denied()
	require.Len(t, seen, 3, "of a daemon that runs its own view counts: %+v", seen)
	d.about(seen, "paths.versions")

	// A state directory that is a link keeps systemd from starting the daemon at all.
	d.MustRun("sh", "-c", "systemctl stop tope-updater && mv /var/lib/tope-updater /data/state && ln -s /data/state /var/lib/tope-updater")
	foreseen = d.denied()
	require.Len(t, foreseen, 4, "%+v", foreseen)
	require.Contains(t, foreseen[3].Text, "systemd does not start the daemon: /var/lib/tope-updater is a link")
	_, err := d.Run("systemctl", "start", devicetest.Daemon)
	require.Error(t, err)
	d.Logged("STATE_DIRECTORY", "-u", devicetest.Daemon)
	d.MustRun("systemctl", "stop", devicetest.Daemon, devicetest.Rescue)
	d.MustRun("systemctl", "reset-failed")

	d.MustRun("sh", "-c", strings.ReplaceAll(d.about(foreseen, "paths.versions").Run, "tope-updater units", devicetest.Updater+" units"))
	d.Answers()
	require.Empty(t, d.denied())
	mounts := d.MustRun("systemctl", "show", "-p", "RequiresMountsFor", devicetest.Recover)
	for _, dir := range []string{"versions", "shared", "services", "bin", "state", "keys"} {
		require.Contains(t, mounts, "/data/"+dir)
	}
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	u = d.Over()
	require.Equal(t, engine.Committed, u.State, "%+v", u.Error)

	// At a boot all of it is there again.
	d.Kill()
	d.Boot()
	d.Answers()
	require.Equal(t, "success", d.Property(devicetest.Recover, "Result"))
	require.Empty(t, d.denied())
	d.MustRun(devicetest.Updater, "rollback")
	require.Regexp(t, `"current": *"1.0.0"`, d.status())
}
