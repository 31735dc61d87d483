package preflight_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// device is a device with three services. The third is of type forking, and systemd
// knows no main process of it.
type device struct {
	*devicetest.Device
	t *testing.T
	n int
}

const (
	web     = devicetest.WebServer
	forker  = "forker.service"
	www     = "services/web-server/www/index"
	program = "services/web-server/web-server"
	dropIn  = "/etc/systemd/system/web-server.service.d/50-test.conf"
)

// forks daemonises twice over, without telling anybody which process is the main one.
const forks = "#!/bin/sh\n(while :; do sleep 1000; done) &\n(while :; do sleep 1000; done) &\n"

func files() map[string][]byte {
	return map[string][]byte{www: []byte("x\n"), "bin/forker": []byte(forks)}
}

func newDevice(t *testing.T) *device {
	t.Helper()
	d := &device{t: t, Device: devicetest.New(t, devicetest.Options{
		Release: fixtures.Release{Version: "1.0.0", Files: files()},
		Config:  "\n[[service]]\nname = \"forker\"\n[[service.health]]\nkind = \"active\"\nstable = \"300ms\"\ntimeout = \"3s\"\n[trust]\nunsigned_brings = [\"units\"]\n",
	})}
	d.Write("/etc/systemd/system/"+forker, "[Service]\nType=forking\nGuessMainPID=no\nExecStart=/usr/local/bin/forker\n[Install]\nWantedBy=multi-user.target\n", 0o644)
	d.Enable(forker, "multi-user.target")
	d.Up()
	require.Equal(t, "0", d.Property(forker, "MainPID"))
	require.Empty(t, d.Failed())
	return d
}

// release is the next release, and has what the services need.
func (d *device) release(edit func(*fixtures.Release)) fixtures.Release {
	d.n++
	r := fixtures.Release{Version: fmt.Sprintf("1.%d.0", d.n), Files: files()}
	if edit != nil {
		edit(&r)
	}
	return r
}

// runs tells which processes and starts of units the services consist of.
func (d *device) runs() string {
	d.t.Helper()
	return fmt.Sprint(d.Properties("MainPID,InvocationID,ActiveState", devicetest.DeviceAPI, web, forker))
}

// refused installs a release, and requires that it fails with nothing touched.
func (d *device) refused(t *testing.T, r fixtures.Release, says ...string) {
	t.Helper()
	before := d.runs()
	d.Begin(d.Offer(r))
	u := d.Over()
	require.Equal(t, engine.Failed, u.State, "%+v", u)
	require.Equal(t, before, d.runs(), "no service was stopped")
	st := d.Answers()
	require.Equal(t, "1.0.0", st.Pointers.Current)
	require.Empty(t, st.Quarantine)
	shown := d.MustRun(devicetest.Updater, "journal", "show", u.ID)
	for _, text := range says {
		require.Contains(t, shown, text)
	}
	require.NotNil(t, u.Error)
	require.Contains(t, u.Findings[0].Text, says[0], "the short line may be cut")
	_, err := d.Run("test", "-e", "/opt/tope/versions/v"+r.Version)
	require.Error(t, err, "what was made for it is gone")
	_, err = d.Run("test", "-L", "/opt/tope/versions/.uncommitted")
	require.Error(t, err)
}

// One device is offered one release after the other, each of which does not fit it.
func TestAReleaseThatDoesNotFit(t *testing.T) {
	d := newDevice(t)
	type edit = func(*fixtures.Release)
	for _, c := range []struct {
		name string
		// breaks and repairs are commands on the device.
		breaks, repairs string
		edit            edit
		says            []string
	}{
		{
			name: "a package that has only a configuration file",
			edit: func(r *fixtures.Release) {
				r.Without = []string{"bin/device-api", program}
				r.Files = map[string][]byte{"services/web-server/conf": []byte("x\n")}
			},
			says: []string{
				"device-api.service: ExecStart=/usr/local/bin/device-api leads to /opt/tope/versions/v1.1.0/bin/device-api, which does not exist",
				"web-server.service: ExecStart=/opt/tope/services/web-server/web-server leads to", "forker.service: ExecStart=",
			},
		},
		{
			name: "ExecStart= that leads to nothing", edit: func(r *fixtures.Release) { r.Without = []string{program} },
			says: []string{"web-server.service: ExecStart=/opt/tope/services/web-server/web-server leads to"},
		},
		{
			name:    "WorkingDirectory= that leads to nothing",
			breaks:  "mkdir -p " + dropIn[:strings.LastIndex(dropIn, "/")] + "; printf '[Service]\\nWorkingDirectory=/opt/tope/services/web-server/www\\n' > " + dropIn + "; systemctl daemon-reload; systemctl restart web-server",
			repairs: "rm " + dropIn + "; systemctl daemon-reload; systemctl restart web-server",
			edit:    func(r *fixtures.Release) { delete(r.Files, www) },
			says:    []string{"web-server.service: WorkingDirectory=/opt/tope/services/web-server/www leads to"},
		},
		{
			name: "a unit of the release's own that leads to nothing",
			edit: func(r *fixtures.Release) {
				r.Files["systemd/web-server.service"] = []byte("[Service]\nExecStart=/usr/local/bin/nothing\n[Install]\nWantedBy=multi-user.target\n")
			},
			says: []string{"web-server.service: ExecStart=/usr/local/bin/nothing does not exist"},
		},
		{
			name: "a service that the device does not know", edit: func(r *fixtures.Release) { r.Names = []string{"stranger"} },
			says: []string{"stranger.service, which version"},
		},
		{
			name:    "a new program and a read-only /usr/local/bin",
			breaks:  "mount --bind /usr/local/bin /usr/local/bin && mount -o remount,bind,ro /usr/local/bin && systemctl restart tope-updater",
			repairs: "umount /usr/local/bin && systemctl restart tope-updater",
			edit:    func(r *fixtures.Release) { r.Files["bin/another"] = []byte("#!/bin/sh\n") },
			says:    []string{"no link can be made in /usr/local/bin"},
		},
		{
			name: "directories on the way that are closed", breaks: "chmod 700 /opt/tope", repairs: "chmod 755 /opt/tope",
			says: []string{"/opt/tope has the mode 0700", "which the user tope cannot reach"},
		},
		{
			name:    "a masked service",
			breaks:  "mv /etc/systemd/system/forker.service /root; ln -s /dev/null /etc/systemd/system/forker.service; systemctl daemon-reload",
			repairs: "mv /root/forker.service /etc/systemd/system/forker.service; systemctl daemon-reload",
			says:    []string{"forker.service is masked"},
		},
		{
			name: "a program that cannot be executed", edit: func(r *fixtures.Release) { r.Files["bin/forker"] = []byte("#!/usr/bin/nothing\n") },
			says: []string{`forker.service: ExecStart=/usr/local/bin/forker leads to`, `its interpreter "/usr/bin/nothing" is not on the device`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.breaks != "" {
				d.MustRun("sh", "-c", c.breaks)
				defer func() { d.MustRun("sh", "-c", c.repairs); d.Answers() }()
				d.Answers()
			}
			d.refused(t, d.release(c.edit), c.says...)
		})
	}
	// One that fits is taken, its service without a main process, too.
	r := d.release(nil)
	d.Begin(d.Offer(r))
	u := d.Over()
	require.Equal(t, engine.Committed, u.State, "%+v", u)
	require.Equal(t, "0", d.Property(forker, "MainPID"))
	d.Whole(r.Version)
}

// A service that did not run before the update says nothing against a release when it
// does not run after it either. The update that repairs it is taken.
func TestAServiceThatWasBrokenBefore(t *testing.T) {
	d := newDevice(t)
	d.Spoil("1.0.0", web, "exit")
	_, _ = d.Run("systemctl", "restart", web)
	d.Wait("it is given up", func() bool { return d.Property(web, "ActiveState") == "failed" })
	r := d.release(func(r *fixtures.Release) { r.WebServer = "exit" })
	d.Begin(d.Offer(r))
	u := d.Over()
	require.Equal(t, engine.RolledBack, u.State, "%+v", u)
	require.Contains(t, u.Cause.Text, "it failed before the update, too")
	st := d.Answers()
	require.Empty(t, st.Quarantine)
	require.Equal(t, "1.0.0", d.Serves(devicetest.DeviceAPI))

	r = d.release(nil)
	d.Begin(d.Offer(r))
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole(r.Version)
}

// Would this release fit this device? The answer costs no service a moment.
func TestACheckOfARelease(t *testing.T) {
	d := newDevice(t)
	before, list := d.runs(), d.MustRun("ls", "-A", "/opt/tope/versions")
	good, bad := d.release(nil), d.release(func(r *fixtures.Release) { r.Without, r.Names = []string{program}, []string{"stranger"} })
	said, err := d.Run(devicetest.Updater, "install", "--check", d.Offer(good))
	require.NoError(t, err, said)
	require.Contains(t, said, good.Version+" fits this device; nothing was changed")
	path := d.Offer(bad)
	said, err = d.Run(devicetest.Updater, "install", "--check", path)
	require.ErrorContains(t, err, "exit status 1")
	require.Contains(t, said, "ExecStart=/opt/tope/services/web-server/web-server leads to")
	require.Contains(t, said, "stranger.service", "all that was found is told")

	code, answer := d.Post("install", map[string]any{"url": path, "check": true})
	require.Equal(t, 202, code, answer)
	u := d.Over()
	require.Equal(t, engine.Failed, u.State)
	require.True(t, u.Check)
	require.GreaterOrEqual(t, len(u.Findings), 2)

	require.Equal(t, before, d.runs())
	require.Equal(t, list, d.MustRun("ls", "-A", "/opt/tope/versions"))
	st := d.Answers()
	require.Empty(t, st.Quarantine)

	// The power goes in the midst of a check.
	code, answer = d.Post("install", map[string]any{"url": d.Offer(good), "check": true})
	require.Equal(t, 202, code, answer)
	d.Kill()
	d.Up()
	require.Contains(t, []engine.State{engine.Checked, engine.Failed}, d.Over().State)
	d.Whole("1.0.0")
	require.Equal(t, list, d.MustRun("ls", "-A", "/opt/tope/versions"))
}
