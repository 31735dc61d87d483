package httpapi

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxConns bounds the connections of all listeners together.
	maxConns = 128
	// maxLarge bounds the answers at work that may be large: the journal's. Each holds a
	// part of its answer in memory until its client has read that part.
	maxLarge = 8
	// socketBuffer bounds what the kernel keeps of a connection's data in each direction,
	// in bytes. The kernel's own limit is megabytes a connection, which are charged to the
	// daemon's control group. The kernel doubles the figure for its own overhead.
	socketBuffer = 16 << 10
)

// budget is what all connections of a server share.
type budget struct {
	conns, large *shares
	// parked counts the connections that have lost their place and are not closed yet.
	// There may be mayPark.
	parked  atomic.Int64
	mayPark int64
	files   handovers
}

func newBudget() *budget {
	b := &budget{conns: newShares(maxConns), large: newShares(maxLarge)}
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		b.mayPark = parkable(files.Cur)
	}
	return b
}

// parkable leaves most of the files that the process may open to its work.
func parkable(files uint64) int64 { return int64(min(maxParked, files/4)) }

// limited is a listener whose connections have a place in the budget. Accept never
// waits for a place: a connection that gets none is parked.
type limited struct {
	net.Listener
	budget *budget
}

func limit(l net.Listener, b *budget) net.Listener { return &limited{l, b} }

func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		bound(c, socketBuffer)
		conn := &limitedConn{Conn: c, budget: l.budget, peer: peerName(c)}
		conn.place = l.budget.conns.take(conn.peer, true, conn.abort)
		if conn.place != nil {
			return conn, nil
		}
		l.budget.park(c)
	}
}

// bound keeps the kernel's buffers of a connection small.
func bound(c net.Conn, bytes int) {
	if b, ok := c.(interface {
		SetReadBuffer(bytes int) error
		SetWriteBuffer(bytes int) error
	}); ok {
		// A kernel that refuses has its usual limits.
		_ = b.SetReadBuffer(bytes)
		_ = b.SetWriteBuffer(bytes)
	}
}

const (
	// parkingTime is how long a connection that has lost its place stays open, and mute. A
	// crowd whose connections were closed at once would come again at once, and
	// keep the processor busy.
	parkingTime = time.Second
	maxParked   = 1024
	leastBuffer = 1 // the kernel makes of it the least that it allows
)

// park closes a connection that has no place, after a while. Until then the kernel keeps
// next to nothing for it.
func (b *budget) park(c net.Conn) {
	if b.parked.Add(1) > b.mayPark {
		b.unpark(c)
		return
	}
	bound(c, leastBuffer)
	drain(c)
	time.AfterFunc(parkingTime, func() { b.unpark(c) })
}

func (b *budget) unpark(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // the kernel forgets it at once, with what was not sent
	}
	_ = c.Close()
	b.parked.Add(-1)
}

// drain throws away what has come in already.
func drain(c net.Conn) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		waste := make([]byte, 4<<10)
		for range 2 * socketBuffer / len(waste) {
			if n, err := unix.Read(int(fd), waste); n <= 0 || err != nil {
				return
			}
		}
	})
}

// limitedConn is a connection that has a place in the budget until it is closed.
type limitedConn struct {
	net.Conn
	budget *budget
	peer   string
	place  *place

	mu      sync.Mutex
	aborted bool
	closed  bool
}

// Close gives the place back. A connection that has lost its place is parked. Who takes
// places away does not wait for it: abort and Close share no lock while it closes.
func (c *limitedConn) Close() error {
	c.place.free()
	c.mu.Lock()
	closed, aborted := c.closed, c.aborted
	c.closed = true
	c.mu.Unlock()
	switch {
	case closed:
		return net.ErrClosed
	case aborted:
		c.budget.park(c.Conn)
		return nil
	}
	return c.Conn.Close()
}

// abort ends the connection from outside: whatever the server's goroutine does with it
// fails from now on, until that goroutine closes it. What was not sent yet is not sent.
func (c *limitedConn) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aborted = true
	_ = c.Conn.SetDeadline(longAgo())
}

func longAgo() time.Time { return time.Unix(1, 0) }

// SetDeadline and the others leave the deadline of an aborted connection in the past.
func (c *limitedConn) SetDeadline(t time.Time) error { return c.set(c.Conn.SetDeadline, t) }

// SetReadDeadline is like SetDeadline.
func (c *limitedConn) SetReadDeadline(t time.Time) error { return c.set(c.Conn.SetReadDeadline, t) }

// SetWriteDeadline is like SetDeadline.
func (c *limitedConn) SetWriteDeadline(t time.Time) error { return c.set(c.Conn.SetWriteDeadline, t) }

func (c *limitedConn) set(deadline func(time.Time) error, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.aborted {
		t = longAgo()
	}
	return deadline(t)
}

// limitedOf finds the connection with a place below c, which may be TLS around it.
func limitedOf(c net.Conn) (*limitedConn, bool) {
	if outer, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = outer.NetConn()
	}
	l, ok := c.(*limitedConn)
	return l, ok
}

// note is a server's ConnState: a connection is idle until a request's header is
// complete, and again when it is answered.
func note(c net.Conn, s http.ConnState) {
	if l, ok := limitedOf(c); ok && (s == http.StateActive || s == http.StateIdle) {
		l.place.rest(s == http.StateIdle)
	}
}

type connKey struct{}

// withConn is an http.Server's ConnContext: requests know their connection and its peer.
func (s *Server) withConn(ctx context.Context, c net.Conn) context.Context {
	if l, ok := limitedOf(c); ok {
		ctx = context.WithValue(ctx, connKey{}, l)
		c = l.Conn
	}
	ctx = withPeer(ctx, c)
	// Only of a member of the group is a file needed: others may name one, or may not install.
	who, _ := ctx.Value(peerKey{}).(peer)
	if h, ok := c.(*handingConn); ok && s.handler.door(who) == SocketGroup {
		h.files = &s.budget.files
	}
	return ctx
}

// largePatience is how long a request waits for a place among the large answers.
const largePatience = 5 * time.Second

// turn is a place among the large answers.
type turn struct{ place *place } // nil in a process without a server

// large asks for a place among the large answers, until done. A peer that has its share of
// them at work waits a little, and is told to come again. When the place is needed for
// somebody else, or for the same peer while it leaves this answer unread, the connection
// is ended.
func large(w http.ResponseWriter, r *http.Request) (turn, error) {
	c, ok := r.Context().Value(connKey{}).(*limitedConn)
	if !ok {
		return turn{}, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), largePatience)
	defer cancel()
	if p := c.budget.large.await(ctx, c.peer, c.abort); p != nil {
		return turn{p}, nil
	}
	w.Header().Set("Retry-After", "5")
	return turn{}, newProblem(tooMany, "other large answers of yours are being made; ask again when they are there")
}

// write runs f, which hands a part of the answer to the client. As long as that takes,
// the place counts as idle.
func (t turn) write(f func() error) error {
	if t.place == nil {
		return f()
	}
	t.place.rest(true)
	defer t.place.rest(false)
	return f()
}

func (t turn) done() {
	if t.place != nil {
		t.place.free()
	}
}

// cutOff ends an answer that cannot be completed, so that no client takes what it has
// for all of it: its connection is ended. In a process without a server the JSON ends
// where it is.
func cutOff(r *http.Request) {
	if _, ok := r.Context().Value(connKey{}).(*limitedConn); ok {
		panic(http.ErrAbortHandler)
	}
}
