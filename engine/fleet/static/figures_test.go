package static_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet/static"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/steps/bundle/channel"
)

// The header of a 304, besides Date and ETag, as servers send it.
var servers = map[string]string{
	"nginx": "Server: nginx/1.26.3\r\nLast-Modified: Sun, 29 Nov 2026 12:00:00 GMT\r\nConnection: close\r\n",
	"Amazon S3": "x-amz-id-2: eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHGran\r\nx-amz-request-id: 318BC8BC148832E5\r\n" +
		"Last-Modified: Sun, 29 Nov 2026 12:00:00 GMT\r\nServer: AmazonS3\r\nConnection: close\r\n",
}

// TestAPollOfAnUnchangedChannel costs at most 600 bytes, there and back, on a socket.
func TestAPollOfAnUnchangedChannel(t *testing.T) {
	const tag = `"9b2cf535f27731c974343645a3985328-1"`
	for name, header := range servers {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.publish()
			file := string(w.files["stable.channel"])
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = listener.Close() })
			wire := make(chan int, 10)
			go serveRaw(listener, wire, func(r *http.Request) string {
				common := "Date: Sun, 29 Nov 2026 12:00:00 GMT\r\nETag: " + tag + "\r\n" + header
				if r.Header.Get("If-None-Match") == tag {
					return "HTTP/1.1 304 Not Modified\r\n" + common + "\r\n"
				}
				return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", len(file), common, file)
			})
			w.cfg.URL = "http://" + listener.Addr().String() + "/printers/europe/stable.channel"
			w.cfg.Web = fetch.New(fetch.Config{Settings: fetch.Settings{Proxy: fetch.NoProxy}, Clock: w.clock})
			w.start()
			w.waits("newest")
			require.Greater(t, <-wire, len(file))
			w.waits("newest")
			cost := <-wire
			t.Logf("%d bytes", cost)
			require.LessOrEqual(t, cost, 600)
		})
	}
}

// serveRaw answers one request on each connection, and tells the bytes there and back.
func serveRaw(listener net.Listener, wire chan<- int, answer func(*http.Request) string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		counted := &counter{Conn: conn}
		if r, err := http.ReadRequest(bufio.NewReader(counted)); err == nil {
			_, _ = counted.Write([]byte(answer(r)))
		}
		_ = conn.Close()
		wire <- counted.n
	}
}

type counter struct {
	net.Conn
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n += n
	return n, err
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.n += n
	return n, err
}

// TestLittleStaysInMemory: of a channel of nearly the highest size, what is kept for a
// device of one hardware is small, and is enough to answer by a 304.
func TestLittleStaysInMemory(t *testing.T) {
	w := newWorld(t)
	for i := range 490 {
		r := w.release(fmt.Sprintf("1.%d.0", i), fmt.Sprintf("%03x", i))
		r.Hardware, r.URL = []string{"rev-a"}, strings.Repeat("x", 30)
		if i >= 480 {
			r.Hardware = []string{"rev-b"}
		}
		w.releases = append(w.releases, r)
	}
	w.releases[489].State, w.releases[489].Why = channel.Halted, "loses the calibration"
	w.publish()
	require.Greater(t, len(w.files["stable.channel"]), channel.MaxFile*9/10)
	w.cfg.Web = handlerTrip{&w.host}
	const many = 20
	sources := make([]*static.Source, many)
	w.waitsOnce() // what is loaded once in a process
	before := heap()
	for i := range sources {
		sources[i] = w.start()
		require.Equal(t, "1.488.0", w.offered().Version)
	}
	each := (heap() - before) / many
	t.Logf("%d bytes", each)
	require.Less(t, each, int64(16<<10))
	w.requests()
	for _, w.source = range sources {
		require.Equal(t, "1.488.0", w.offered().Version)
	}
	require.Equal(t, "GET /stable.channel 304", w.requests()[many-1])
	runtime.KeepAlive(sources)
}

func (w *world) waitsOnce() {
	w.start()
	w.offered()
	w.requests()
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // megabytes
}
