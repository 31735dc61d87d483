package httpapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// A client of the socket that is not root hands a local file over: it opens the file
// with its own rights, and sends the descriptor (SCM_RIGHTS) with the first byte of the
// install request. The daemon runs as root and could open more than the client can.

// handingConn is a connection of the socket. It keeps the newest file that the client has
// sent, until a request takes it or the connection ends.
type handingConn struct {
	*net.UnixConn

	mu   sync.Mutex
	file *os.File
}

// Read reads as net.Conn says. Descriptors that do not fit are closed by the kernel.
func (c *handingConn) Read(b []byte) (int, error) {
	rights := make([]byte, unix.CmsgSpace(4)) // room for one
	n, more, _, _, err := c.ReadMsgUnix(b, rights)
	if more > 0 {
		c.keep(filesIn(rights[:more]))
	}
	if errors.Is(err, io.EOF) {
		err = io.EOF // as net.Conn's own Read has it
	}
	return n, err
}

func (c *handingConn) keep(files []*os.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range files {
		c.drop()
		c.file = f
	}
}

// drop closes the file that is kept. mu is held.
func (c *handingConn) drop() {
	if c.file != nil {
		_ = c.file.Close() // nothing was written
		c.file = nil
	}
}

// take returns the file that the client has sent, and forgets it; nil for none.
func (c *handingConn) take() *os.File {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.file
	c.file = nil
	return f
}

// Close closes the connection, and a file that no request has taken.
func (c *handingConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop()
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
	var file *os.File
	if c, ok := r.Context().Value(handingKey{}).(*handingConn); ok {
		file = c.take()
	}
	done := (&steps.Handed{File: file}).Close
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
	case file == nil:
		return nil, newProblem(foreignPeer, "only root may name a file by its path; open it and hand it over, as tope-updater install does")
	}
	info, err := file.Stat()
	flags, ferr := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
	if err != nil || ferr != nil || !info.Mode().IsRegular() || flags&unix.O_ACCMODE == unix.O_WRONLY || flags&unix.O_PATH != 0 {
		done()
		return nil, invalid("what was handed over is not a regular file that is open for reading")
	}
	return &steps.Handed{File: file, ID: source.Identity(info, a.Clock.Boot())}, nil
}
