package unitfiles_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
)

func TestUnitsComeAndGoWithTheirRelease(t *testing.T) {
	t.Parallel()
	d := newDevice(t, "", "old")
	d.Up()
	require.Equal(t, "RELEASE=1.0.0", d.Property("device-api.service", "Environment"))
	require.Equal(t, "active", d.Property("old.service", "ActiveState"))
	require.Contains(t, d.Property("device-api.service", "After"), "tope-updater-recover.service")
	require.Contains(t, d.Property("old.service", "After"), "tope-updater-recover.service")

	// A good update: changed units are used, a new one runs, one that is gone is stopped.
	d.MustRun(updater, "install", d.Offer(release("1.1.0", "", "fresh")))
	require.Equal(t, []string{"1.0.0", "1.1.0"}, d.starts("device-api.service"))
	require.Equal(t, "RELEASE=1.1.0", d.Property("device-api.service", "Environment"))
	require.Equal(t, "active", d.Property("fresh.service", "ActiveState"))
	require.Equal(t, "enabled", d.Property("fresh.service", "UnitFileState"))
	require.Equal(t, "not-found", d.Property("old.service", "LoadState"))
	require.Equal(t, "inactive", d.Property("old.service", "ActiveState"))
	require.Contains(t, d.MustRun(updater, "--json", "journal", "show"), `/etc/systemd/system/fresh.service`)

	// A bad update: everything is as before.
	d.forget()
	out, err := d.Run(updater, "install", d.Offer(release("1.2.0", "unhealthy", "worse")))
	require.ErrorContains(t, err, "exit status 12", out)
	require.Equal(t, []string{"1.2.0", "1.1.0"}, d.starts("device-api.service"))
	require.Equal(t, []string{"1.2.0"}, d.starts("worse.service"))
	require.Equal(t, "RELEASE=1.1.0", d.Property("device-api.service", "Environment"))
	require.Equal(t, "active", d.Property("fresh.service", "ActiveState"))
	require.Equal(t, "inactive", d.Property("worse.service", "ActiveState"))
	require.Equal(t, "not-found", d.Property("worse.service", "LoadState"))

	// Back by hand: what 1.0.0 had is back too.
	d.MustRun(updater, "rollback", "--to", "1.0.0")
	require.Equal(t, "active", d.Property("old.service", "ActiveState"))
	require.Equal(t, "not-found", d.Property("fresh.service", "LoadState"))
	require.Equal(t, "inactive", d.Property("fresh.service", "ActiveState"))
	d.MustRun(updater, "units", "--check")

	// A reboot finds everything enabled.
	d.Kill()
	d.Up()
	require.Equal(t, "active", d.Property("old.service", "ActiveState"))
	require.Empty(t, d.Failed())
}

// A new service that fails is the release's fault, as a configured one's is.
func TestABroughtServiceIsJudged(t *testing.T) {
	t.Parallel()
	d := newDevice(t, "")
	d.Up()
	r := release("1.1.0", "", "fresh")
	r.Files["systemd/fresh.service"] = unit("1.1.0", "/bin/false")
	out, err := d.Run(updater, "install", d.Offer(r))
	require.ErrorContains(t, err, "exit status 12", out)
	require.Contains(t, out, "fresh")
	require.Equal(t, "not-found", d.Property("fresh.service", "LoadState"))

	r = release("1.2.0", "")
	r.Files["systemd/dbus.service"] = unit("1.2.0", "/bin/false")
	_, err = d.Run(updater, "install", d.Offer(r))
	require.Error(t, err, "a unit that is not a release's to give")
	require.Equal(t, "RELEASE=1.0.0", d.Property("device-api.service", "Environment"))
}

// What a release may not bring is refused with nothing touched: a unit in a package that
// nobody vouches for, and one whose name an operator's unit has.
func TestUnitsThatMayNotCome(t *testing.T) {
	t.Parallel()
	d := newDevice(t, "")
	d.Write("/etc/systemd/system/theirs.service", "[Service]\nExecStart=/bin/sleep 1000000\n[Install]\nWantedBy=multi-user.target\n", 0o644)
	d.Enable("theirs.service", "multi-user.target")
	d.Up()
	before := d.Properties("InvocationID", "device-api.service", "theirs.service")
	out, err := d.Run(updater, "install", d.Offer(release("1.1.0", "", "theirs")))
	require.ErrorContains(t, err, "exit status 1", out)
	require.Contains(t, out, "brings a unit theirs.service, and this device has one of its own, /etc/systemd/system/theirs.service")
	require.Equal(t, before, d.Properties("InvocationID", "device-api.service", "theirs.service"))

	config := string(read(t, d.Disk("/etc/tope-updater/config.toml")))
	d.Write("/etc/tope-updater/config.toml", strings.Replace(config, `unsigned_brings = ["units"]`, "", 1), 0o644)
	d.MustRun(updater, "reload")
	out, err = d.Run(updater, "install", d.Offer(release("1.2.0", "", "fresh")))
	require.ErrorContains(t, err, "exit status 10", out)
	require.Contains(t, out, `unsigned_brings = ["units"]`)
	require.Equal(t, before, d.Properties("InvocationID", "device-api.service", "theirs.service"))

	d.Write("/etc/tope-updater/config.toml", config+"[units]\nallow = [\"*\", \"theirs.service\"]\n", 0o644)
	d.MustRun(updater, "reload")
	d.MustRun(updater, "install", d.Offer(release("1.3.0", "", "theirs")))
	require.Equal(t, "RELEASE=1.3.0", d.Property("theirs.service", "Environment"))
}

func TestACutBetweenFlipAndUnitFiles(t *testing.T) {
	t.Parallel()
	d := newDevice(t, "", "old")
	d.Up()
	// The gate waits for a service that is never healthy.
	d.MustRun(updater, "install", "--no-wait", d.Offer(release("1.1.0", "unhealthy", "fresh")))
	d.Wait("the gate", func() bool { return d.status().State == engine.CheckingHealth })
	d.Kill()
	// As if the power had gone before the unit files followed.
	for _, name := range []string{"device-api.service", "web-server.service"} {
		d.Write("/etc/systemd/system/"+name, string(read(t, d.Disk("/opt/tope/versions/v1.0.0/systemd/"+name))), 0o644)
	}
	d.forget()
	d.Up()
	require.Equal(t, "1.1.0", d.starts("device-api.service")[0], "recover had the unit files follow before the services started")
	d.Over()
	require.Equal(t, "RELEASE=1.0.0", d.Property("device-api.service", "Environment"))
	require.Equal(t, "active", d.Property("old.service", "ActiveState"))
	require.Equal(t, "not-found", d.Property("fresh.service", "LoadState"))
	require.Equal(t, "1.0.0", d.status().Pointers.Current)
}

// Three boots without a commit: recover goes back, and the old
// version starts under its old units.
func TestASpentBudgetPutsTheUnitFilesBack(t *testing.T) {
	t.Parallel()
	d := newDevice(t, "", "old")
	d.Up()
	d.MustRun(updater, "install", "--no-wait", d.Offer(release("1.1.0", "unhealthy", "fresh")))
	d.Wait("the gate", func() bool { return d.status().State == engine.CheckingHealth })
	for range 3 {
		d.Kill()
		d.forget()
		d.Start()
		d.Wait("device-api is started", func() bool { return len(d.starts("device-api.service")) > 0 })
	}
	require.Equal(t, "1.0.0", d.starts("device-api.service")[0], "before any service starts")
	d.Await()
	d.Over()
	require.Empty(t, d.starts("fresh.service"))
	require.Equal(t, "active", d.Property("old.service", "ActiveState"))
	require.Equal(t, "RolledBack", string(d.status().Last.State))
}

// After an installation without a reboot, recover has not run in this boot, and
// every service wants it: an update must not wait for it.
func TestAnUpdateDoesNotWaitForRecover(t *testing.T) {
	t.Parallel()
	d := newDevice(t, "")
	d.Up()
	d.MustRun("systemctl", "stop", "tope-updater-recover.service")
	d.MustRun(updater, "install", d.Offer(release("1.1.0", "")))
	require.Equal(t, "active", d.Property("tope-updater-recover.service", "ActiveState"))
	require.Empty(t, d.Failed())
	require.NotContains(t, d.MustRun(updater, "--json", "journal", "show"), "HEALTH_CHECK_FAILED")
	require.Less(t, d.downtime(), 30*time.Second, "recover waits for the daemon, which waits for it: until its limit of a minute")
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// Sockets and timers come and go with their services.
func TestTriggersComeAndGo(t *testing.T) {
	t.Parallel()
	d := newDevice(t, "")
	d.Up()
	r := release("1.1.0", "")
	r.Files["systemd/tick.timer"] = []byte("[Timer]\nOnActiveSec=1h\n[Install]\nWantedBy=timers.target\n")
	r.Files["systemd/tick.service"] = []byte("[Service]\nType=oneshot\nExecStart=/bin/true\n")
	r.Files["systemd/say.socket"] = []byte("[Socket]\nListenStream=/run/say.sock\n[Install]\nWantedBy=sockets.target\n")
	r.Files["systemd/say.service"] = []byte("[Service]\nExecStart=/bin/sleep 1000000\n")
	d.MustRun(updater, "install", d.Offer(r))
	require.Equal(t, "active", d.Property("tick.timer", "ActiveState"))
	require.Equal(t, "active", d.Property("say.socket", "ActiveState"))
	require.Equal(t, "inactive", d.Property("say.service", "ActiveState"), "nobody has asked for it")

	// The next release has them too; the service that the socket had
	// started runs from the old one.
	d.MustRun("systemctl", "start", "say.service")
	r2 := release("1.2.0", "")
	for name, text := range r.Files {
		if r2.Files[name] == nil {
			r2.Files[name] = text
		}
	}
	d.MustRun(updater, "install", d.Offer(r2))
	require.Equal(t, "active", d.Property("tick.timer", "ActiveState"))
	require.Equal(t, "active", d.Property("say.socket", "ActiveState"))

	d.MustRun(updater, "rollback", "--to", "1.0.0")
	for _, unit := range []string{"tick.timer", "tick.service", "say.socket", "say.service"} {
		require.Equal(t, "not-found", d.Property(unit, "LoadState"), unit)
		require.Equal(t, "inactive", d.Property(unit, "ActiveState"), unit)
	}
	require.Empty(t, d.Failed())
}

// A oneshot that remains is stopped with its version, and so is started again afterwards.
func TestAOneshotThatRemains(t *testing.T) {
	t.Parallel()
	d := newDevice(t, "")
	d.Up()
	for _, c := range []struct{ version, behaviour, code string }{{"1.1.0", "", ""}, {"1.2.0", "", ""}, {"1.3.0", "unhealthy", "12"}} {
		r := release(c.version, c.behaviour)
		r.Files["systemd/prepare.service"] = []byte(`[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/touch /run/prepared
ExecStop=/bin/rm /run/prepared
[Install]
WantedBy=multi-user.target
`)
		out, err := d.Run(updater, "install", d.Offer(r))
		require.Equal(t, c.code != "", err != nil, out)
		require.Equal(t, "active", d.Property("prepare.service", "ActiveState"), c.version)
		d.MustRun("test", "-e", "/run/prepared")
	}
}

// Instances of a release's template run from its version, whoever started them.
// They end with it, and run from the next version if that has the template.
func TestInstancesOfATemplate(t *testing.T) {
	t.Parallel()
	d := newDevice(t, "")
	d.Up()
	with := func(version, behaviour string) string {
		r := release(version, behaviour)
		r.Files["systemd/worker@.service"] = unit(version, "/bin/sleep 1000000")
		r.Files["systemd/talk.socket"] = []byte("[Socket]\nListenStream=/run/talk.sock\nAccept=yes\n[Install]\nWantedBy=sockets.target\n")
		r.Files["systemd/talk@.service"] = []byte("[Service]\nExecStart=/bin/sleep 1000000\nStandardInput=socket\n")
		return d.Offer(r)
	}
	d.MustRun(updater, "install", with("1.1.0", ""))
	d.MustRun("systemctl", "start", "worker@1.service")
	talks := func() string { return d.MustRun("systemctl", "list-units", "--plain", "--no-legend", "talk@*") }
	conn, err := d.Dial(t.Context(), "unix", "/run/talk.sock")
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	d.Wait("the socket has made an instance", func() bool { return talks() != "" })
	d.MustRun(updater, "install", with("1.2.0", ""))
	require.Equal(t, []string{"1.1.0", "1.2.0"}, d.starts("worker@1.service"))
	require.Equal(t, "active", d.Property("worker@1.service", "ActiveState"))
	require.Empty(t, talks(), "one that was made for a connection only ends")
	require.Equal(t, "active", d.Property("talk.socket", "ActiveState"))
	d.forget()
	_, err = d.Run(updater, "install", with("1.3.0", "unhealthy"))
	require.ErrorContains(t, err, "exit status 12")
	require.Equal(t, []string{"1.3.0", "1.2.0"}, d.starts("worker@1.service"))
	require.Equal(t, "RELEASE=1.2.0", d.Property("worker@1.service", "Environment"))

	d.MustRun(updater, "rollback", "--to", "1.0.0")
	require.Equal(t, "inactive", d.Property("worker@1.service", "ActiveState"))
	require.Equal(t, "0", d.Property("worker@1.service", "MainPID"))
	require.Empty(t, d.Failed())
}
