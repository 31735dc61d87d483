package devicetest

import (
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// Install installs a release of that version, with that behaviour of device-api,
// and fails the test unless the update ends in the wanted state.
func (d *Device) Install(version, behaviour string, want engine.State) {
	d.t.Helper()
	d.Begin(d.Offer(fixtures.Release{Version: version, DeviceAPI: behaviour}))
	u := d.Over()
	require.Equal(d.t, want, u.State, "%+v", u.Error)
}

// Properties are the properties of several units, by unit. names has commas between them.
func (d *Device) Properties(names string, units ...string) map[string]map[string]string {
	d.t.Helper()
	all := map[string]map[string]string{}
	out := d.MustRun(append([]string{"systemctl", "show", "-p", "Id," + names}, units...)...)
	for block := range strings.SplitSeq(strings.TrimSpace(out), "\n\n") {
		p := map[string]string{}
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			p[name] = value
		}
		all[p["Id"]] = p
	}
	return all
}

// RecoveredFirst fails the test unless recover ran in this boot, succeeded, and
// had ended before the daemon and the services were started.
func (d *Device) RecoveredFirst() {
	d.t.Helper()
	later := []string{Daemon, DeviceAPI, WebServer}
	units := d.Properties("Result,ActiveState,ExecMainExitTimestampMonotonic,ExecMainStartTimestampMonotonic", append(later, Recover)...)
	r := units[Recover]
	require.Equal(d.t, "success", r["Result"])
	require.Equal(d.t, "active", r["ActiveState"])
	done := d.number(r["ExecMainExitTimestampMonotonic"])
	require.NotZero(d.t, done)
	for _, name := range later {
		if began := d.number(units[name]["ExecMainStartTimestampMonotonic"]); began != 0 { // 0: not yet
			require.Greater(d.t, began, done, "%s started before recover had ended", name)
		}
	}
}

// Number is the value of a unit's property that is a number.
func (d *Device) Number(unit, name string) int64 {
	d.t.Helper()
	return d.number(d.Property(unit, name))
}

func (d *Device) number(text string) int64 {
	d.t.Helper()
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	require.NoError(d.t, err)
	return n
}
