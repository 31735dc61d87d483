package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/certificate"
)

// neighbour is somebody on the network of a device.
type neighbour struct {
	t    *testing.T
	port int
	// shown is the certificate that the device shows.
	shown string
}

// ask sends a request to the device's door for the network.
func (n *neighbour) ask(method, path, body, token string) (code int, said string) {
	n.t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		n.shown = certificate.Fingerprint(&tls.Certificate{Certificate: [][]byte{s.PeerCertificates[0].Raw}})
		return nil
	}}
	c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}}
	req, err := http.NewRequestWithContext(n.t.Context(), method, fmt.Sprintf("https://127.0.0.1:%d%s", n.port, path), strings.NewReader(body))
	require.NoError(n.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.Do(req)
	require.NoError(n.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(n.t, err)
	return resp.StatusCode, string(text)
}

// TestANeighbourWithATokenAndWithout: a real daemon on the network. It is known by a
// fingerprint that stays, a stranger may look, a token's holder may do what the token says
// until it is revoked, and the journal tells who asked, whatever the door.
func TestANeighbourWithATokenAndWithout(t *testing.T) {
	programs := builttest.Services(t)
	dir := t.TempDir()
	d, err := programs.Device(t.Context(), filepath.Join(dir, "device"), fixtures.Release{Version: "1.0.0"},
		fixtures.Options{Manager: "none", Stable: 100 * time.Millisecond, Timeout: 2 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Remove(context.Background())) })
	n := &neighbour{t: t, port: d.Ports.WebServer} // it has no service manager, so nobody listens there
	text, err := os.ReadFile(d.Config)
	require.NoError(t, err)
	lan := fmt.Sprintf("[http]\nlan = \"0.0.0.0:%d\"\n", n.port)
	require.NoError(t, os.WriteFile(d.Config, []byte(strings.Replace(string(text), "[http]\n", lan, 1)), 0o600))
	package1, err := programs.Package(dir, fixtures.Release{Version: "1.1.0"})
	require.NoError(t, err)

	s := &secretive{t: t, d: d}
	first := startDaemon(t, d)
	s.until("1.0.0", "status") // a verb answers that before the daemon does
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", n.port))
		return err == nil && c.Close() == nil
	}, 20*time.Second, 5*time.Millisecond)
	code, said := n.ask("GET", "/api/v2/status", "", "")
	require.Equal(t, 200, code, said)
	mine := n.shown
	require.Contains(t, s.verb("status"), fmt.Sprintf("network     https://0.0.0.0:%d, certificate SHA-256 %s\n", n.port, mine))
	require.Contains(t, s.verb("doctor"), mine)
	const prune = "/api/v2/prune"
	code, said = n.ask("POST", prune, "", "")
	require.Equal(t, 401, code, said)
	code, said = n.ask("POST", "/api/v1.0/update", `{"version":"1.1.0"}`, "")
	require.Equal(t, 401, code, said)

	token := strings.TrimSpace(strings.SplitN(s.verb("token", "create", "fleet", "--scope", "install"), "\n", 2)[0])
	code, said = n.ask("POST", "/api/v2/install", `{"url":"`+package1.Path+`","force":true}`, token)
	require.Equal(t, 403, code, said)
	code, said = n.ask("POST", prune, "", token)
	require.Equal(t, 403, code, said)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	code, said = n.ask("POST", "/api/v2/install", `{"url":"`+server.URL+"/"+package1.Name+`"}`, token)
	require.Equal(t, 202, code, said)
	s.until("1.0.0 -> 1.1.0: Committed", "status")
	require.Contains(t, s.verb("status"), "asked for by token fleet used by root from 127.0.0.1:")
	_, said = n.ask("GET", "/api/v2/status", "", "")
	require.NotContains(t, said, "fleet", "who asked is not for strangers")
	s.verb("rollback")
	s.verb("prune")
	require.Contains(t, s.verb("token", "revoke", "fleet"), "revoked")
	code, said = n.ask("POST", "/api/v2/cancel", "", token)
	require.Equal(t, 401, code, said)
	require.Contains(t, said, "does not know this token, or not any more")

	// The certificate stays; the journal tells all three doors apart.
	first.end(syscall.SIGTERM)
	require.Contains(t, first.logged.String(), mine)
	require.NotContains(t, first.logged.String(), token)
	story := s.verb("journal", "show", "--all")
	require.Contains(t, story, "by: token fleet used by root from 127.0.0.1:")
	require.Contains(t, story, "by: root (tope-updater, process ")
	require.Contains(t, story, "upkeep: prune")
	var update struct {
		Chapters []struct {
			Kind    string
			Entries []struct {
				By *struct {
					Kind, Token string
					UID         *int
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(s.verb("--json", "journal", "show", "--all")), &update))
	kinds := map[string]string{}
	for _, c := range update.Chapters {
		for _, e := range c.Entries {
			if e.By != nil {
				kinds[c.Kind] = e.By.Kind
			}
		}
	}
	require.Equal(t, map[string]string{"install": "token", "rollback": "user", "": "user"}, kinds)
	second := startDaemon(t, d)
	s.until("https://", "status")
	code, _ = n.ask("GET", "/", "", "")
	require.Equal(t, 200, code)
	require.Equal(t, mine, n.shown)
	second.end(syscall.SIGTERM)

	// A damaged certificate closes the door, and nothing else.
	own := filepath.Join(d.Root, "var/lib/tope-updater", certificate.FileName)
	require.NoError(t, os.WriteFile(own, []byte("damaged"), 0o600))
	startDaemon(t, d)
	s.until("cannot use the certificate "+own, "status")
	require.Contains(t, s.verb("doctor"), own)
	_, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", n.port))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}
