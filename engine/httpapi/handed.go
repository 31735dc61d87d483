package httpapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// A client of the socket that is not root hands a local file over: it opens the file
// with its own rights, and sends the descriptor (SCM_RIGHTS) with the first byte of the
// install request. The daemon runs as root and could open more than the client can.

// maxHanded bounds the files that clients have handed over and that are open. One of a
// file system that does not answer may stay open without end, and take a thread with it.
const maxHanded = 64

// handovers counts the files that clients have handed over and that are not closed yet.
type handovers struct{ open atomic.Int64 }

// file is what a request is given.
func (h *handovers) file(f *os.File) *steps.Handed {
	h.open.Add(1)
	return &steps.Handed{File: f, Closed: func() { h.open.Add(-1) }}
}

// handingConn is a connection of the socket. It keeps the newest file that the client has
// sent, until a request takes it or the connection ends. Nothing here waits until a file is
// closed, whose file system may not answer.
type handingConn struct {
	*net.UnixConn
	// files is set before the first Read; nil for a client whose files are not kept.
	files *handovers

	mu     sync.Mutex
	kept   *steps.Handed
	closed bool
}

// Read reads as net.Conn says. Descriptors that do not fit, or are not to be kept, are
// closed by the kernel.
func (c *handingConn) Read(b []byte) (int, error) {
	if c.files == nil || c.files.open.Load() >= maxHanded {
		return c.UnixConn.Read(b)
	}
	rights := make([]byte, unix.CmsgSpace(4)) // room for one
	n, more, _, _, err := c.ReadMsgUnix(b, rights)
	if more > 0 {
		for _, f := range filesIn(rights[:more]) {
			c.keep(c.files.file(f)).Close()
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.EOF // as net.Conn's own Read has it
	}
	return n, err
}

// keep keeps a file, nil for none, and returns the one to close.
func (c *handingConn) keep(h *steps.Handed) *steps.Handed {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return h
	}
	h, c.kept = c.kept, h
	return h
}

// take returns the file that the client has sent, and forgets it; nil for none.
func (c *handingConn) take() *steps.Handed { return c.keep(nil) }

// Close closes the connection, and a file that no request has taken.
func (c *handingConn) Close() error {
	c.mu.Lock()
	h := c.kept
	c.kept, c.closed = nil, true
	c.mu.Unlock()
	h.Close()
	return c.UnixConn.Close()
}

// filesIn are the files in a control message.
func filesIn(control []byte) (files []*os.File) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "a file that was handed over"))
		}
	}
	return files
}

// handOver sends all of b over a connection to the socket, and the file with its first byte.
func handOver(c *net.UnixConn, b []byte, f *os.File) (int, error) {
	n, _, err := c.WriteMsgUnix(b, unix.UnixRights(int(f.Fd())), nil)
	if err == nil && n < len(b) {
		var rest int
		rest, err = c.Write(b[n:])
		n += rest
	}
	return n, err
}

// DialHanding is DialSocket for one request, with which the file is handed over. The file
// stays the caller's.
func DialHanding(ctx context.Context, path string, f *os.File) (net.Conn, error) {
	c, err := DialSocket(ctx, path)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("the socket has another kind of connection"), c.Close())
	}
	return &sendingConn{UnixConn: u, file: f}, nil
}

type sendingConn struct {
	*net.UnixConn
	file *os.File // nil once it was sent
}

func (c *sendingConn) Write(b []byte) (int, error) {
	f := c.file
	if f == nil || len(b) == 0 {
		return c.UnixConn.Write(b)
	}
	c.file = nil
	return handOver(c.UnixConn, b, f)
}

type handingKey struct{}

// handed judges a request to install from a local file, which the updater can always
// read. Root names it by its path, and so does the updater's own user. Anybody else hands
// it over. Nobody may over TCP.
func (a *api) handed(r *http.Request, s steps.Source) (*steps.Handed, error) {
	var h *steps.Handed
	if c, ok := r.Context().Value(handingKey{}).(*handingConn); ok {
		h = c.take()
	}
	done := h.Close
	at, err := s.URL.Parse()
	if err != nil {
		done()
		return nil, invalid("%w", err)
	}
	if at.Web() {
		done()
		return nil, nil
	}
	switch d := doorOf(r); {
	case d == InProcess || d == SocketOwner:
		done()
		return nil, nil
	case d != SocketGroup:
		done()
		return nil, newProblem(foreignPeer, "a file of this device is not installed over TCP; use the socket: tope-updater install")
	case h == nil:
		return nil, newProblem(foreignPeer, "only root may name a file by its path; open it and hand it over, as tope-updater install does")
	}
	info, err := h.File.Stat()
	flags, ferr := unix.FcntlInt(h.File.Fd(), unix.F_GETFL, 0)
	if err != nil || ferr != nil || !info.Mode().IsRegular() || flags&unix.O_ACCMODE == unix.O_WRONLY || flags&unix.O_PATH != 0 {
		done()
		return nil, invalid("what was handed over is not a regular file that is open for reading")
	}
	h.ID = source.Identity(info, a.Clock.Boot())
	return h, nil
}
