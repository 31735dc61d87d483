package systemdtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Dial connects to an address in the machine's network, or to a unix socket of
// the machine by its path there.
func (m *Machine) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	pid := m.Leader()
	if pid == 0 {
		return nil, ErrOff
	}
	if network == "unix" {
		// The machine's root is opened first: with its path in front the socket's
		// name could be too long.
		dir, err := os.OpenFile("/proc/"+itoa(pid)+"/root", unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		return new(net.Dialer).DialContext(ctx, network, fmt.Sprintf("/proc/self/fd/%d%s", dir.Fd(), address))
	}
	return inNetwork(pid, func() (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, address) })
}

// Listen listens in the machine's network: its programs can connect, also while it is
// still starting. When the machine is off, or starts again, nobody comes any more.
func (m *Machine) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	pid := m.Leader()
	if pid == 0 {
		return nil, ErrOff
	}
	return inNetwork(pid, func() (net.Listener, error) { return new(net.ListenConfig).Listen(ctx, network, address) })
}

// inNetwork makes a socket in the network of a process.
func inNetwork[T any](pid int, open func() (T, error)) (T, error) {
	type opened struct {
		socket T
		err    error
	}
	done := make(chan opened, 1)
	go func() {
		var o opened
		defer func() { done <- o }()
		// A socket belongs to the network its thread was in when it was made.
		// The thread is not given back: it ends with the goroutine.
		runtime.LockOSThread()
		ns, err := os.Open("/proc/" + itoa(pid) + "/ns/net")
		if err != nil {
			o.err = err
			return
		}
		defer ns.Close()
		if o.err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); o.err == nil {
			o.socket, o.err = open()
		}
	}()
	o := <-done
	return o.socket, o.err
}
