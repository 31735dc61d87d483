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
// that path never leads to a socket that is not ready or has too wide a mode.
func listenSocket(path string) (*socketListener, error) {
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
		conn.Close()
		return fmt.Errorf("cannot listen on %s: another updater listens there; stop it first", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot tell whether an updater listens there: %w", err)
	}
	return nil
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

// Addr returns the path of the socket, not the temporary name it was bound under.
func (l *socketListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

func (l *socketListener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && !l.handed.Load() && os.SameFile(now, l.info) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}
