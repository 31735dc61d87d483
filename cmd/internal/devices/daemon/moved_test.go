package daemon_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// moved is a device whose operator has moved its directories to /data, by hand.
type moved struct {
	*devicetest.Device
	t *testing.T
}

func newMoved(t *testing.T) *moved {
	t.Helper()
	d := &moved{Device: devicetest.New(t, devicetest.Options{}), t: t}
	d.Up()
	d.MustRun("sh", "-c", `
		systemctl stop tope-updater web-server device-api
		mkdir -p /data/bin && mv /opt/tope /data/tope
		sed -i s,/usr/local/bin/,/data/bin/, /etc/systemd/system/device-api.service
		sed -i s,/opt/tope/,/data/tope/, /etc/systemd/system/web-server.service
		printf '[paths]\nversions = "/data/tope/versions"\nshared = "/data/tope/shared"\nservices = "/data/tope/services"\nbin = "/data/bin"\n' >/root/paths
		cat /root/paths /etc/tope-updater/config.toml >/root/config && cp /root/config /etc/tope-updater/config.toml
		systemctl daemon-reload
		`+devicetest.Updater+` links && systemctl start device-api web-server`)
	return d
}

// finding is a line of the doctor's.
type finding struct{ Check, Level, Text, Do, Run string }

// denied are the doctor's findings about the sandbox.
func (d *moved) denied(flags ...string) (all []finding) {
	d.t.Helper()
	out, _ := d.Run("sh", "-c", devicetest.Updater+" doctor --json "+strings.Join(flags, " ")+" 2>/dev/null") // it fails when a finding does
	var said struct{ Findings []finding }
	require.NoError(d.t, json.Unmarshal([]byte(out), &said), out)
	for _, f := range said.Findings {
		if f.Check == "sandbox" && f.Level != "pass" {
			all = append(all, f)
		}
	}
	return all
}

func (d *moved) about(all []finding, key string) finding {
	d.t.Helper()
	at := slices.IndexFunc(all, func(f finding) bool { return strings.Contains(f.Text, "("+key+")") })
	require.GreaterOrEqual(d.t, at, 0, "%s is not in %+v", key, all)
	return all[at]
}

func (d *moved) runs() string {
	return d.MustRun("systemctl", "show", "-p", "InvocationID", devicetest.DeviceAPI, devicetest.WebServer)
}

func (d *moved) status() string { return d.MustRun(devicetest.Updater, "--json", "status") }

// What the configuration moves, the daemon's sandbox does not know. The daemon says so,
// and so does the doctor, before an update is tried and after. An update is refused with
// nothing stopped, and what the advice writes is all that was missing.
func TestMovedPaths(t *testing.T) {
	t.Parallel()
	d := newMoved(t)
	foreseen := d.denied()
	require.Contains(t, d.about(foreseen, "paths.versions").Run, "units", "the doctor foresees it while no daemon runs")
	require.Len(t, foreseen, 4)

	d.MustRun("systemctl", "start", devicetest.Daemon)
	d.Answers()
	d.Logged("the daemon's sandbox cannot write to /data/tope/versions (paths.versions)", "-u", devicetest.Daemon)
	require.Contains(t, d.status(), "cannot write to /data/bin (paths.bin)")
	before := d.runs()
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	u := d.Over()
	require.Equal(t, engine.Failed, u.State, "%+v", u)
	require.Equal(t, "SANDBOX_DENIED", u.Error.Code, "%+v", u.Error)
	require.Equal(t, "local", u.Error.Class)
	require.Contains(t, u.Error.Text, "tope-updater units")
	require.NotContains(t, u.Error.Text, "failing")
	require.Equal(t, before, d.runs(), "no service was stopped")

	seen := d.denied()
	require.Len(t, seen, 4)
	d.MustRun("sh", "-c", strings.ReplaceAll(d.about(seen, "paths.versions").Run, "tope-updater units", devicetest.Updater+" units"))
	d.Answers()
	require.Empty(t, d.denied())
	require.NotContains(t, d.status(), `"denied"`)
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	u = d.Over()
	require.Equal(t, engine.Committed, u.State, "%+v", u.Error)

	// The state and the socket are to move, too: the doctor judges that before a restart.
	d.MustRun("sh", "-c", `sed '/^bin = /a state = "/data/state"\nrun = "/run/edge"' /etc/tope-updater/config.toml >/root/next.toml`)
	daemon := d.Property(devicetest.Daemon, "MainPID")
	next := d.denied("--config", "/root/next.toml")
	require.Contains(t, d.about(next, "paths.state").Run, "--config /root/next.toml units")
	d.about(next, "paths.run")
	require.Len(t, next, 2)
	require.Equal(t, daemon, d.Property(devicetest.Daemon, "MainPID"))
	require.Empty(t, d.denied())

	// This daemon cannot open its journal, and says why for as long as it tries.
	d.MustRun("sh", "-c", `systemctl stop tope-updater && mv /var/lib/tope-updater /data/state && cp /root/next.toml /etc/tope-updater/config.toml`)
	d.about(d.denied(), "paths.state")
	d.about(d.denied(), "paths.run")
	d.MustRun("systemctl", "start", "--no-block", devicetest.Daemon)
	d.Logged("cannot write to /data/state (paths.state)", "-u", devicetest.Daemon)
	d.Logged("cannot open the journal", "-u", devicetest.Daemon)
	require.Equal(t, "activating", d.Property(devicetest.Daemon, "ActiveState"))
	d.MustRun("systemctl", "stop", devicetest.Daemon, devicetest.Rescue)
	d.MustRun(devicetest.Updater, "units")
	d.MustRun("sh", "-c", "systemctl reset-failed; systemctl start tope-updater")
	require.Contains(t, d.MustRun("systemctl", "show", "-p", "RequiresMountsFor", devicetest.Recover), "/data/state")
	require.Empty(t, d.denied())
	d.MustRun(devicetest.Updater, "rollback")

	// At a boot all of it is there again.
	d.Kill()
	d.Boot()
	d.Wait("the API answers", func() bool {
		out, err := d.Run("curl", "-s", "--unix-socket", "/run/edge/api.sock", "http://localhost/api/v2/status")
		return err == nil && strings.Contains(out, `"current":"1.0.0"`)
	})
	require.Equal(t, "success", d.Property(devicetest.Recover, "Result"))
	d.MustRun(devicetest.Updater, "install", d.Offer(fixtures.Release{Version: "1.2.0"}))

	// With everything where it was by default, nothing remains of the drop-ins.
	d.MustRun("sh", "-c", `sed -i '1,/^run = /d' /etc/tope-updater/config.toml && mv /data/state/* /var/lib/tope-updater/ && `+devicetest.Updater+` units`)
	out, _ := d.Run("sh", "-c", "ls -d /etc/systemd/system/tope-updater*.d")
	require.NotContains(t, out, "tope-updater.service.d\n")
	require.NotContains(t, out, "tope-updater.socket.d\n")
}
