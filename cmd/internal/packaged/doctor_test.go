package packaged_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// finding is a line of the doctor's.
type finding struct{ Check, Level, Text, Do string }

// bad is what the doctor has to say against the device.
func (d *device) bad(level string) (bad []finding) {
	d.t.Helper()
	out, err := d.Run(scripts+"verify_setup.sh", "--json")
	var all struct{ Findings []finding }
	require.NoError(d.t, json.NewDecoder(strings.NewReader(out)).Decode(&all), "%s", out)
	fails := 0
	for _, f := range all.Findings {
		if f.Level == "fail" {
			fails++
		}
		if f.Level == level {
			require.NotEmpty(d.t, f.Do, "what to do about %s", f.Text)
			bad = append(bad, f)
		}
	}
	require.Equal(d.t, fails > 0, err != nil, "the exit code says it: %v", err)
	return bad
}

// A good device has no failing line; each damage is told by a line that says
// what to do, and is gone when it is mended.
func TestDoctorOnADevice(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	deb := d.give(d.pack(t, older))
	d.Boot()
	d.MustRun("dpkg", "-i", deb)
	d.setUp()
	require.Empty(t, d.bad("fail"))
	for name, c := range map[string]struct{ damage, mend, says string }{
		"a pointer's place taken": {
			"mv /opt/tope/versions/previous /root/ && mkdir /opt/tope/versions/previous",
			"rmdir /opt/tope/versions/previous && mv /root/previous /opt/tope/versions/", "previous",
		},
		"a factory that cannot start": {
			"chmod 0444 /opt/tope/versions/v1.0.0/bin/device-api", "chmod 0555 /opt/tope/versions/v1.0.0/bin/device-api", "bin/device-api",
		},
		"recovery not enabled": {"systemctl disable -q " + recovery, "systemctl enable -q " + recovery, recovery},
		"a service masked":     {"mv /etc/systemd/system/web-server.service /root && systemctl mask -q web-server.service && systemctl daemon-reload", "systemctl unmask -q web-server.service && mv /root/web-server.service /etc/systemd/system/ && systemctl daemon-reload", "web-server"},
		"a service without its drop-in": {
			"sed -i '/tope-updater-recover/d' /etc/systemd/system/web-server.service && rm -r /etc/systemd/system/web-server.service.d && systemctl daemon-reload",
			"tope-updater units", "web-server",
		},
		"a service that is down": {"systemctl stop device-api.service", "systemctl start device-api.service web-server.service", "device-api"},
	} {
		d.MustRun("sh", "-c", c.damage)
		bad := d.bad("fail")
		require.NotEmpty(t, bad, name)
		said := false
		for _, f := range bad {
			said = said || strings.Contains(f.Text, c.says)
		}
		require.True(t, said, "%s: %+v", name, bad)
		d.MustRun("sh", "-c", c.mend)
		d.Wait("all is well after "+name, func() bool { return len(d.bad("fail")) == 0 })
	}
}
