package releaseunits_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/service/systemdtest"
)

const updater = "/usr/lib/tope-updater/tope-updater"

// build makes the programs once for all tests.
var build = sync.OnceValues(func() (fixtures.Programs, error) {
	if out, err := exec.Command("go", "build", "-o", program(), "../../tope-updater").CombinedOutput(); err != nil {
		return fixtures.Programs{}, fmt.Errorf("%w\n%s", err, out)
	}
	ctx := context()
	return fixtures.Build(ctx, filepath.Dir(program()))
})

// device is a machine with the updater and a release on it.
type device struct {
	*systemdtest.Machine
	t        *testing.T
	programs fixtures.Programs
}

// unit is a service of a release that tells of each of its starts.
func unit(version, exec string) []byte {
	return fmt.Appendf(nil, `[Unit]
Description=of release %[1]s
[Service]
Environment=RELEASE=%[1]s
ExecStartPre=/bin/sh -c 'echo %%n $RELEASE >> /var/lib/starts'
ExecStart=%[2]s
Restart=on-failure
RestartSec=1
[Install]
WantedBy=multi-user.target
`, version, exec)
}

// release has the two services and further ones by name.
func (d *device) release(version, behaviour string, more ...string) fixtures.Release {
	r := fixtures.Release{Version: version, DeviceAPI: behaviour, Files: map[string][]byte{}}
	r.Files["systemd/device-api.service"] = unit(version, fmt.Sprintf("/usr/local/bin/device-api --listen 127.0.0.1:%d", ports.DeviceAPI))
	r.Files["systemd/web-server.service"] = unit(version, fmt.Sprintf("/opt/tope/services/web-server/web-server --listen 127.0.0.1:%d", ports.WebServer))
	for _, name := range more {
		r.Files["systemd/"+name+".service"] = unit(version, "/bin/sleep 1000000")
	}
	return r
}

func newDevice(t *testing.T, behaviour string, more ...string) *device {
	t.Helper()
	programs, err := build()
	require.NoError(t, err)
	d := &device{Machine: systemdtest.New(t), t: t, programs: programs}
	d.Put(program(), updater, 0o755)
	for file, at := range map[string]string{
		"tope-updater.service": "system", "tope-updater-recover.service": "system", "tope-updater-rescue.service": "system",
		"tope-updater.catalog": "catalog", "tope-updater.sysusers": "/usr/lib/sysusers.d/tope-updater.conf", "tope-updater.tmpfiles": "/usr/lib/tmpfiles.d/tope-updater.conf",
	} {
		if !filepath.IsAbs(at) {
			at = filepath.Join("/usr/lib/systemd", at, file)
		}
		d.Put(filepath.Join("../../../deploy/systemd", file), at, 0o644)
	}
	for unit, target := range map[string]string{"tope-updater.service": "multi-user.target", "tope-updater-recover.service": "basic.target"} {
		wants := d.Path("/etc/systemd/system/" + target + ".wants")
		require.NoError(t, os.MkdirAll(wants, 0o755))
		require.NoError(t, os.Symlink("/usr/lib/systemd/system/"+unit, filepath.Join(wants, unit)))
	}
	// Made beside the machine and copied in: its disk is a path only the kernel
	// understands.
	root := filepath.Join(t.TempDir(), "root")
	made, err := programs.Device(t.Context(), root, d.release("1.0.0", behaviour, more...), fixtures.Options{
		Ports: ports, Manager: "systemd", Stable: time.Second, Timeout: 4 * time.Second,
	})
	require.NoError(t, err)
	for _, verb := range []string{"links", "units"} { // links makes the journal, too
		out, err := exec.Command(program(), "--root", root, "--config", made.Config, verb).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	out, err := exec.Command("cp", "-a", root+"/.", d.Disk("/")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, made.Remove(t.Context()))
	return d
}

// offer puts a release's package into the machine and returns its path there.
func (d *device) offer(r fixtures.Release) string {
	d.t.Helper()
	p, err := d.programs.Package(d.t.TempDir(), r)
	require.NoError(d.t, err)
	d.Put(p.Path, "/root/"+p.Name, 0o644)
	return "/root/" + p.Name
}

func (d *device) up() {
	d.t.Helper()
	d.Boot()
	d.Wait("the daemon answers", func() bool {
		_, err := d.Run(updater, "status")
		return err == nil
	})
}

func (d *device) status() (st engine.Status) {
	d.t.Helper()
	text, err := d.Run(updater, "--json", "status")
	if err == nil {
		require.NoError(d.t, json.Unmarshal([]byte(text), &st), text)
	}
	return st
}

func (d *device) idle() {
	d.t.Helper()
	d.Wait("the update is over", func() bool {
		st := d.status()
		return st.State == engine.Idle || st.State.Terminal() && st.Update == nil
	})
}

// starts are the starts of a unit since the file was last emptied, by release.
func (d *device) starts(unit string) []string {
	var releases []string
	data, _ := os.ReadFile(d.Path("/var/lib/starts"))
	for line := range strings.Lines(string(data)) {
		if name, release, _ := strings.Cut(strings.TrimSpace(line), " "); name == unit {
			releases = append(releases, release)
		}
	}
	return releases
}

func (d *device) forget() { _ = os.Remove(d.Path("/var/lib/starts")) }

// downtime is what the newest Restart in the journal says it was.
func (d *device) downtime() time.Duration {
	d.t.Helper()
	m := regexp.MustCompile(`"downtime_ns": ?(\d+)`).FindAllStringSubmatch(d.MustRun(updater, "--json", "journal", "show"), -1)
	require.NotEmpty(d.t, m)
	ns, err := strconv.ParseInt(m[len(m)-1][1], 10, 64)
	require.NoError(d.t, err)
	return time.Duration(ns)
}
