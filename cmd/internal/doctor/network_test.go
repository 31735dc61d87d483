package doctor_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/certificate"
)

// A certificate is good for nothing while nobody listens, or somebody else does.
func TestTheNetworksDoorIsClosed(t *testing.T) {
	root, err := os.MkdirTemp("", "lan") // short: it has a socket in it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	require.NoError(t, os.MkdirAll(filepath.Join(root, "var/lib/tope-updater"), 0o755))
	require.NoError(t, certificate.Own(filepath.Join(root, "var/lib/tope-updater", certificate.FileName), []string{"localhost"}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	configuration := fmt.Sprintf("[services]\nmanager = \"none\"\n[http]\nlisten = \"\"\nlan = %q\n[device_api]\nurl = \"\"\n", address)

	require.NoError(t, l.Close())
	requireFinding(t, examined(t, root, configuration), "network", pass, "shows the certificate") // no daemon runs: another check says so

	socket := filepath.Join(root, "run/tope-updater/api.sock")
	require.NoError(t, os.MkdirAll(filepath.Dir(socket), 0o755))
	s, err := net.Listen("unix", socket)
	require.NoError(t, err)
	srv := &http.Server{Handler: http.HandlerFunc(answer), ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(s) }()
	t.Cleanup(func() { _ = srv.Close() })
	requireFinding(t, examined(t, root, configuration), "network", warn, "nobody listens on "+address+", though a daemon runs")

	l, err = net.Listen("tcp", address) // this program counts as the updater
	require.NoError(t, err)
	for _, f := range examined(t, root, configuration) {
		require.False(t, f.Check == "network" && f.Level != pass, "%+v", f)
	}
	require.NoError(t, l.Close())

	other := exec.CommandContext(t.Context(), copied(t))
	other.Env = []string{impostor + "=" + address}
	require.NoError(t, other.Start())
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		return err == nil && conn.Close() == nil
	}, 20*time.Second, 10*time.Millisecond)
	f := requireFinding(t, examined(t, root, configuration), "network", warn, address+" is held by")
	require.Contains(t, f.Text, fmt.Sprintf("(process %d)", other.Process.Pid))
}
