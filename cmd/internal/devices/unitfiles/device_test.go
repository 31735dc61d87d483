package unitfiles_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

const updater = devicetest.Updater

// device is a device whose releases bring the units of their services.
type device struct {
	*devicetest.Device
	t *testing.T
}

// unit is a service of a release that records each of its starts.
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
func release(version, behaviour string, more ...string) fixtures.Release {
	r := fixtures.Release{Version: version, DeviceAPI: behaviour, Files: map[string][]byte{}}
	r.Files["systemd/device-api.service"] = unit(version, devicetest.DeviceAPIExec)
	r.Files["systemd/web-server.service"] = unit(version, devicetest.WebServerExec)
	for _, name := range more {
		r.Files["systemd/"+name+".service"] = unit(version, "/bin/sleep 1000000")
	}
	return r
}

func newDevice(t *testing.T, behaviour string, more ...string) *device {
	t.Helper()
	return &device{t: t, Device: devicetest.New(t, devicetest.Options{
		Release: release("1.0.0", behaviour, more...), Brought: true, Stable: time.Second, Timeout: 4 * time.Second,
		Config: "\n[trust]\nunsigned_brings = [\"units\"]\n",
	})}
}

func (d *device) status() engine.Status { return d.Answers() }

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

// downtime is the time in the newest Restart record of the journal.
func (d *device) downtime() time.Duration {
	d.t.Helper()
	m := regexp.MustCompile(`"downtime_ns": ?(\d+)`).FindAllStringSubmatch(d.MustRun(updater, "--json", "journal", "show"), -1)
	require.NotEmpty(d.t, m)
	ns, err := strconv.ParseInt(m[len(m)-1][1], 10, 64)
	require.NoError(d.t, err)
	return time.Duration(ns)
}
