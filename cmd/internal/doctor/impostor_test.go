package doctor_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// impostor names the socket, or the address, on which this program, started under another name, answers
// as a daemon does.
const impostor = "TOPE_TEST_IMPOSTOR"

func TestMain(m *testing.M) {
	if path := os.Getenv(impostor); path != "" {
		network := "unix"
		if !filepath.IsAbs(path) {
			network = "tcp"
		}
		l, err := net.Listen(network, path)
		if err == nil {
			err = http.Serve(l, http.HandlerFunc(answer)) //nolint:gosec // a test's
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func answer(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"service":"tope-updater"}`) }

// Who answers as the updater does is believed only when its program is the updater's.
func TestTheDaemonIsKnownByItsProgram(t *testing.T) {
	root, err := os.MkdirTemp("", "own") // short: it has a socket in it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	socket := filepath.Join(root, "run/tope-updater/api.sock")
	require.NoError(t, os.MkdirAll(filepath.Dir(socket), 0o755))

	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	srv := &http.Server{Handler: http.HandlerFunc(answer), ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(l) }()
	requireFinding(t, examined(t, root, quiet), "daemon", pass, "it answers on")
	require.NoError(t, srv.Close())
	requireFinding(t, examined(t, root, quiet), "daemon", warn, "no daemon runs")

	cmd := exec.CommandContext(t.Context(), copied(t))
	cmd.Env = []string{impostor + "=" + socket}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("unix", socket)
		return err == nil && conn.Close() == nil
	}, 20*time.Second, 10*time.Millisecond)
	f := requireFinding(t, examined(t, root, quiet), "daemon", fail, "which is not the updater")
	require.Contains(t, f.Text, fmt.Sprintf("(process %d)", cmd.Process.Pid))
}

// copied is another program with the same content as this one.
func copied(t *testing.T) string {
	t.Helper()
	from, err := os.Open("/proc/self/exe")
	require.NoError(t, err)
	defer func() { _ = from.Close() }()
	path := filepath.Join(t.TempDir(), "impostor")
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(to, from)
	require.NoError(t, err)
	require.NoError(t, to.Close())
	return path
}
