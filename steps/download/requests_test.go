package download

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDripIsTooSlow: a byte a second is fewer than 100 a second, over 60 s.
func TestDripIsTooSlow(t *testing.T) {
	b := bundleOf(10_000, 1)
	took := make(chan time.Duration, 1)
	task := newTask(t)
	s := serve(t, first(func(k talk) {
		k.printf("HTTP/1.1 200 OK\r\nETag: %s\r\nContent-Length: %d\r\n\r\n", tag, len(b))
		start := k.s.clk.Monotonic()
		k.s.clk.passUntil(k.gone(), func(second int) {
			k.body(b[second : second+1])
			k.received(second + 1)
		})
		took <- k.s.clk.Monotonic() - start
	}, func(k talk) { k.file(b, tag, -1) }))
	from(s.url(), b)(task)
	s.meter.Store(task.Meter)
	out, err := do(t, stepFor(s.clk), task)
	require.NoError(t, err)
	ev := requireBundle(t, task, b, out)
	require.Equal(t, []string{tooSlow}, kinds(ev))
	// Not exact to the second: time in which the client writes is not counted.
	waited := <-took
	require.GreaterOrEqual(t, waited, 60*time.Second)
	require.Less(t, waited, time.Hour, "the whole file would take almost three")
	require.Equal(t, int64(len(b)), ev.Received, "what dripped in was kept")
}

// TestRequestsSayWhoAsks: the headers of a first request and of a resumed one.
func TestRequestsSayWhoAsks(t *testing.T) {
	b := bundleOf(100_000, 1)
	s := serve(t, first(func(k talk) { k.file(b, tag, 40_000) }, func(k talk) { k.file(b, tag, -1) }))
	task := newTask(t, from(s.url(), b))
	_, err := do(t, stepFor(s.clk), task)
	require.NoError(t, err)
	require.Equal(t, http.Header{
		"User-Agent": {"tope-updater/1.2.3"}, "Accept-Encoding": {"identity"}, "Connection": {"close"},
	}, s.seen[0].Header)
	require.Equal(t, http.Header{
		"User-Agent": {"tope-updater/1.2.3"}, "Accept-Encoding": {"identity"}, "Connection": {"close"},
		"Range": {"bytes=40000-"}, "If-Range": {tag},
	}, s.seen[1].Header)
}
