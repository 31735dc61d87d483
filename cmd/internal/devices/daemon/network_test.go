package daemon_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
)

// The door for the network, in the daemon's sandbox: with a certificate that stays. An
// address that the device does not have yet is bound all the same.
func TestTheNetworkDoor(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]string{"any address": "0.0.0.0:12316", "one that comes up later": "192.0.2.7:12316"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := devicetest.New(t, devicetest.Options{})
			const config = "/etc/tope-updater/config.toml"
			text, err := os.ReadFile(d.Path(config))
			require.NoError(t, err)
			d.Write(config, strings.Replace(string(text), "[http]\n", "[http]\nlan = \""+at+"\"\n", 1), 0o644)
			d.Up()
			const host = "127.0.0.1:12316"
			shown := regexp.MustCompile(`certificate SHA-256 ([0-9A-F:]{95})\njournal`)
			first := shown.FindStringSubmatch(d.MustRun(devicetest.Updater, "status"))
			require.NotNil(t, first, "and nothing is wrong")
			if at != "0.0.0.0:12316" {
				return
			}
			ask := func(more ...string) string {
				return d.MustRun(append([]string{"curl", "-s", "--insecure", "-w", "%{http_code}"}, more...)...)
			}
			require.Contains(t, ask("https://"+host+"/api/v2/status"), "200")
			require.Contains(t, ask("https://"+host+"/api/v2/journal"), "401")
			require.Equal(t, "600 root:root", strings.TrimSpace(d.MustRun("stat", "-c", "%a %U:%G", "/var/lib/tope-updater/lan.pem")))
			token := strings.TrimSpace(d.MustRun("sh", "-c", devicetest.Updater+" token create reader --scope read 2>/dev/null"))
			require.Equal(t, "600 root:root", strings.TrimSpace(d.MustRun("stat", "-c", "%a %U:%G", "/var/lib/tope-updater/tokens.json")))
			require.Contains(t, ask("-H", "Authorization: Bearer "+token, "https://"+host+"/api/v2/journal"), "200")
			d.MustRun("systemctl", "restart", devicetest.Daemon)
			d.Answers()
			require.Equal(t, first, shown.FindStringSubmatch(d.MustRun(devicetest.Updater, "status")))
			require.Contains(t, ask("-H", "Authorization: Bearer "+token, "https://"+host+"/api/v2/journal"), "200")
			d.MustRun(devicetest.Updater, "token", "revoke", "reader")
			require.Contains(t, ask("-H", "Authorization: Bearer "+token, "https://"+host+"/api/v2/journal"), "401")
		})
	}
}
