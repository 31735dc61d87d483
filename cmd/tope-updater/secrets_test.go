package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/fetch/fetchtest"
)

// secretWord is in every secret of the device below.
const secretWord = "S3CRET"

// secretive is a device whose server wants a certificate and a token, behind proxies
// that want passwords. It keeps all that the programs print.
type secretive struct {
	t       *testing.T
	d       *fixtures.Device
	printed bytes.Buffer
}

// verb runs a verb and returns what it prints, on both streams.
func (s *secretive) verb(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(builttest.Updater(s.t, builttest.Version), append([]string{"--config", s.d.Config, "--root", s.d.Root}, args...)...)
	out, _ := cmd.CombinedOutput() // the exit code is not what this test is about
	s.printed.Write(out)
	return string(out)
}

// until runs a verb until it prints a text.
func (s *secretive) until(text string, args ...string) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for out := ""; !strings.Contains(out, text); out = s.verb(args...) {
		require.True(s.t, time.Now().Before(deadline), "%v does not say %q: %s", args, text, out)
		time.Sleep(20 * time.Millisecond)
	}
}

// TestSecretsAreNeverTold: a device has secrets of each kind, uses them, has trouble with
// each, and tells of it in every way that there is. Nothing that any program printed,
// and nothing that is in the state directory, has one of them in it. The messages name
// what is in the way all the same, and the keys are in force after a reload.
func TestSecretsAreNeverTold(t *testing.T) {
	programs := builttest.Services(t)
	dir := t.TempDir()
	ca := fetchtest.NewAuthority(t)
	var requests atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Header.Get("Authorization") != "Bearer "+secretWord+"-token" || r.Header.Get("X-Inline") != secretWord+"-inline" {
			http.Error(w, "who are you?", http.StatusForbidden)
			return
		}
		http.FileServer(http.Dir(dir)).ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = ca.Server("updates.test")
	server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool
	server.StartTLS()
	t.Cleanup(server.Close)
	fromEnvironment := fetchtest.NewProxy(t, server.Listener.Addr().String(), nil)
	fromEnvironment.User = "env:" + secretWord + "-environment"
	configured := fetchtest.NewProxy(t, server.Listener.Addr().String(), nil)
	configured.User = "device:" + secretWord + "-proxy"

	d, err := programs.Device(t.Context(), filepath.Join(dir, "device"), fixtures.Release{Version: "1.0.0"}, patientGate())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Remove(context.Background())) })
	s := &secretive{t: t, d: d}
	etc := filepath.Join(d.Root, "etc/tope-updater")
	put := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(etc, name), []byte(text), 0o600))
	}
	authority, err := os.ReadFile(ca.File)
	require.NoError(t, err)
	put("ca.pem", string(authority))
	put("token", "Bearer "+secretWord+"-token\n")
	put("proxy", "device:"+secretWord+"-wrong\n")
	ca.Client(etc, time.Time{}, time.Time{})
	plain, err := os.ReadFile(d.Config)
	require.NoError(t, err)
	const servers = `
ca_file = "/etc/tope-updater/ca.pem"
[[download.server]]
url = "https://updates.test"
client_cert = "/etc/tope-updater/client.pem"
client_key = "/etc/tope-updater/client.key"
headers = { X-Inline = "S3CRET-inline" }
header_files = { Authorization = "/etc/tope-updater/token" }
`
	configure := func(more string) {
		require.NoError(t, os.WriteFile(d.Config, append(bytes.Clone(plain), "\n[download]\n"+more+servers...), 0o600))
	}
	release := func(version string) string {
		p, err := programs.Package(dir, fixtures.Release{Version: version})
		require.NoError(t, err)
		return "https://updates.test/" + p.Name + "?sig=" + secretWord + "-query&" + secretWord + "#" + secretWord
	}

	// Without a proxy in the configuration the environment's is in force.
	configure("")
	daemon := startDaemon(t, d, "HTTPS_PROXY=http://env:"+secretWord+"-environment@"+fromEnvironment.Listener.Addr().String(), "NO_PROXY=")
	s.until("1.0.0", "status")
	s.verb("install", release("1.1.0"))
	s.until("1.1.0", "status")
	require.NotEmpty(t, fromEnvironment.Asked())
	require.Empty(t, configured.Asked())

	// The configuration's is, after a reload; and it wants another password.
	configure("proxy = \"" + configured.URL + "\"\nproxy_auth = \"/etc/tope-updater/proxy\"\n")
	require.Contains(t, s.verb("reload"), "is in force")
	before := len(fromEnvironment.Asked())
	s.verb("install", "--no-wait", release("1.2.0"))
	s.until("does not take the user and password in /etc/tope-updater/proxy (proxy_auth)", "status")
	s.verb("--json", "status")
	kept, err := filepath.Glob(filepath.Join(d.Root, "var/lib/tope-updater/work/*/source"))
	require.NoError(t, err)
	require.Len(t, kept, 1, "a resume needs the whole URL")
	info, err := os.Stat(kept[0])
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	recorded, err := os.ReadFile(filepath.Join(d.Root, "var/lib/tope-updater/journal.db"))
	require.NoError(t, err)
	require.NotContains(t, string(recorded), secretWord)
	put("token", "two\nlines "+secretWord)
	put("proxy", "device:"+secretWord+"-proxy\n")
	s.until("cannot use header_files", "status")
	s.verb("doctor")
	put("token", "Bearer "+secretWord+"-token\n")
	s.until("1.1.0 -> 1.2.0: Committed", "status")
	require.Len(t, fromEnvironment.Asked(), before)

	// A certificate that the server does not take, and mistakes in the configuration.
	fetchtest.NewAuthority(t).Client(etc, time.Time{}, time.Time{})
	s.verb("install", "--no-wait", release("1.3.0"))
	s.until("it does not take the one in /etc/tope-updater/client.pem", "status")
	require.NoError(t, os.Remove(filepath.Join(etc, "client.key")))
	s.until("cannot use client_cert", "status")
	s.verb("cancel")
	require.Contains(t, s.verb("reload"), "client.key")
	for _, mistake := range []string{
		"proxy = \"http://u:" + secretWord + "@p\"", "proxy = \"" + secretWord + "@p\"", "bandwidth = \"x\"", "no_proxy = [\"u:" + secretWord + "@p\"]",
	} {
		if configure(mistake); !strings.Contains(mistake, "no_proxy") {
			require.Contains(t, s.verb("doctor"), "download.")
		}
	}
	configure("")
	for _, args := range [][]string{
		{"doctor"}, {"--json", "doctor"}, {"journal", "show", "--all"}, {"journal", "list"}, {"journal", "export"}, {"--json", "status"}, {"versions"}, {"status"},
	} {
		require.NotEmpty(t, s.verb(args...), args)
	}
	daemon.end(syscall.SIGTERM)
	require.NotZero(t, daemon.logged.Len())
	require.NotZero(t, requests.Load())
	s.printed.Write(daemon.logged.Bytes())

	told := []string{secretWord}
	for _, user := range []string{fromEnvironment.User, configured.User, "device:" + secretWord + "-wrong"} {
		told = append(told, base64.StdEncoding.EncodeToString([]byte(user)))
	}
	for _, word := range told {
		require.NotContains(t, s.printed.String(), word)
	}
	state := filepath.Join(d.Root, "var/lib/tope-updater")
	require.NoError(t, filepath.WalkDir(state, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, word := range told {
			require.NotContains(t, string(text), word, path)
		}
		return err
	}))
}
