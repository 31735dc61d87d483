package httpapi

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Hand returns duplicates of all listeners, for a program that takes this one's
// place by exec: clients that connect meanwhile wait for it and are not refused.
// After Hand, the end of Serve leaves the socket's file in place. The duplicates
// are closed on exec until PassOn. The listeners of the network are not among them: the
// next program may be one that would serve them without TLS. It binds its own.
func (s *Server) Hand() ([]*os.File, error) {
	var files []*os.File
	for _, l := range s.listeners {
		inner := l.(*limited).Listener
		if socket, ok := inner.(*socketListener); ok {
			socket.handed.Store(true)
		}
		f, err := inner.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			return files, fmt.Errorf("cannot hand over %s: %w", l.Addr(), err)
		}
		files = append(files, f)
	}
	return files, nil
}

// PassOn lets the program that is executed next inherit the files, and returns
// their numbers. It does not use os.File.Fd, which would make a pending Accept block.
func PassOn(files []*os.File) ([]int, error) {
	var fds []int
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			return nil, err
		}
		var ferr error
		err = raw.Control(func(fd uintptr) {
			fds = append(fds, int(fd))
			_, ferr = unix.FcntlInt(fd, unix.F_SETFD, 0)
		})
		if err == nil {
			err = ferr
		}
		if err != nil {
			return nil, fmt.Errorf("cannot pass on %s: %w", f.Name(), err)
		}
	}
	return fds, nil
}

// Received opens the listeners that a program has inherited by number.
func Received(fds []int) ([]net.Listener, error) {
	var all []net.Listener
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), fmt.Sprintf("socket %d", fd))
		l, err := net.FileListener(f)
		f.Close() // the listener has a duplicate
		if err != nil {
			return all, fmt.Errorf("cannot take over socket %d: %w", fd, err)
		}
		all = append(all, l)
	}
	return all, nil
}
