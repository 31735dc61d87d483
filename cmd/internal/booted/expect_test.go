package booted_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/bootedtest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// install installs a release of that version and expects it to end so.
func install(t *testing.T, d *bootedtest.Device, version, behaviour string, want engine.State) {
	t.Helper()
	d.Begin(d.Offer(fixtures.Release{Version: version, DeviceAPI: behaviour}))
	u := d.Over()
	require.Equal(t, want, u.State, "%+v", u.Error)
}

// properties are those of several units, by unit.
func properties(t *testing.T, d *bootedtest.Device, names string, units ...string) map[string]map[string]string {
	t.Helper()
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

// recoveredFirst: in this boot recover ran, well, and had ended before the
// daemon and the services were started.
func recoveredFirst(t *testing.T, d *bootedtest.Device) {
	t.Helper()
	later := []string{bootedtest.Daemon, bootedtest.DeviceAPI, bootedtest.WebServer}
	units := properties(t, d, "Result,ActiveState,ExecMainExitTimestampMonotonic,ExecMainStartTimestampMonotonic", append(later, bootedtest.Recover)...)
	r := units[bootedtest.Recover]
	require.Equal(t, "success", r["Result"])
	require.Equal(t, "active", r["ActiveState"])
	done := number(t, r["ExecMainExitTimestampMonotonic"])
	require.NotZero(t, done)
	for _, name := range later {
		if began := number(t, units[name]["ExecMainStartTimestampMonotonic"]); began != 0 { // 0: not yet
			require.Greater(t, began, done, "%s started before recover had ended", name)
		}
	}
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	require.NoError(t, err)
	return n
}
