package fetchtest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Socks is a SOCKS5 proxy (RFC 1928, RFC 1929) to the test's server.
type Socks struct {
	// Addr is its HOST:PORT.
	Addr string

	to, user string
	mu       sync.Mutex
	asked    []string
}

// NewSocks starts one that connects to an address, whatever it is asked for. It wants
// USER:PASSWORD unless user is empty.
func NewSocks(t *testing.T, to, user string) *Socks {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &Socks{Addr: l.Addr().String(), to: to, user: user}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return s
}

// Asked are the hosts that were asked for.
func (s *Socks) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func (s *Socks) serve(c net.Conn) {
	defer c.Close()
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(c, b)
		return b
	}
	methods := read(int(read(2)[1]))
	const none, password = 0, 2
	if s.user == "" {
		_, _ = c.Write([]byte{5, none})
	} else {
		if !strings.Contains(string(methods), string(rune(password))) {
			_, _ = c.Write([]byte{5, 0xff})
			return
		}
		_, _ = c.Write([]byte{5, password})
		name := read(int(read(2)[1]))
		word := read(int(read(1)[0]))
		if string(name)+":"+string(word) != s.user {
			_, _ = c.Write([]byte{1, 1})
			return
		}
		_, _ = c.Write([]byte{1, 0})
	}
	var host string
	switch read(4)[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	default:
		return
	}
	_ = binary.BigEndian.Uint16(read(2)) // the port
	s.mu.Lock()
	s.asked = append(s.asked, host)
	s.mu.Unlock()
	to, err := new(net.Dialer).DialContext(context.Background(), "tcp", s.to)
	if err != nil {
		_, _ = c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0}) // connection refused
		return
	}
	defer to.Close()
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	join(c, c, to)
}
