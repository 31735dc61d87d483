package doctor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/fetch/fetchtest"
)

// TestDoctorReadsWhatDownloadsNeed: each file with the eyes of a request, and nobody on
// the network is asked.
func TestDoctorReadsWhatDownloadsNeed(t *testing.T) {
	root := t.TempDir()
	etc := filepath.Join(root, "etc")
	require.NoError(t, os.MkdirAll(etc, 0o755))
	ca := fetchtest.NewAuthority(t)
	copyTo := func(name string, text []byte, mode os.FileMode) {
		require.NoError(t, os.WriteFile(filepath.Join(etc, name), text, mode))
	}
	authority, err := os.ReadFile(ca.File)
	require.NoError(t, err)
	copyTo("ca.pem", authority, 0o644)
	copyTo("proxy", []byte("u:S3CRET"), 0o600)
	copyTo("token", []byte("Bearer S3CRET"), 0o600)
	ca.Client(etc, time.Time{}, time.Now().Add(365*24*time.Hour))
	configuration := quiet + `[download]
proxy = "http://127.0.0.1:1"
proxy_auth = "/etc/proxy"
ca_file = "/etc/ca.pem"
[[download.server]]
url = "https://a.example"
client_cert = "/etc/client.pem"
client_key = "/etc/client.key"
header_files = { Authorization = "/etc/token" }
`
	look := func(level string, text string) {
		t.Helper()
		all := examined(t, root, configuration)
		require.NotContains(t, fmt.Sprintf("%+v", all), "S3CRET")
		for _, f := range all {
			if f.Check == "download" && string(f.Level) == level {
				require.Contains(t, f.Text, text)
				require.True(t, f.Level == pass || f.Do != "")
				return
			}
		}
		t.Fatalf("no %s: %+v", level, all)
	}
	none := func() {
		t.Helper()
		for _, f := range examined(t, root, configuration) {
			require.True(t, f.Check != "download" || f.Level == pass, "%+v", f)
		}
	}
	look("pass", "through the proxy http://127.0.0.1:1")
	none()

	copyTo("token", []byte("two\nlines S3CRET"), 0o600)
	look("fail", "download.server.header_files cannot be used")
	copyTo("token", []byte("Bearer S3CRET"), 0o600)
	copyTo("proxy", []byte("S3CRET"), 0o600)
	look("fail", "download.proxy_auth cannot be used: /etc/proxy does not have USER:PASSWORD")
	copyTo("proxy", []byte("u:S3CRET"), 0o600)
	copyTo("ca.pem", []byte("S3CRET"), 0o644)
	look("fail", "download.ca_file cannot be used: /etc/ca.pem has no certificate")
	copyTo("ca.pem", authority, 0o644)
	none()

	cert, _ := ca.Issue(time.Time{}, time.Time{}, "another")
	copyTo("client.pem", cert, 0o600)
	look("fail", "does not match")
	ca.Client(etc, time.Time{}, time.Now().Add(-48*time.Hour))
	look("fail", "the certificate in /etc/client.pem (download.server.client_cert) has expired on")
	ca.Client(etc, time.Time{}, time.Now().Add(48*time.Hour))
	look("warn", "expires on")
	ca.Client(etc, time.Time{}, time.Now().Add(365*24*time.Hour))
	require.NoError(t, os.Chmod(filepath.Join(etc, "client.key"), 0o644))
	look("warn", "/etc/client.key (download.server.client_key) is a secret that everybody can read")
	require.NoError(t, os.Remove(filepath.Join(etc, "client.key")))
	look("fail", "client.key")

	configuration = quiet
	look("pass", "no proxy is configured")
	configuration = quiet + "[download]\nproxy = \"none\"\n"
	look("pass", "no proxy is used")
}
