package httpapi

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/steps"
)

// soon fails the test when f does not return.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		require.FailNow(t, what+" waits")
	}
}

// slowToClose is a file whose close(2) waits, like one on a server that does not answer: a
// connection that lingers, with data that nobody reads. It is the caller's only copy of it.
func slowToClose(t *testing.T) *os.File {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	far, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, far.(*net.TCPConn).SetLinger(0))
		require.NoError(t, far.Close()) // ends the wait
	})
	f, err := c.(*net.TCPConn).File()
	require.NoError(t, err)
	require.NoError(t, c.Close())
	fd := int(f.Fd())
	require.NoError(t, unix.SetNonblock(fd, true))
	for err = nil; err == nil; {
		_, err = unix.Write(fd, make([]byte, 64<<10))
	}
	require.ErrorIs(t, err, unix.EAGAIN)
	require.NoError(t, unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 3600}))
	return f
}

// pair is a connection of the socket, and the client's end of it.
func pair(t *testing.T) (*handingConn, *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "")
		c, err := net.FileConn(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		ends[i] = c.(*net.UnixConn)
	}
	t.Cleanup(func() { _ = ends[1].Close() })
	return &handingConn{UnixConn: ends[0], files: new(handovers)}, ends[1]
}

// hands sends a file to the connection, which reads it. The file is closed here.
func hands(t *testing.T, c *handingConn, client *net.UnixConn, f *os.File) {
	t.Helper()
	_, err := handOver(client, []byte("G"), f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	soon(t, "the connection", func() {
		n, err := c.Read(make([]byte, 8))
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

// A file that takes long to close keeps nobody waiting: not the client that sends another,
// not who closes the connection, and not who takes its place away.
func TestAFileThatIsSlowToCloseKeepsNobodyWaiting(t *testing.T) {
	c, client := pair(t)
	hands(t, c, client, slowToClose(t))
	hands(t, c, client, slowToClose(t))
	require.EqualValues(t, 2, c.files.open.Load())
	soon(t, "Close", func() { require.NoError(t, c.Close()) })
	h := &steps.Handed{File: slowToClose(t)}
	soon(t, "Close of what a request took", h.Close)
}

type stuck struct {
	net.Conn
	closing, release chan struct{}
}

func (s stuck) Close() error                { close(s.closing); <-s.release; return nil }
func (s stuck) SetDeadline(time.Time) error { return nil }

// The listener takes places away, and must not wait for a connection that is being closed.
func TestAConnectionThatIsSlowToCloseKeepsNoNewcomerWaiting(t *testing.T) {
	b := newBudget()
	s := stuck{closing: make(chan struct{}), release: make(chan struct{})}
	c := &limitedConn{Conn: s, budget: b}
	c.place = b.conns.take("peer", true, c.abort)
	closed := make(chan error)
	go func() { closed <- c.Close() }()
	<-s.closing
	soon(t, "abort", c.abort)
	close(s.release)
	require.NoError(t, <-closed)
	require.ErrorIs(t, c.Close(), net.ErrClosed)
}

// Files are kept of those only who may hand one over, and of nobody while too many are open.
func TestFilesOfOthersAreNotKept(t *testing.T) {
	c, client := pair(t)
	// The reader of a pipe has reached the end when nobody has its other end open.
	sends := func() (ended func()) {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		t.Cleanup(func() { _ = r.Close() })
		hands(t, c, client, w)
		return func() {
			soon(t, "the end of the pipe", func() {
				_, err := r.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF)
			})
		}
	}
	files := c.files
	c.files = nil
	sends()()
	require.Nil(t, c.take())
	c.files = files
	files.open.Store(maxHanded)
	sends()()
	require.Nil(t, c.take())
	files.open.Store(maxHanded - 1)
	ended := sends()
	h := c.take()
	require.NotNil(t, h)
	require.EqualValues(t, maxHanded, files.open.Load())
	h.Close()
	ended()
	require.Eventually(t, func() bool { return files.open.Load() == maxHanded-1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, c.Close())
}
