package download

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/stepstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patient is a fake clock that stands still while a connection is watched, and
// on which back-offs pass at once; it keeps their lengths.
type patient struct {
	*clocktest.Fake
	mu    sync.Mutex
	waits []time.Duration
	ticks chan struct{} // holds a token while a watcher waits for a tick
}

func newPatient() *patient {
	return &patient{Fake: clocktest.New(), ticks: make(chan struct{}, 1)}
}

// forLimits is a limit for connecting that is longer than every back-off.
const forLimits = 1000 * time.Hour

func (c *patient) After(d time.Duration) <-chan time.Time {
	ch := c.Fake.After(d)
	switch d {
	case tick:
		select {
		case c.ticks <- struct{}{}:
		default:
		}
	case forLimits:
	default:
		c.mu.Lock()
		c.waits = append(c.waits, d)
		c.mu.Unlock()
		c.Advance(d)
	}
	return ch
}

func (c *patient) slept() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Duration(nil), c.waits...)
}

// passUntil lets time pass, a tick whenever the watcher waits for one. It ends when
// done is closed, or when the client has given up and backs off. It is for servers that
// keep a client waiting. Before each tick it calls each.
func (c *patient) passUntil(done <-chan struct{}, each func(second int)) {
	naps := len(c.slept())
	for second := 0; ; second++ {
		select {
		case <-done:
			return
		case <-c.ticks:
		}
		if len(c.slept()) != naps { // the tick is another connection's
			c.After(tick)
			return
		}
		each(second)
		c.Advance(tick)
	}
}

// bundle is n bytes that compress badly and never repeat.
func bundleOf(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	_, _ = r.Read(b)
	return b
}

func sum(b []byte) string {
	s := md5.Sum(b)
	return hex.EncodeToString(s[:])
}

// server is a raw TCP server: each connection brings one request and is closed
// when its handler returns.
type server struct {
	t    *testing.T
	l    net.Listener
	clk  *patient
	wg   sync.WaitGroup
	mu   sync.Mutex
	seen []*http.Request
	sent int64 // bytes of bundle sent
	// meter is the client's, for handlers that go on when the client has some bytes.
	meter atomic.Pointer[steps.Meter]
}

// talk is one request and the connection to answer on.
type talk struct {
	net.Conn
	s   *server
	n   int // counts requests from 0
	req *http.Request
}

func serve(t *testing.T, handle func(talk)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{t: t, l: l, clk: newPatient()}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				defer c.Close()
				in := bufio.NewReader(c)
				if b, err := in.Peek(1); err == nil && b[0] == 0x16 { // TLS
					fmt.Fprint(c, "HTTP/1.0 400 Bad Request\r\n\r\nthis is plain HTTP\n")
					return
				}
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				s.mu.Lock()
				s.seen = append(s.seen, req)
				n := len(s.seen) - 1
				s.mu.Unlock()
				handle(talk{c, s, n, req})
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); s.wg.Wait() })
	return s
}

func (s *server) url() string { return "http://" + s.l.Addr().String() + "/r.zip" }

func (s *server) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// ranges lists the Range headers in the order they came; "" for none.
func (s *server) ranges() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, r := range s.seen {
		out = append(out, r.Header.Get("Range"))
	}
	return out
}

func (s *server) bytesSent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

func (k talk) printf(format string, args ...any) { fmt.Fprintf(k, format, args...) }

// body writes bytes of the bundle, counted.
func (k talk) body(b []byte) {
	n, _ := k.Write(b)
	k.s.mu.Lock()
	k.s.sent += int64(n)
	k.s.mu.Unlock()
}

// hang keeps the client waiting while the clock ticks, until it goes away.
func (k talk) hang() { k.s.clk.passUntil(k.gone(), func(int) {}) }

// gone is closed when the client has closed the connection.
func (k talk) gone() <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = k.Read(make([]byte, 1))
	}()
	return gone
}

// received returns when the client has n bytes of the bundle, or is gone.
func (k talk) received(n int) {
	gone := k.gone()
	for {
		select {
		case <-gone:
			return
		default:
		}
		if done, _ := k.s.meter.Load().Read(); done >= int64(n) {
			return
		}
		runtime.Gosched()
	}
}

// asked is where the requested range begins; 0 without one.
func (k talk) asked() int {
	from, ok := strings.CutPrefix(k.req.Header.Get("Range"), "bytes=")
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSuffix(from, "-"))
	if err != nil {
		k.s.t.Errorf("unreadable range %q", from)
	}
	return n
}

// file answers like a good server with one file under one ETag. It closes the
// connection after most bytes of body; a negative most means no such limit. It returns
// the offset in the file at which it ended.
func (k talk) file(b []byte, etag string, most int) int {
	from := k.asked()
	if ir := k.req.Header.Get("If-Range"); ir != "" && ir != etag {
		from = 0
	}
	tag := ""
	if etag != "" {
		tag = "ETag: " + etag + "\r\n"
	}
	switch {
	case k.req.Header.Get("Range") != "" && from >= len(b):
		k.printf("HTTP/1.1 416 No\r\nContent-Range: bytes */%d\r\n%sContent-Length: 0\r\n\r\n", len(b), tag)
		return len(b)
	case from > 0:
		k.printf("HTTP/1.1 206 Partial\r\nContent-Range: bytes %d-%d/%d\r\n%sContent-Length: %d\r\n\r\n",
			from, len(b)-1, len(b), tag, len(b)-from)
	default:
		k.printf("HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n%sContent-Length: %d\r\n\r\n", tag, len(b))
	}
	b = b[from:]
	if most >= 0 && most < len(b) {
		b = b[:most]
	}
	k.body(b)
	return from + len(b)
}

// chunks sends an answer of unknown length.
func (k talk) chunks(header string, end bool, parts ...[]byte) {
	k.printf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n", header)
	for _, p := range parts {
		k.printf("%x\r\n", len(p))
		k.body(p)
		k.printf("\r\n")
	}
	if end {
		k.printf("0\r\n\r\n")
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func stepFor(clk *patient, edits ...func(*Config)) *Step {
	cfg := Config{Clock: clk, Log: quiet(), Version: "1.2.3", Random: func() float64 { return 0.5 }}
	cfg.Web = reach(clk, fetch.Settings{})
	for _, edit := range edits {
		edit(&cfg)
	}
	return New(cfg)
}

// reach is a way to the servers whose limit for connecting the clock never reaches.
func reach(clk *patient, s fetch.Settings) *fetch.Transport {
	return fetch.New(fetch.Config{Settings: s, Clock: clk, Connect: forLimits})
}

func from(url string, b []byte) func(*steps.Task) {
	return func(t *steps.Task) {
		t.Source = steps.Source{URL: source.New(url), Size: int64(len(b)), MD5: sum(b)}
	}
}

// requireBundle checks everything that the step promises when it succeeds.
func requireBundle(t *testing.T, task *steps.Task, b []byte, out steps.Outcome) Evidence {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(task.WorkDir, bundle.FileName))
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, got), "the bundle on disk is another one")
	require.NoFileExists(t, filepath.Join(task.WorkDir, PartFile))
	ev, ok := out.Evidence.(Evidence)
	require.True(t, ok)
	require.Equal(t, int64(len(b)), ev.Size)
	require.Equal(t, sum(b), ev.MD5)
	require.Equal(t, "md5:"+sum(b), out.Release.Digest)
	require.Nil(t, task.Meter.Pause())
	done, total := task.Meter.Read()
	require.Equal(t, int64(len(b)), done)
	require.Contains(t, []int64{0, int64(len(b))}, total)
	return ev
}

// requireNoBundle checks everything that the step promises when it fails: no file under
// the bundle's name, and no more than size bytes under any name.
func requireNoBundle(t *testing.T, task *steps.Task, size int64) {
	t.Helper()
	require.NoFileExists(t, filepath.Join(task.WorkDir, bundle.FileName))
	if info, err := os.Stat(filepath.Join(task.WorkDir, PartFile)); !errors.Is(err, os.ErrNotExist) {
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), size, "more on disk than declared")
	}
	require.NoError(t, New(Config{Clock: newPatient()}).Undo(context.Background(), task))
	left, err := os.ReadDir(task.WorkDir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func kinds(ev Evidence) []string {
	var out []string
	for _, e := range ev.Events {
		out = append(out, e.What)
	}
	return out
}

// do runs the step to its end in a time that only a hanging step exceeds.
func do(t *testing.T, s *Step, task *steps.Task) (steps.Outcome, error) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Minute, errors.New("the step hangs"))
	defer cancel()
	out, err := s.Do(ctx, task)
	if err != nil {
		require.NotEqual(t, steps.Interrupted, steps.AsError(err).Class, "%v", err)
	}
	return out, err
}

func newTask(t *testing.T, edits ...func(*steps.Task)) *steps.Task {
	return stepstest.Task(t, edits...)
}

func contextWithCause(t *testing.T) (context.Context, context.CancelCauseFunc) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	t.Cleanup(func() { cancel(nil) })
	return ctx, cancel
}
