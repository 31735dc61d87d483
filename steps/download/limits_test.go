package download

import (
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/steps/stepstest"
)

// TestPace: the limits are exact to the second, on a fake clock.
func TestPace(t *testing.T) {
	type do func(c *clocktest.Fake, p *pace)
	wait := func(d time.Duration) do { return func(c *clocktest.Fake, _ *pace) { c.Advance(d) } }
	begin := func(what phase) do { return func(_ *clocktest.Fake, p *pace) { p.begin(what) } }
	read := func(d time.Duration, n int) do {
		return func(c *clocktest.Fake, p *pace) {
			p.begin(forBytes)
			c.Advance(d)
			p.end(n)
		}
	}
	times := func(n int, f do) do {
		return func(c *clocktest.Fake, p *pace) {
			for range n {
				f(c, p)
			}
		}
	}
	cases := map[string]struct {
		do   []do
		want string
	}{
		"answer just in time":           {[]do{begin(forAnswer), wait(30*time.Second - 1)}, ""},
		"answer too late":               {[]do{begin(forAnswer), wait(30 * time.Second)}, noAnswer},
		"byte just in time":             {[]do{begin(forBytes), wait(30*time.Second - 1)}, ""},
		"quiet":                         {[]do{begin(forBytes), wait(30 * time.Second)}, wentQuiet},
		"nothing is waited for":         {[]do{wait(time.Hour)}, ""},
		"a slow disk counts for no one": {[]do{times(20, func(c *clocktest.Fake, p *pace) { read(time.Second, 1000)(c, p); c.Advance(time.Minute) })}, ""},
		"99 bytes a second, 59 s":       {[]do{times(59, read(time.Second, 99))}, ""},
		"99 bytes a second, 60 s":       {[]do{times(60, read(time.Second, 99))}, tooSlow},
		"100 bytes a second":            {[]do{times(600, read(time.Second, 100))}, ""},
		"fast, then slow for 60 s":      {[]do{times(60, read(time.Second, 1000)), times(60, read(time.Second, 99))}, tooSlow},
		"slow and then quiet":           {[]do{times(40, read(time.Second, 99)), begin(forBytes), wait(20 * time.Second)}, tooSlow},
		"quiet for 29 s, again and again": {[]do{times(10, func(c *clocktest.Fake, p *pace) {
			read(29*time.Second, 10_000)(c, p)
		})}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			clk := clocktest.New()
			p := &pace{clk: clk, limits: Config{Clock: clk}.withDefaults().Limits}
			for _, f := range c.do {
				f(clk, p)
			}
			err := p.judge()
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			var out *outage
			require.ErrorAs(t, err, &out)
			require.Equal(t, c.want, out.what)
		})
	}
}

// TestOutageOfAWeek: no server listens for a week. The download waits, 1 s at first and
// 5 min at most, and the meter's note says why there is no progress.
func TestOutageOfAWeek(t *testing.T) {
	b := bundleOf(100_000, 1)
	s := serve(t, func(k talk) { k.file(b, tag, -1) })
	away, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := away.Addr().(*net.TCPAddr).Port
	require.NoError(t, away.Close())
	task := newTask(t, from("http://127.0.0.1:"+strconv.Itoa(port)+"/r.zip", b))

	var back sync.Once
	start := s.clk.Monotonic()
	step := stepFor(s.clk, func(c *Config) {
		c.Random = func() float64 {
			if s.clk.Monotonic()-start > 7*24*time.Hour {
				back.Do(func() { comeBack(t, s, port) })
			}
			return 0.5
		}
	})
	out, err := do(t, step, task)
	require.NoError(t, err)
	ev := requireBundle(t, task, b, out)
	waits := s.clk.slept()
	require.Equal(t, 750*time.Millisecond, waits[0])
	require.Equal(t, 1500*time.Millisecond, waits[1])
	require.Equal(t, 225*time.Second, waits[len(waits)-1])
	require.Equal(t, len(waits), ev.Retries)
	require.Len(t, ev.Events, 1)
	require.Equal(t, cannotConnect, ev.Events[0].What)
	require.Equal(t, len(waits), ev.Events[0].Count)
	require.Contains(t, ev.Events[0].Detail, "connection refused")
	require.Greater(t, ev.Events[0].Last.Sub(ev.Events[0].First), 6*24*time.Hour)
}

// comeBack makes s reachable on port.
func comeBack(t *testing.T, s *server, port int) {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				to, err := net.Dial("tcp", s.l.Addr().String())
				if err != nil {
					return
				}
				defer to.Close()
				go io.Copy(to, c) // ends with the connection
				_, _ = io.Copy(c, to)
			}()
		}
	}()
}

// TestBackoff: doubling, bounded, with jitter in its upper half; a server's
// Retry-After can only make it longer.
func TestBackoff(t *testing.T) {
	for random, want := range map[float64][]time.Duration{
		0:   {500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second},
		0.5: {750 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second, 6 * time.Second},
	} {
		r := &run{cfg: Config{Clock: clocktest.New(), Random: func() float64 { return random }}.withDefaults()}
		for i, d := range want {
			r.tries = i
			require.Equal(t, d, r.backoff())
		}
		r.tries = 1 << 30
		require.LessOrEqual(t, r.backoff(), 5*time.Minute)
		require.GreaterOrEqual(t, r.backoff(), 150*time.Second)
	}
	b := bundleOf(1000, 1)
	s := serve(t, first(answer("HTTP/1.1 503 Busy\nRetry-After: 77\nContent-Length: 0"), func(k talk) { k.file(b, tag, -1) }))
	_, err := do(t, stepFor(s.clk), newTask(t, from(s.url(), b)))
	require.NoError(t, err)
	require.Equal(t, []time.Duration{77 * time.Second}, s.clk.slept())
}

// TestTricklesDoNotResetTheBackoff: a server that gives one byte for each connection is
// asked less and less often, and not once a second.
func TestTricklesDoNotResetTheBackoff(t *testing.T) {
	b := bundleOf(30, 1)
	s := serve(t, func(k talk) { k.file(b, tag, 1) })
	task := newTask(t, from(s.url(), b))
	out, err := do(t, stepFor(s.clk), task)
	require.NoError(t, err)
	requireBundle(t, task, b, out)
	waits := s.clk.slept()
	require.Equal(t, 225*time.Second, waits[len(waits)-1])
}

// TestConnectLimit: the step gives up a host that drops connection attempts after 10 s
// of the clock. A full backlog drops them like a firewall does.
func TestConnectLimit(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(fd, 0))
	name, err := unix.Getsockname(fd)
	require.NoError(t, err)
	address := "127.0.0.1:" + strconv.Itoa(name.(*unix.SockaddrInet4).Port)
	for { // fill the backlog
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			break
		}
		defer c.Close()
	}

	clk := clocktest.New()
	b := bundleOf(10, 1)
	task := newTask(t, from("http://"+address+"/", b))
	stop := errors.New("seen enough")
	ctx, cancel := contextWithCause(t)
	ended := make(chan error, 1)
	var ev Evidence
	go func() {
		out, err := New(Config{Clock: clk, Log: quiet()}).Do(ctx, task)
		ev = out.Evidence.(Evidence)
		ended <- err
	}()
	clk.Await(2) // the watcher and the connect limit
	clk.Advance(10 * time.Second)
	for task.Meter.Pause() == nil {
		runtime.Gosched()
	}
	cancel(stop)
	require.ErrorIs(t, <-ended, stop)
	require.Equal(t, []string{cannotConnect}, kinds(ev))
	require.Contains(t, ev.Events[0].Detail, "no connection to "+address+" within 10s")
}

// TestMemory: a bundle of any size goes through one buffer.
func TestMemory(t *testing.T) {
	b := bundleOf(32<<20, 1)
	s := serve(t, func(k talk) { k.file(b, tag, -1) })
	task := stepstest.Task(t, from(s.url(), b))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := stepFor(s.clk).Do(t.Context(), task)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}
