package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SocketName is the local API's socket in the run directory.
const SocketName = "api.sock"

const (
	// longestAddress is what fits into sockaddr_un, less its final zero byte.
	longestAddress = 107
	socketMode     = 0o660
)

// DialSocket connects to a unix socket, however long its path is. When nothing
// listens there the error matches fs.ErrNotExist or syscall.ECONNREFUSED.
func DialSocket(ctx context.Context, path string) (net.Conn, error) {
	address, release, err := reachable(path)
	if err != nil {
		return nil, err
	}
	defer release()
	var d net.Dialer
	return d.DialContext(ctx, "unix", address)
}

// reachable returns an address for path that fits: the path itself, or one
// through a descriptor of its directory. Call release when connected or bound.
func reachable(path string) (address string, release func(), err error) {
	if len(path) <= longestAddress {
		return path, func() {}, nil
	}
	dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return "", nil, err
	}
	address = "/proc/self/fd/" + strconv.FormatUint(uint64(dir.Fd()), 10) + "/" + filepath.Base(path)
	return address, func() { dir.Close() }, nil
}

// listenSocket binds path; its directory must exist. The socket of a killed
// daemon is replaced. The socket of a living daemon, or another kind of file, is
// left alone and an error is returned.
//
// The socket is bound under another name, given its mode, and then renamed, so
// that path never leads to a socket that is not ready or has too wide a mode. All
// of that is done under the lock of the directory: of several updaters that start
// at once, the first has the socket, and each other finds it there.
func listenSocket(path string) (*socketListener, error) {
	unlock, err := lockSocket(path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := vacant(path); err != nil {
		return nil, err
	}
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	address, release, err := reachable(temp)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; create its directory first", path, err)
	}
	defer release()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	// The listener would remove the name it was bound to, which is gone by then.
	l.SetUnlinkOnClose(false)
	info, err := publishSocket(temp, path)
	if err != nil {
		l.Close()
		os.Remove(temp)
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	return &socketListener{UnixListener: l, path: path, info: info}, nil
}

// lockPatience is how long to wait for another updater that makes or removes its
// socket, which takes it microseconds.
const lockPatience = 5 * time.Second

// lockSocket takes the lock under which a socket is made or removed: that of its
// directory. The lock ends with unlock or with the process.
func lockSocket(path string) (unlock func(), err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; create its directory first", path, err)
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(time.Millisecond) {
		err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { dir.Close() }, nil
		}
		if busy := errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR); !busy || time.Now().After(deadline) {
			dir.Close()
			return nil, fmt.Errorf("cannot lock %s: %w", filepath.Dir(path), err)
		}
	}
}

func publishSocket(temp, path string) (fs.FileInfo, error) {
	if gid, ok := groupID(); ok && os.Geteuid() == 0 {
		if err := os.Lchown(temp, 0, int(gid)); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(temp, socketMode); err != nil {
		return nil, err
	}
	info, err := os.Lstat(temp)
	if err != nil {
		return nil, err
	}
	return info, os.Rename(temp, path)
}

// vacant returns nil when path may be bound: it does not exist, or it is a
// socket without a listener.
func vacant(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("cannot listen on %s: a file that is not a socket is there; remove it", path)
	}
	conn, err := DialSocket(context.Background(), path)
	if err == nil {
		defer conn.Close()
		if orphaned(conn) {
			return nil
		}
		return fmt.Errorf("cannot listen on %s: another updater listens there; stop it first", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot tell whether an updater listens there: %w", err)
	}
	return nil
}

// orphaned reports whether the process that listens at the other end is dead. When
// an updater is killed while it starts a service, the service's process has the
// updater's socket until it executes its program.
func orphaned(conn net.Conn) bool {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return false
	}
	dead := false
	err = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		// The number is 0 for a process of another container.
		dead = err == nil && cred.Pid > 0 && errors.Is(unix.Kill(int(cred.Pid), 0), unix.ESRCH)
	})
	return err == nil && dead
}

// socketListener removes its socket's file when it is closed, unless another
// daemon has put its own there meanwhile.
type socketListener struct {
	*net.UnixListener
	path string
	info fs.FileInfo
	// handed is set when another program goes on listening: see Hand.
	handed atomic.Bool
}

// inherited is a socket that another program has made: its file stays when it is closed.
func inherited(l *net.UnixListener) *socketListener {
	s := &socketListener{UnixListener: l, path: l.Addr().String()}
	s.handed.Store(true)
	return s
}

// Accept returns a connection over which a client can hand a file.
func (l *socketListener) Accept() (net.Conn, error) {
	c, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	return &handingConn{UnixConn: c}, nil
}

// Addr returns the path of the socket, not the temporary name it was bound under.
func (l *socketListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

func (l *socketListener) Close() error {
	if l.handed.Load() {
		return l.UnixListener.Close()
	}
	// Without the lock (the directory is gone, or hangs) there is nothing to lose: a
	// socket that stays behind is replaced.
	if unlock, err := lockSocket(l.path); err == nil {
		defer unlock()
	}
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.info) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}
