package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/httpapitest"
)

// serve runs a server until the test, or stop, ends it.
func serve(t *testing.T, d *httpapitest.Device, o httpapi.ServerOptions) (s *httpapi.Server, stop func()) {
	t.Helper()
	return serveHandler(t, d.Handler(), o)
}

func serveHandler(t *testing.T, h http.Handler, o httpapi.ServerOptions) (s *httpapi.Server, stop func()) {
	t.Helper()
	o.Handler = h
	s, err := httpapi.Listen(o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-served)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// overSocket is a client of a socket.
func overSocket(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return httpapi.DialSocket(ctx, path) },
		DisableKeepAlives: true,
	}}
}

func TestServesLoopbackAndSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), httpapi.SocketName)
	s, stop := serve(t, httpapitest.New(), httpapi.ServerOptions{Listen: []string{"127.0.0.1:0", "[::1]:0"}, Socket: socket})
	for _, address := range s.Addrs()[:2] {
		r, err := http.Get("http://" + address.String() + "/api/v2/status")
		require.NoError(t, err)
		require.Equal(t, 200, r.StatusCode)
		r.Body.Close()
	}
	require.Equal(t, socket, s.Addrs()[2].String())
	r, err := overSocket(socket).Get("http://localhost/")
	require.NoError(t, err)
	require.Contains(t, text(t, r), `"service":"tope-updater"`)
	info, err := os.Lstat(socket)
	require.NoError(t, err)
	require.Equal(t, "Srw-rw----", info.Mode().String())
	stop()
	require.NoFileExists(t, socket)
	left, err := os.ReadDir(filepath.Dir(socket))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestSocketPathsMayBeLong(t *testing.T) {
	for _, n := range []int{106, 107, 108, 109, 200, 1000} {
		dir := t.TempDir()
		for len(dir)+1+len(httpapi.SocketName) < n {
			room := n - len(dir) - 2 - len(httpapi.SocketName)
			dir = filepath.Join(dir, strings.Repeat("d", max(1, min(room, 100))))
		}
		require.NoError(t, os.MkdirAll(dir, 0o755))
		socket := filepath.Join(dir, httpapi.SocketName)
		_, stop := serve(t, httpapitest.New(), httpapi.ServerOptions{Socket: socket})
		r, err := overSocket(socket).Get("http://localhost/api/v2/status")
		require.NoError(t, err, "%d bytes", len(socket))
		r.Body.Close()
		stop()
		require.NoFileExists(t, socket)
	}
}

func TestAKilledDaemonsSocketIsReplaced(t *testing.T) {
	socket := filepath.Join(t.TempDir(), httpapi.SocketName)
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	require.NoError(t, err)
	dead.SetUnlinkOnClose(false)
	dead.Close()
	// A daemon killed while it made the socket may have left the temporary name, too.
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(socket), ".api.sock.new"), nil, 0o600))

	_, err = httpapi.DialSocket(t.Context(), socket)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	serve(t, httpapitest.New(), httpapi.ServerOptions{Socket: socket})
	r, err := overSocket(socket).Get("http://localhost/")
	require.NoError(t, err)
	r.Body.Close()
}

func TestALivingDaemonsSocketIsLeftAlone(t *testing.T) {
	socket := filepath.Join(t.TempDir(), httpapi.SocketName)
	serve(t, httpapitest.New(), httpapi.ServerOptions{Socket: socket})
	_, err := httpapi.Listen(httpapi.ServerOptions{Socket: socket})
	require.ErrorContains(t, err, "another updater listens there")
	r, err := overSocket(socket).Get("http://localhost/")
	require.NoError(t, err)
	r.Body.Close()
}

func TestAFileThatIsNoSocketIsLeftAlone(t *testing.T) {
	socket := filepath.Join(t.TempDir(), httpapi.SocketName)
	require.NoError(t, os.WriteFile(socket, []byte("mine"), 0o600))
	_, err := httpapi.Listen(httpapi.ServerOptions{Socket: socket})
	require.ErrorContains(t, err, "not a socket")
	require.FileExists(t, socket)
}

// TestASocketPutInItsPlaceStays: a daemon that ends removes only its own socket.
func TestASocketPutInItsPlaceStays(t *testing.T) {
	socket := filepath.Join(t.TempDir(), httpapi.SocketName)
	_, stop := serve(t, httpapitest.New(), httpapi.ServerOptions{Socket: socket})
	require.NoError(t, os.Rename(socket, socket+".old"))
	serve(t, httpapitest.New(), httpapi.ServerOptions{Socket: socket})
	stop()
	require.FileExists(t, socket)
}

func TestNothingStaysBoundWhenOneAddressIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	free.Close()

	_, err = httpapi.Listen(httpapi.ServerOptions{Listen: []string{free.Addr().String(), taken.Addr().String()}})
	require.ErrorContains(t, err, taken.Addr().String())
	again, err := net.Listen("tcp", free.Addr().String())
	require.NoError(t, err)
	again.Close()
}

func TestASocketInNoDirectory(t *testing.T) {
	_, err := httpapi.Listen(httpapi.ServerOptions{Socket: filepath.Join(t.TempDir(), "missing", "api.sock")})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = httpapi.Listen(httpapi.ServerOptions{Socket: filepath.Join(t.TempDir(), strings.Repeat("m", 200), "api.sock")})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestStoppingEndsRequestsThatWait(t *testing.T) {
	d := httpapitest.New()
	s, stop := serve(t, d, httpapi.ServerOptions{Listen: []string{"127.0.0.1:0"}})
	answered := make(chan *http.Response, 1)
	go func() {
		r, err := http.Get("http://" + s.Addrs()[0].String() + "/api/v2/status?wait=7")
		if err == nil {
			r.Body.Close()
		}
		answered <- r
	}()
	d.Clock.Await(1)
	stop()
	r := <-answered
	require.NotNil(t, r)
	require.Equal(t, 200, r.StatusCode)
}

// TestStoppingTellsWhoWaitsForTheEngine: an error that the stop causes is sent
// to the client. A client would take silence for success.
func TestStoppingTellsWhoWaitsForTheEngine(t *testing.T) {
	d := httpapitest.New()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.Fail(context.Canceled)
	r := ask(d.Handler(), "POST", "/api/v2/cancel", "", func(r *http.Request) { *r = *r.WithContext(httpapi.Here(ctx)) })
	refusedAs(t, r, 503, "stopping")
}

func TestConnectionsAreBounded(t *testing.T) {
	s, _ := serve(t, httpapitest.New(), httpapi.ServerOptions{Listen: []string{"127.0.0.1:0"}})
	address := s.Addrs()[0].String()
	get := func(c net.Conn) {
		_, err := io.WriteString(c, "GET /api/v1.0/progress HTTP/1.1\r\nHost: localhost\r\n\r\n")
		require.NoError(t, err)
	}
	answered := func(c net.Conn) {
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.Equal(t, 200, r.StatusCode)
		_, err = io.Copy(io.Discard, r.Body)
		require.NoError(t, err)
	}
	var conns []net.Conn
	for range httpapi.MaxConns {
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer c.Close()
		get(c)
		answered(c)
		conns = append(conns, c)
	}
	// One more takes the place of one that is idle.
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer c.Close()
	get(c)
	answered(c)
	require.Equal(t, httpapi.MaxConns, s.Open())
	// That is the first, unless the server was late to see an answer as over.
	// The others are asked once it has ended; how long that takes is up to the server.
	over := make([]error, len(conns))
	first := make(chan struct{})
	var once sync.Once
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() {
			_, over[i] = c.Read(make([]byte, 1))
			once.Do(func() { close(first) })
		})
	}
	<-first
	for _, c := range conns {
		require.NoError(t, c.SetReadDeadline(time.Now()))
	}
	all.Wait()
	ended := 0
	for i, c := range append(conns, c) {
		if i < len(over) && !errors.Is(over[i], os.ErrDeadlineExceeded) {
			ended++
			continue
		}
		require.NoError(t, c.SetReadDeadline(time.Time{}))
		get(c)
		answered(c)
		c.Close()
	}
	require.Equal(t, 1, ended)
	require.Eventually(t, func() bool { return s.Open() == 0 }, 30*time.Second, time.Millisecond)
}

func TestSlowClientsAreCutOff(t *testing.T) {
	d := httpapitest.New()
	s, err := httpapi.Listen(httpapi.ServerOptions{Handler: d.Handler(), Listen: []string{"127.0.0.1:0"}})
	require.NoError(t, err)
	s.Hurry()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	for name, sent := range map[string]string{
		"nothing":         "",
		"half a header":   "POST /api/v2/cancel HTTP/1.1\r\nHost: local",
		"half a body":     "POST /api/v2/install HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"url\":",
		"an endless body": "POST /api/v2/install HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
	} {
		c, err := net.Dial("tcp", s.Addrs()[0].String())
		require.NoError(t, err)
		_, err = io.WriteString(c, sent)
		require.NoError(t, err)
		_, err = io.ReadAll(c) // ends when the server hangs up
		require.NoError(t, err, name)
		c.Close()
	}
	require.Empty(t, d.Calls())

	// A request that waits for a change outlives every limit.
	answer := make(chan int, 1)
	go func() {
		r, err := http.Get("http://" + s.Addrs()[0].String() + "/api/v2/status?wait=7")
		if err != nil {
			answer <- 0
			return
		}
		r.Body.Close()
		answer <- r.StatusCode
	}()
	d.Clock.Await(1)
	s.OutlastLimits()
	require.Empty(t, answer)
	d.Open(engine.Requested, 0)
	require.Equal(t, 200, <-answer)
	cancel()
	require.NoError(t, <-served)
}
