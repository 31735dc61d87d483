package figures_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// perSecond is how often progress is polled, over that many connections.
const (
	perSecond   = 1000
	connections = 20
)

// polls: the cost of a poll of progress while an update is at work, against two
// constant answers at the same rate during the same update. One is the daemon's
// own (GET /, the same server, in the process that is at work). The other is that
// of an idle process, which no process at work can match. Also the cost of the
// polls for the update, against polls of that idle process.
func polls(b *testing.B, l *lab) []row {
	src := l.offer(b, ordinary())
	elsewhere := startConstant(b)
	var ours, constant, idle side
	for range 9 {
		for _, s := range []*side{&ours, &constant, &idle} {
			d := l.boot(b, nobody(), fixtures.Release{})
			url := fmt.Sprintf("http://127.0.0.1:%d", d.Ports.Updater)
			switch s {
			case &ours:
				url += "/api/v1.0/progress"
			case &constant:
				url += "/"
			case &idle:
				url = elsewhere
			}
			p := poll(b, url)
			recs := d.install(b, src)
			s.tails = append(s.tails, p.end(b))
			s.installs = append(s.installs, took(b, recs, engine.Committing))
			d.scrap(b)
		}
	}
	return []row{
		against("poll", "progress polls at 1,000/s during an install, 99th percentile, against the daemon's constant answer",
			median(ours.tails), median(constant.tails), 1.5),
		{
			what:   "the same polls, 99th percentile, with a process that only gives a constant answer as the floor",
			metric: "poll-idle", ours: duration(median(ours.tails)), floor: ref(duration(median(idle.tails))),
		},
		against("polled", "the same install while polled, against while that other process is polled",
			median(ours.installs), median(idle.installs), 1.05),
	}
}

// side is one side of the comparison.
type side struct{ tails, installs []time.Duration }

// poller is another process that polls, so that the rest of the benchmark
// cannot keep the polls waiting.
type poller struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
}

func poll(b *testing.B, url string) *poller {
	b.Helper()
	p := &poller{cmd: role(rolePoller, "FIGURES_URL="+url)}
	stdin, err := p.cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, p.cmd.Start())
	p.stdin, p.out = stdin, bufio.NewReader(stdout)
	p.line(b) // it has begun
	return p
}

func (p *poller) line(b *testing.B) string {
	b.Helper()
	line, err := p.out.ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(line)
}

// end stops polling and returns the 99th percentile.
func (p *poller) end(b *testing.B) time.Duration {
	b.Helper()
	require.NoError(b, p.stdin.Close())
	d, err := time.ParseDuration(p.line(b))
	require.NoError(b, err)
	require.NoError(b, p.cmd.Wait())
	return d
}

// playPoller polls at a steady rate, whether answers come or not, until its
// standard input ends; then it prints the 99th percentile.
func playPoller() int {
	runtime.GOMAXPROCS(runtime.NumCPU() + 2) // it never waits for itself
	client := &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections},
		Timeout:   10 * time.Second,
	}
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(ended) }()
	var mu sync.Mutex
	var all []time.Duration
	failed := error(nil)
	var flight sync.WaitGroup
	fmt.Println("polling")
	began := time.Now()
	for n, on := 0, true; on; n++ {
		select {
		case <-ended:
			on = false
		case <-time.After(time.Until(began.Add(time.Duration(n) * time.Second / perSecond))):
			flight.Go(func() {
				d, err := get(client, os.Getenv("FIGURES_URL"))
				mu.Lock()
				defer mu.Unlock()
				all, failed = append(all, d), errors.Join(failed, err)
			})
		}
	}
	flight.Wait()
	if failed != nil || len(all) == 0 {
		fmt.Fprintln(os.Stderr, len(all), "polls:", failed)
		return 1
	}
	slices.Sort(all)
	fmt.Println(all[len(all)*99/100])
	return 0
}

func get(client *http.Client, url string) (time.Duration, error) {
	began := time.Now()
	answer, err := client.Get(url)
	if err == nil {
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	return time.Since(began), err
}

// startConstant starts the process with the constant answer; it ends with the benchmark.
func startConstant(b *testing.B) (url string) {
	b.Helper()
	cmd := role(roleConstant)
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(line)
}

// playConstant serves until its standard input ends.
func playConstant() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("http://" + listener.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"code":200,"msg":"success","data":{"stage":"downloading","progress":42,`+
			`"message":"Downloading version 1.2.0...","error":null},"stage":null,"progress":null}`)
	})}
	fmt.Fprintln(os.Stderr, server.Serve(listener))
	return 1
}
