package httpapi_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/httpapi"
)

// Of several updaters that start at once, one has the socket, and the others
// leave it alone. What a killed updater left behind is in their way.
func TestSeveralUpdatersStartAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), httpapi.SocketName)
	for range 300 {
		stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		require.NoError(t, err)
		stale.SetUnlinkOnClose(false)
		require.NoError(t, stale.Close())

		servers := make([]*httpapi.Server, 4)
		var all sync.WaitGroup
		for i := range servers {
			all.Go(func() {
				s, err := httpapi.Listen(httpapi.ServerOptions{Handler: http.NotFoundHandler(), Socket: path})
				if err == nil {
					servers[i] = s
				}
			})
		}
		all.Wait()
		var won []*httpapi.Server
		for _, s := range servers {
			if s != nil {
				won = append(won, s)
			}
		}
		require.Len(t, won, 1)
		conn, err := httpapi.DialSocket(t.Context(), path)
		require.NoError(t, err, "the one that stays has its socket")
		require.NoError(t, conn.Close())
		won[0].Close()
		_, err = os.Lstat(path)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

// An updater that was killed while it started a service: the service's process
// still has its socket and its port. The dead do not keep the next updater away,
// and a port is waited for.
func TestADeadUpdatersChildStillHasTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), httpapi.SocketName)
	if path := os.Getenv("HEIR_OF"); path != "" {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		require.NoError(t, err)
		f, err := l.File()
		require.NoError(t, err)
		heir := exec.Command("sleep", "1000")
		heir.ExtraFiles = []*os.File{f}
		require.NoError(t, heir.Start())
		_, _ = fmt.Printf("heir %d\n", heir.Process.Pid)
		os.Exit(0)
	}
	updater := exec.Command(os.Args[0], "-test.run=^TestADeadUpdatersChildStillHasTheSocket$")
	updater.Env = append(os.Environ(), "HEIR_OF="+path)
	out, err := updater.Output()
	require.NoError(t, err)
	var heir int
	_, err = fmt.Sscanf(string(out), "heir %d", &heir)
	require.NoError(t, err, "%s", out)
	defer func() { require.NoError(t, syscall.Kill(heir, syscall.SIGKILL)) }()
	conn, err := httpapi.DialSocket(t.Context(), path)
	require.NoError(t, err, "it looks alive")
	require.NoError(t, conn.Close())

	port, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	time.AfterFunc(100*time.Millisecond, func() { _ = port.Close() })
	s, err := httpapi.Listen(httpapi.ServerOptions{Handler: http.NotFoundHandler(), Socket: path, Listen: []string{port.Addr().String()}})
	require.NoError(t, err)
	s.Close()
}
