package figures_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// perSecond is how often progress is polled, over so many connections.
const (
	perSecond   = 1000
	connections = 20
)

// polls: what a poll of progress costs while an update is at work, and what
// the polls cost the update; against polls of a process that gives a constant
// answer, at the same rate, during the same update.
func polls(b *testing.B, l *lab) []row {
	src := l.offer(b, ordinary())
	constant := startConstant(b)
	var ours, floor side
	for range 7 {
		for _, s := range []*side{&ours, &floor} {
			d := l.boot(b, nobody(), fixtures.Release{})
			url := constant
			if s == &ours {
				url = fmt.Sprintf("http://127.0.0.1:%d", d.Ports.Updater)
			}
			p := poll(url + "/api/v1.0/progress")
			recs := d.install(b, src)
			s.tails = append(s.tails, p99(p.end(b)))
			s.installs = append(s.installs, took(b, recs, engine.Committing))
			d.scrap(b)
		}
	}
	return []row{
		against("poll", "progress polls at 1,000/s during an install, 99th percentile, against a constant handler",
			median(ours.tails), median(floor.tails), 1.5),
		against("polled", "the same install while polled, against while the constant handler is polled",
			median(ours.installs), median(floor.installs), 1.05),
	}
}

// side is one side of the comparison.
type side struct{ tails, installs []time.Duration }

// poller polls at a steady rate, whether answers come or not.
type poller struct {
	client *http.Client
	done   chan struct{}
	ended  chan struct{}

	mu   sync.Mutex
	took []time.Duration
	err  error
}

func poll(url string) *poller {
	p := &poller{
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}, Timeout: 10 * time.Second},
		done:   make(chan struct{}), ended: make(chan struct{}),
	}
	go func() {
		defer close(p.ended)
		var flight sync.WaitGroup
		defer flight.Wait()
		began := time.Now()
		for n := 0; ; n++ {
			select {
			case <-p.done:
				return
			case <-time.After(time.Until(began.Add(time.Duration(n) * time.Second / perSecond))):
				flight.Go(func() { p.one(url) })
			}
		}
	}()
	return p
}

func (p *poller) one(url string) {
	began := time.Now()
	answer, err := p.client.Get(url)
	if err == nil {
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	d := time.Since(began)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, d)
	if err != nil {
		p.err = err
	}
}

// end stops polling and returns how long each poll took.
func (p *poller) end(b *testing.B) []time.Duration {
	b.Helper()
	close(p.done)
	<-p.ended
	p.client.CloseIdleConnections()
	require.NoError(b, p.err)
	return p.took
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
