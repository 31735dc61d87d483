package origin_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
)

const api = "/usr/local/bin/device-api"

// refused offers a release that the device would not run from, and demands that nothing
// is touched for it, and that the account says why.
func refused(t *testing.T, d *devicetest.Device, r fixtures.Release, why ...string) {
	t.Helper()
	before := d.Property(devicetest.DeviceAPI, "MainPID")
	d.Begin(d.Offer(r))
	u := d.Over()
	require.Equal(t, engine.Failed, u.State, "%+v", u)
	require.Equal(t, before, d.Property(devicetest.DeviceAPI, "MainPID"), "it was not restarted")
	require.Equal(t, "1.0.0", d.Serves(devicetest.WebServer))
	require.Equal(t, "active", d.Property(devicetest.DeviceAPI, "ActiveState"))
	st := d.Answers()
	require.Equal(t, "1.0.0", st.Pointers.Current)
	require.NotNil(t, u.Error)
	for _, text := range why {
		require.Contains(t, u.Error.Text, text)
	}
}

// The service is started again and is well; but it is started from where it always was.
func TestAServiceThatDoesNotFollowTheVersions(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{})
	require.NoError(t, os.Remove(d.Disk(api)))
	require.NoError(t, os.Symlink("/opt/tope/versions/v1.0.0/bin/device-api", d.Disk(api))) // as the predecessor's script made it
	d.Up()
	require.Equal(t, []string{"1.0.0"}, runs(t, d, "device-api").Versions)
	refused(t, d, fixtures.Release{Version: "1.3.0"}, api, "1.0.0")
	require.Equal(t, "1.0.0", d.Serves(devicetest.DeviceAPI))
	refused(t, d, fixtures.Release{Version: "1.4.0", Without: []string{"bin/device-api"}}, api)
	require.Equal(t, "1.0.0", d.Serves(devicetest.DeviceAPI))

	d.MustRun("sh", "-c", "rm "+api+"; cp /opt/tope/versions/v1.0.0/bin/device-api "+api+
		"; mkdir /usr/local/services; cp -r /opt/tope/versions/v1.0.0/services/device-api /usr/local/services; systemctl restart device-api web-server")
	refused(t, d, fixtures.Release{Version: "1.5.0"}, api+", a plain file", "links --adopt")
	refused(t, d, fixtures.Release{Version: "1.6.0", Without: []string{"bin/device-api"}}, api+", a plain file")

	// What the doctor says helps, and it is what the account says.
	plain := runs(t, d, "device-api")
	require.Empty(t, plain.Versions)
	require.Contains(t, plain.Text, "outside the versions: "+api)
	said, err := d.Run(devicetest.Updater, "doctor")
	require.Error(t, err)
	require.Contains(t, said, "nothing that it runs is in a version: "+api+" is not a link through current")
	require.Contains(t, said, "tope-updater links --adopt")
	d.MustRun(devicetest.Updater, "links", "--adopt")
	d.MustRun("systemctl", "restart", devicetest.DeviceAPI)
	require.Contains(t, d.MustRun("sh", "-c", devicetest.Updater+" doctor || true"), "device-api runs from version 1.0.0")
	d.Install("1.7.0", "", engine.Committed)
	d.Whole("1.7.0")
	require.Regexp(t, `(?m)^1\.7\.0 .* device-api web-server `, d.MustRun(devicetest.Updater, "versions"))

	// An old process that is left alone is seen, whatever the pointers say; and so are pointers
	// that somebody has changed.
	d.MustRun("ln", "-sfn", "v1.0.0", "/opt/tope/versions/current")
	require.Equal(t, httpapi.Service{
		Name: "device-api", Running: true, Versions: []string{"1.7.0"}, Text: "runs from 1.7.0, while current leads to 1.0.0",
	}, runs(t, d, "device-api"))
	st := now(t, d)
	require.Equal(t, "1.0.0", st.Pointers.Current)
	d.MustRun("rm", "/opt/tope/versions/current")
	st = now(t, d)
	require.Empty(t, st.Pointers.Current)
	require.Empty(t, st.Strange)
	d.MustRun("ln", "-s", "/tmp", "/opt/tope/versions/current")
	st = now(t, d)
	require.Equal(t, map[string]string{"current": "leads to /tmp, which is not a version"}, st.Strange)
	require.Contains(t, d.MustRun(devicetest.Updater, "status"), "current     leads to /tmp, which is not a version")
}

// now is the device's status, whole.
func now(t *testing.T, d *devicetest.Device) (st httpapi.Status) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(d.MustRun(devicetest.Updater, "status", "--json")), &st))
	return st
}

// runs is what the status tells of a service.
func runs(t *testing.T, d *devicetest.Device, name string) httpapi.Service {
	t.Helper()
	for _, s := range now(t, d).Services {
		if s.Name == name {
			return s
		}
	}
	require.Fail(t, "the status does not have "+name)
	return httpapi.Service{}
}

// scripted is a service that an interpreter runs, and that leaves a process behind when
// it stops; beside it is one that is not in the versions at all.
const scripted = `
[[service]]
name = "scripted"
[[service.health]]
kind = "active"
stable = "300ms"
timeout = "4s"

[[service]]
name = "beside"
outside_versions = true
[[service.health]]
kind = "active"
stable = "300ms"
timeout = "4s"
`

// Perl has its script in memory when it runs, as Python has: no file of the version is open.
const loop = "sleep 1 while 1;\n"

func TestServicesOfInterpretersAndBesideTheVersions(t *testing.T) {
	t.Parallel()
	release := func(version string, files map[string][]byte) fixtures.Release {
		all := map[string][]byte{"services/scripted/run.pl": []byte(loop)}
		for path, data := range files {
			all[path] = data
		}
		return fixtures.Release{Version: version, Files: all}
	}
	d := devicetest.New(t, devicetest.Options{Config: scripted, Release: release("1.0.0", nil)})
	unit := func(name, exec, more string) {
		d.Write("/etc/systemd/system/"+name+".service", "[Service]\nExecStart="+exec+"\n"+more+"\n[Install]\nWantedBy=multi-user.target\n", 0o644)
		d.Enable(name+".service", "multi-user.target")
	}
	unit("scripted", "/usr/bin/perl /opt/tope/services/scripted/run.pl", "User=tope")
	unit("beside", "/usr/bin/sleep infinity", "")
	d.Up()
	d.Begin(d.Offer(release("1.1.0", nil)))
	u := d.Over()
	require.Equal(t, engine.Committed, u.State, "%+v", u)
	require.Equal(t, httpapi.Service{Name: "scripted", Running: true, Versions: []string{"1.1.0"}, Text: "runs from 1.1.0"}, runs(t, d, "scripted"))
	require.Equal(t, httpapi.Service{Name: "beside", Running: true, Versions: []string{}, Outside: true, Text: "runs outside the versions, as it should"}, runs(t, d, "beside"))

	// A process of the old version stays when its service stops.
	sleep, err := os.ReadFile(d.Disk("/usr/bin/sleep"))
	require.NoError(t, err)
	d.MustRun("sh", "-c", "mkdir -p /etc/systemd/system/scripted.service.d && printf '[Service]\\nKillMode=process\\n' >/etc/systemd/system/scripted.service.d/left.conf && systemctl daemon-reload")
	left := release("1.2.0", map[string][]byte{
		"bin/napper":               sleep,
		"services/scripted/run.pl": []byte("fork or exec '/usr/local/bin/napper', '100000';\n" + loop),
	})
	d.Begin(d.Offer(left))
	u = d.Over()
	require.Equal(t, engine.Committed, u.State, "%+v", u)
	d.Begin(d.Offer(release("1.3.0", nil)))
	u = d.Over()
	require.Equal(t, engine.RolledBack, u.State, "%+v", u)
	require.Contains(t, u.Cause.Text+u.Cause.Details, "/opt/tope/versions/v1.2.0/bin/napper")
	d.MustRun("pkill", "napper")
	d.Begin(d.Offer(release("1.4.0", nil)))
	u = d.Over()
	require.Equal(t, engine.Committed, u.State, "%+v", u)
	d.Whole("1.4.0")
}

// A release may bring a new updater, and the daemon's unit stays as it was: without the
// right to look at processes the updater goes by what the units lead to.
func TestAnUpdaterThatMayNotLookAtProcesses(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{})
	d.Write("/etc/systemd/system/tope-updater.service.d/before.conf", "[Service]\nCapabilityBoundingSet=~CAP_SYS_PTRACE\n", 0o644)
	d.Up()
	d.Install("1.1.0", "", engine.Committed)
	d.Whole("1.1.0")
	d.MustRun("sh", "-c", "ln -sfn /opt/tope/versions/v1.1.0/bin/device-api "+api)
	d.Begin(d.Offer(fixtures.Release{Version: "1.2.0"}))
	require.Equal(t, engine.Failed, d.Over().State)
	require.Equal(t, "1.1.0", d.Serves(devicetest.DeviceAPI))
	require.Equal(t, []string{"1.1.0"}, runs(t, d, "web-server").Versions)
}
