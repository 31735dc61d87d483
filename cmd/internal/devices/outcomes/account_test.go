package outcomes_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// When an update fails, one short line tells why, once; the details have the
// service's own last words, which the daemon reads from within its sandbox.
func TestTheAccountSaysWhy(t *testing.T) {
	t.Parallel()
	// How a unit has ended is forgotten with its next start.
	d := devicetest.New(t, devicetest.Options{Unit: "RestartSec=20s"})
	d.Up()
	out, err := d.Run("sh", "-c", devicetest.Updater+" install "+d.Offer(fixtures.Release{Version: "1.1.0", DeviceAPI: "exit"})+" 2>&1")
	require.ErrorContains(t, err, "exit status 12", out)
	st := d.Answers()
	require.Equal(t, engine.RolledBack, st.Last.State)
	why := st.Last.Cause
	require.NotNil(t, why)
	require.Equal(t, 1, strings.Count(out, why.Text), out)
	require.Contains(t, why.Text, "cannot restart device-api.service: ")
	require.Contains(t, why.Text, "exit status 3")
	for line := range strings.Lines(out) {
		require.Less(t, len(line), 300)
	}
	require.Contains(t, why.Details, "log of device-api:\n")
	require.Contains(t, why.Details, "\n  device-api 1.1.0: told to exit\n", "what the service says")
	require.Contains(t, why.Details, "device-api.service: Main process exited, code=exited, status=3/NOTIMPLEMENTED", "what systemd says")
	require.NotContains(t, why.Details, "1.0.0", "the version before")
	show := d.MustRun(devicetest.Updater, "journal", "show", st.Last.ID)
	require.Contains(t, show, "log of device-api:")
	require.Contains(t, show, "Main process exited")
	require.Contains(t, d.MustRun("curl", "-s", "--unix-socket", "/run/tope-updater/api.sock", "http://localhost/api/v2/status"), "Main process exited")
	require.NotContains(t, d.MustRun("curl", "-s", "http://127.0.0.1:12315/api/v2/status"), "Main process exited", "over TCP, where anybody asks")
	require.NotContains(t, d.MustRun("curl", "-s", "http://127.0.0.1:12315/api/v1.0/progress"), "Main process exited", "the old API shows the line")
}
