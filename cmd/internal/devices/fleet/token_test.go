package fleet_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// secret demands that none of the tokens is anywhere on the device but in its file: not in
// what the updater keeps, logs, tells, or was started with.
func secret(t *testing.T, r *rig, tokens ...string) {
	t.Helper()
	var all strings.Builder
	for _, command := range []string{
		"journalctl --no-pager -o export", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ",
		devicetest.Updater + " status; " + devicetest.Updater + " status --json",
		devicetest.Updater + " fleet status; " + devicetest.Updater + " fleet status --json",
		devicetest.Updater + " journal; " + devicetest.Updater + " journal export",
		devicetest.Updater + " doctor; " + devicetest.Updater + " doctor --json", "curl -s http://127.0.0.1:12315/api/v2/fleet",
	} {
		said, _ := r.Run("sh", "-c", command) // a process may be gone, and a doctor has something to say
		require.NotEmpty(t, said, command)
		all.WriteString(said)
	}
	for _, dir := range []string{"/var/lib/tope-updater", "/var/log", "/opt/tope", "/etc/systemd", "/run/tope-updater"} {
		require.NoError(t, filepath.WalkDir(r.Path(dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return nil //nolint:nilerr // a file may be gone
			}
			text, err := os.ReadFile(path)
			all.Write(text)
			return err
		}))
	}
	seen := func(text string) bool { return strings.Contains(all.String(), text) } // a failure shows less
	require.True(t, seen("hawkbit, offer 1"))
	for i, token := range tokens {
		require.False(t, seen(token), "token %d is seen", i)
	}
}

// A token that is changed is in force with the next question, and neither of them is seen
// anywhere, also when the server refuses it.
func TestATokenThatIsRenewed(t *testing.T) {
	t.Parallel()
	const next = "77aa0c1f5e2b49d8c3"
	h := serving(t)
	r := enrolled(t, h, devicetest.Options{})
	r.on()
	action := h.offer(fixtures.Release{Version: "1.1.0"})
	r.check()
	require.Equal(t, engine.Committed, r.ends(action).State)

	h.SetToken(id, next)
	code, said := r.Post("fleet/check", map[string]any{})
	require.NotEqual(t, http.StatusOK, code, said)
	s := r.fleet()
	require.Contains(t, s.Failure, "401", s.Failure)
	require.Contains(t, s.Text, "token", s.Text)
	r.MustRun("chmod", "644", tokenFile)
	_, said = r.Post("fleet/check", map[string]any{})
	require.Contains(t, said, tokenFile)
	r.MustRun("rm", tokenFile)
	_, said = r.Post("fleet/check", map[string]any{})
	require.Contains(t, said, tokenFile)

	r.Write(tokenFile, next+"\n", 0o600)
	h.shutter(true)
	action = h.offer(fixtures.Release{Version: "1.2.0"})
	r.check()
	r.In(engine.Downloading)
	secret(t, r, token, next)
	r.cut()
	h.shutter(false)
	r.check()
	require.Equal(t, engine.Committed, r.ends(action).State)
	secret(t, r, token, next)
}

// The token as a credential of systemd, on the oldest systemd that can.
func TestACredential(t *testing.T) {
	t.Parallel()
	h := serving(t)
	r := rigged(t, devicetest.Options{Config: serverConfig, Suite: "bullseye"}, h)
	r.Write("/etc/keys/token", token+"\n", 0o600)
	r.Write("/etc/systemd/system/tope-updater.service.d/token.conf", "[Service]\nLoadCredential=fleet.token:/etc/keys/token\n", 0o644)
	r.on()
	action := h.offer(fixtures.Release{Version: "1.1.0"})
	r.check()
	require.Equal(t, engine.Committed, r.ends(action).State)
	secret(t, r, token)
}
