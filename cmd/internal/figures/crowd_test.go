package figures_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal/journaltest"
)

const (
	// crowdUser is whom the crowd belongs to: not the user that polls.
	crowdUser = 65534
	crowdSize = 1000
	// crowded is how often progress is polled in a crowd, each time over a new connection.
	crowded = 500
)

// fatDevice is a device with the journal that has the largest answer.
func fatDevice(b *testing.B, l *lab) *device {
	b.Helper()
	d := l.boot(b, nobody(), fixtures.Release{})
	d.stop(b)
	path := filepath.Join(d.Root, "var/lib/tope-updater/journal.db")
	require.NoError(b, os.Remove(path))
	journaltest.Fat(b, path)
	d.start(b)
	return d
}

// unread: the memory that 200 requests of the largest answer cost, which nobody reads.
func unread(b *testing.B, l *lab) []row {
	most := 0.0
	for range 3 {
		d := fatDevice(b, l)
		before := highWater(b, d.daemon.Process.Pid)
		for range 200 {
			c, err := httpapi.DialSocket(b.Context(), filepath.Join(d.Root, "run/tope-updater/api.sock"))
			if err != nil {
				continue // it was closed at once
			}
			defer c.Close()
			_, _ = io.WriteString(c, "GET /api/v2/journal HTTP/1.1\r\nHost: localhost\r\n\r\n")
		}
		// Those that wait for their turn are told to come again.
		time.Sleep(7 * time.Second)
		most = max(most, highWater(b, d.daemon.Process.Pid)-before)
		d.scrap(b)
	}
	return []row{{what: "memory that 200 unread requests for a journal of 3.4 MB cost", metric: "B-unread", ours: quantity{most, mebibytes}, reach: 24 * mebi}}
}

func (d *device) address() string { return fmt.Sprintf("127.0.0.1:%d", d.Ports.Updater) }

// crowd: polls of progress while another user's thousand connections do their worst: they
// say nothing, half a header, or half a body, wait, or leave answers unread, and come again
// as soon as they are closed.
func crowd(b *testing.B, l *lab) []row {
	d := fatDevice(b, l)
	before := highWater(b, d.daemon.Process.Pid)
	alone := tail(b, d)
	p := startCrowd(b, d.address())
	among := tail(b, d)
	p.stop(b)
	grown := highWater(b, d.daemon.Process.Pid) - before
	d.scrap(b)
	return []row{
		{what: "progress polls among 1,000 hostile connections, 99th percentile", metric: "crowd", ours: duration(among), reach: 0.05},
		{what: "the same polls without them", metric: "crowd-none", ours: duration(alone)},
		{what: "memory that the 1,000 connections cost", metric: "B-crowd", ours: quantity{grown, mebibytes}, reach: 24 * mebi},
	}
}

func tail(b *testing.B, d *device) time.Duration {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	var all []time.Duration
	for range crowded {
		took, err := get(client, "http://"+d.address()+"/api/v1.0/progress")
		require.NoError(b, err)
		all = append(all, took)
		time.Sleep(10 * time.Millisecond)
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}

// mob is a process with hostile connections.
type mob struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

func startCrowd(b *testing.B, address string) *mob {
	b.Helper()
	m := &mob{cmd: role(roleCrowd, "FIGURES_ADDRESS="+address)}
	stdin, err := m.cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := m.cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, m.cmd.Start())
	m.stdin = stdin
	_, err = io.ReadFull(stdout, make([]byte, 1)) // all of them have been connected
	require.NoError(b, err)
	return m
}

func (m *mob) stop(b *testing.B) {
	b.Helper()
	require.NoError(b, m.stdin.Close())
	require.NoError(b, m.cmd.Wait())
}

// playCrowd keeps its connections coming until its standard input ends.
func playCrowd() int {
	if err := syscall.Setuid(crowdUser); err != nil {
		fmt.Fprintln(os.Stderr, "another user is needed:", err)
		return 1
	}
	address := os.Getenv("FIGURES_ADDRESS")
	says := []string{
		"",
		"GET /api/v1.0/progress HTTP/1.1\r\nHost: local",
		"POST /api/v1.0/download HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
		"GET /api/v2/status?wait=" + strconv.Itoa(1<<30) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /api/v2/updates HTTP/1.1\r\nHost: localhost\r\n\r\n",
	}
	var connected atomic.Int64
	all := make(chan struct{})
	for n := range crowdSize {
		go func() {
			for first := true; ; first = false {
				c, err := net.Dial("tcp", address)
				if first && connected.Add(1) == crowdSize {
					close(all)
				}
				if err != nil {
					continue
				}
				_, _ = io.WriteString(c, says[n%len(says)])
				// It reads one byte and no more; the daemon ends it.
				one := make([]byte, 1)
				if _, err := c.Read(one); err == nil {
					time.Sleep(time.Second)
				}
				_ = c.Close()
			}
		}()
	}
	<-all
	fmt.Print(".")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}
