package devicetest

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/service/systemdtest"
)

// Updater is the committed program, on the device.
const Updater = "/usr/lib/tope-updater/tope-updater"

// Units of the device.
const (
	Daemon    = "tope-updater.service"
	Recover   = "tope-updater-recover.service"
	Rescue    = "tope-updater-rescue.service"
	DeviceAPI = "device-api.service"
	WebServer = "web-server.service"
)

// The programs of the services' units.
const (
	DeviceAPIExec = "/usr/local/bin/device-api --listen 127.0.0.1:9080"
	WebServerExec = "/opt/tope/services/web-server/web-server --listen 127.0.0.1:8080"
)

// Options are the differences of a device from the usual one.
type Options struct {
	// Release is the first release on the device; its version is 1.0.0 if it has none.
	Release fixtures.Release
	// Stable is how long the gate wants a service to run, 300 ms if zero.
	Stable time.Duration
	// Timeout is how long a check may take to pass, 3 s if zero.
	Timeout time.Duration
	// Unit is added to [Service] of both units.
	Unit string
	// Brought: the release brings the units of its services, and there are no others.
	Brought bool
	// Bare leaves the updater out, for a comparison.
	Bare bool
	// Program is the updater, in place of the one built for tests.
	Program string
	// Config is appended to the configuration.
	Config string
	// OnDisk puts its disk on a disk of the host, not in memory.
	OnDisk bool
	// Packages are Debian's, in addition to the usual ones.
	Packages []string
	// Suite is the suite of Debian that it runs, the usual one if empty.
	Suite string
}

// Device is a machine with the updater and a release on it, switched off.
type Device struct {
	*systemdtest.Machine
	t        testing.TB
	programs fixtures.Programs
	updater  string
}

// ports are the same on every device: each machine has a network of its own.
func ports() fixtures.Ports { return fixtures.Ports{Updater: 12315, DeviceAPI: 9080, WebServer: 8080} }

// New makes a device.
func New(t testing.TB, o Options) *Device {
	t.Helper()
	d := machine(t, o)
	d.software(o)
	if !o.Brought {
		d.service(DeviceAPI, DeviceAPIExec, "", o.Unit)
		d.service(WebServer, WebServerExec, "Requires="+DeviceAPI+"\nAfter="+DeviceAPI, o.Unit)
	}
	if !o.Bare {
		d.install(cmp.Or(o.Program, d.updater))
	}
	return d
}

// machine is a machine without any of our files on it, and the programs at hand.
func machine(t testing.TB, o Options) *Device {
	t.Helper()
	d := &Device{t: t, Machine: systemdtest.With(t, systemdtest.Options{Suite: o.Suite, Packages: o.Packages, OnDisk: o.OnDisk})}
	d.programs, d.updater = builttest.Services(t), builttest.Updater(t, builttest.Version)
	return d
}

// software makes the device's files beside the machine and copies them to its
// disk, whose path only the kernel understands.
func (d *Device) software(o Options) {
	d.t.Helper()
	root := filepath.Join(d.t.TempDir(), "root")
	o.Release.Version = cmp.Or(o.Release.Version, "1.0.0")
	made, err := d.programs.Device(d.t.Context(), root, o.Release, fixtures.Options{
		Ports: ports(), Manager: "systemd", Stable: o.Stable, Timeout: cmp.Or(o.Timeout, 3*time.Second), More: o.Config,
	})
	require.NoError(d.t, err)
	verbs := [][]string{{"recover", "--finish"}, {"units"}} // the first makes the journal
	if o.Bare {
		verbs = nil
	}
	for _, verb := range verbs {
		out, err := exec.Command(d.updater, append([]string{"--root", root, "--config", made.Config}, verb...)...).CombinedOutput() //nolint:noctx // they are short
		require.NoError(d.t, err, "%s", out)
	}
	d.Copy(root+"/.", "/")
	require.NoError(d.t, made.Remove(d.t.Context()))
}

func (d *Device) service(unit, program, order, more string) {
	d.t.Helper()
	d.Write("/etc/systemd/system/"+unit, `[Unit]
`+order+`
[Service]
Type=notify
User=tope
ExecStart=`+program+`
TimeoutStartSec=4
Restart=on-failure
RestartSec=200ms
StartLimitIntervalSec=0
`+more+`
[Install]
WantedBy=multi-user.target
`, 0o644)
	d.Enable(unit, "multi-user.target")
}

// install sets the updater up as its package does.
func (d *Device) install(program string) {
	d.t.Helper()
	d.Put(program, Updater, 0o755)
	units := filepath.Join(builttest.Top(), "deploy/systemd")
	for unit, target := range map[string]string{Daemon: "multi-user.target", Recover: "basic.target", Rescue: ""} {
		d.Put(filepath.Join(units, unit), "/usr/lib/systemd/system/"+unit, 0o644)
		if target != "" {
			d.Enable(unit, target)
		}
	}
	d.Put(filepath.Join(units, "tope-updater.socket"), "/usr/lib/systemd/system/tope-updater.socket", 0o644)
	d.Put(filepath.Join(units, "tope-updater.catalog"), "/usr/lib/systemd/catalog/tope-updater.catalog", 0o644)
	d.Put(filepath.Join(units, "tope-updater.sysusers"), "/usr/lib/sysusers.d/tope-updater.conf", 0o644)
	d.Put(filepath.Join(units, "tope-updater.tmpfiles"), "/usr/lib/tmpfiles.d/tope-updater.conf", 0o644)
}

// Enable makes a target start a unit, on a machine that is off.
func (d *Device) Enable(unit, target string) {
	d.t.Helper()
	wants := d.Disk("/etc/systemd/system/" + target + ".wants")
	require.NoError(d.t, os.MkdirAll(wants, 0o755))
	require.NoError(d.t, os.Symlink("../"+unit, filepath.Join(wants, unit)))
}

// Offer puts a release's package into the device, and returns its path there.
func (d *Device) Offer(r fixtures.Release) string {
	d.t.Helper()
	p, err := d.programs.Package(d.t.TempDir(), r)
	require.NoError(d.t, err)
	path := d.Give(p.Path)
	require.NoError(d.t, os.Remove(p.Path))
	return path
}

// Give puts a file of the host into the device, and returns its path there.
func (d *Device) Give(host string) string {
	d.t.Helper()
	path := "/root/" + filepath.Base(host)
	d.Put(host, path, 0o644)
	return path
}

// Copy puts a file or a tree of the host on the device's disk.
func (d *Device) Copy(from, to string) {
	d.t.Helper()
	out, err := exec.Command("cp", "-a", from, d.Path(to)).CombinedOutput() //nolint:noctx // it is short
	require.NoError(d.t, err, "%s", out)
}

// Spoil changes how a service of an installed version will behave, as a failing
// disk or a careless hand might.
func (d *Device) Spoil(version, service, behaviour string) {
	d.t.Helper()
	d.Write("/opt/tope/versions/v"+version+"/services/"+strings.TrimSuffix(service, ".service")+"/behaviour", behaviour+"\n", 0o444)
}
