package httpapi_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/httpapitest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/journal/journaltest"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/roottest"
)

// fattened is a fat journal.
func fattened(t testing.TB) *journal.Journal {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.db")
	journaltest.Fat(t, path)
	j, err := journal.Open(path, journal.Options{Clock: clocktest.New()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// withJournal serves a device that has a real journal.
func withJournal(t *testing.T, j httpapi.Journal) (address string) {
	t.Helper()
	o := httpapitest.New().Options()
	o.Journal = j
	h := httpapi.New(o)
	// Those who ask may read the journal, as by a token they could.
	all := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r.WithContext(httpapi.Here(r.Context()))) })
	s, _ := serveHandler(t, all, httpapi.ServerOptions{Listen: []string{"127.0.0.1:0"}})
	return s.Addrs()[0].String()
}

// unread sends a request and reads nothing of the answer. It returns nil when it got no
// connection.
func unread(t testing.TB, address, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		require.ErrorIs(t, err, syscall.ECONNRESET)
		return nil
	}
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.(*net.TCPConn).SetReadBuffer(4<<10))
	// The server may have ended it by now.
	_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
	return c
}

// The figure is the whole of Go's memory, the test's own share included.
func TestUnreadAnswersTakeLittleMemory(t *testing.T) {
	for _, path := range []string{"/api/v2/journal", "/api/v2/journal?format=jsonl", "/api/v2/updates", "/api/v2/updates/u99", "/api/v2/updates/u99/journal", "/api/v2/status"} {
		address := withJournal(t, fattened(t))
		before := inUse()
		most := uint64(0)
		for n := range 200 {
			unread(t, address, path)
			if n%20 == 19 {
				most = max(most, inUse())
			}
		}
		most = max(most, inUse())
		require.Less(t, most-before, uint64(24<<20), path)
	}
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// as runs f as another user of the device, on a thread that ends with it.
func as(t *testing.T, uid int, f func()) {
	t.Helper()
	roottest.Need(t, "another user")
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread() // never unlocked: the thread is not used again
		_, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0))
		if errno != 0 {
			panic(errno)
		}
		f()
	})
	wg.Wait()
}

const nobody = 65534

// The connections of one user, silent or at work, keep no other user out, and none of
// the same user's that is silent keeps out a new one.
func TestSilentConnectionsBlockNobody(t *testing.T) {
	s, _ := serve(t, httpapitest.New(), httpapi.ServerOptions{Listen: []string{"127.0.0.1:0"}})
	address := s.Addrs()[0].String()
	for name, sent := range map[string]string{
		"nothing":       "",
		"half a header": "GET / HTTP/1.1\r\nHost: local",
		"half a body":   "POST /api/v2/install HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"url\":",
		"waits":         "GET /api/v2/status?wait=7 HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		as(t, nobody, func() {
			for range 2 * httpapi.MaxConns {
				c, err := net.Dial("tcp", address)
				if err == nil {
					t.Cleanup(func() { c.Close() })
					_, _ = io.WriteString(c, sent)
				}
			}
		})
		require.LessOrEqual(t, s.Open(), httpapi.MaxConns)
		for range 3 {
			began := time.Now()
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
			r, err := client.Get("http://" + address + progress)
			require.NoError(t, err, name)
			require.Equal(t, 200, r.StatusCode, name)
			r.Body.Close()
			t.Log(name, time.Since(began))
		}
	}
}

// Answers that a user leaves unread are ended when another user needs their place.
func TestUnreadAnswersBlockNobodyElse(t *testing.T) {
	address := withJournal(t, fattened(t))
	as(t, nobody, func() {
		for range 2 * httpapi.MaxLarge {
			unread(t, address, "/api/v2/journal")
		}
	})
	r, err := http.Get("http://" + address + "/api/v2/updates")
	require.NoError(t, err)
	defer r.Body.Close()
	require.Equal(t, 200, r.StatusCode)
	var all httpapi.Updates
	require.NoError(t, json.NewDecoder(r.Body).Decode(&all))
	require.Len(t, all.Updates, journal.DefaultKeepUpdates)
}

// So are those of the same user.
func TestUnreadAnswersDoNotBlockTheirOwnUser(t *testing.T) {
	address := withJournal(t, fattened(t))
	var all []net.Conn
	for range httpapi.MaxLarge {
		c := unread(t, address, "/api/v2/journal")
		_, err := io.ReadFull(c, make([]byte, 1))
		require.NoError(t, err)
		all = append(all, c)
	}
	r, err := http.Get("http://" + address + "/api/v2/journal")
	require.NoError(t, err)
	defer r.Body.Close()
	require.Equal(t, 200, r.StatusCode)
	var journal httpapi.Records
	require.NoError(t, json.NewDecoder(r.Body).Decode(&journal))
	ended := 0
	for _, c := range all {
		// Of one that goes on, this time is too short for all of it.
		// One that is ended stays open and mute for a second.
		require.NoError(t, c.SetReadDeadline(time.Now().Add(3*time.Second)))
		_, err = io.Copy(io.Discard, c)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			require.Error(t, err, "it is not taken for the whole answer")
			ended++
			break
		}
	}
	require.Positive(t, ended)
}

// slow is a journal whose verification takes until the test ends it.
type slow struct {
	*journal.Journal
	begun chan struct{}
	end   chan struct{}
}

func (s slow) Verify() (journal.Report, error) {
	s.begun <- struct{}{}
	<-s.end
	return journal.Report{}, nil
}

func TestAUserWithTooMuchAtWorkIsToldSo(t *testing.T) {
	s := slow{fattened(t), make(chan struct{}), make(chan struct{})}
	address := withJournal(t, s)
	for range httpapi.MaxLarge {
		unread(t, address, "/api/v2/journal/verify")
		<-s.begun
	}
	r, err := http.Get("http://" + address + "/api/v2/journal")
	require.NoError(t, err)
	defer r.Body.Close()
	require.Equal(t, "5", r.Header.Get("Retry-After"))
	refusedAs(t, r, 429, "too-many")

	// One that waits gets the first place that is free.
	answered := make(chan int, 1)
	go func() {
		r, err := http.Get("http://" + address + "/api/v2/journal")
		if err != nil {
			answered <- 0
			return
		}
		r.Body.Close()
		answered <- r.StatusCode
	}()
	close(s.end)
	require.Equal(t, 200, <-answered)
}
