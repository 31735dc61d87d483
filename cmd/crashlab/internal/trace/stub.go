//go:build linux && amd64

package trace

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Stub makes this process a machine's PID 1 when its arguments ask for it, and
// does not return then. Programs that boot machines call it first thing in main.
func Stub() {
	if len(os.Args) < 4 || os.Args[1] != StubArg {
		return
	}
	c := newConn(3)
	unix.CloseOnExec(3)
	fds, err := prepare(os.Args[2] == "watched", os.Args[3])
	r := reply{}
	if err != nil {
		r.Error = err.Error()
	}
	if c.send(r, fds...) != nil || err != nil {
		os.Exit(1)
	}
	for _, fd := range fds {
		// The laboratory has a descriptor of its own; when the laboratory dies, calls
		// get ENOSYS instead of waiting.
		unix.Close(fd)
	}
	serve(c)
	os.Exit(0)
}

// prepare gives the namespace its own /proc and network, and installs the filter.
func prepare(watched bool, listen string) (fds []int, err error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, os.NewSyscallError("make mounts private", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return nil, os.NewSyscallError("mount /proc", err)
	}
	if listen != "" {
		fd, err := network(listen)
		if err != nil {
			return nil, err
		}
		fds = append(fds, fd)
	}
	if watched {
		fd, err := install()
		if err != nil {
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// network brings the loopback interface up and listens there.
func network(address string) (int, error) {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return -1, err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo); err != nil {
		return -1, os.NewSyscallError("bring up the loopback interface", err)
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return -1, err
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return -1, err
	}
	defer l.Close()
	return unix.Dup(int(f.Fd()))
}

// serve carries out requests until the laboratory hangs up.
func serve(c *conn) {
	in := newInit()
	for {
		var r request
		if _, err := c.receive(&r); err != nil {
			return // PID 1 ends, and everything with it
		}
		var a reply
		if r.Run == nil {
			in.killAll()
		} else if exit, err := in.run(r.Run); err != nil {
			a.Error = err.Error()
		} else {
			a.Exit = exit
		}
		if c.send(a) != nil {
			return
		}
	}
}

// initd is PID 1's work: it reaps every orphan at once, because a program that
// looks for a process by its pid must not find a zombie.
type initd struct {
	mu      sync.Mutex
	waiting map[int]chan syscall.WaitStatus
	// born wakes the reaper when there is a child to wait for again.
	born *sync.Cond
	left int
}

func newInit() *initd {
	in := &initd{waiting: map[int]chan syscall.WaitStatus{}}
	in.born = sync.NewCond(&in.mu)
	go in.reap()
	return in
}

func (in *initd) reap() {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		in.mu.Lock()
		if errors.Is(err, syscall.ECHILD) {
			// A child may have been born since.
			pid, err = syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		}
		if errors.Is(err, syscall.ECHILD) {
			in.left = 0
			in.born.Broadcast()
			for in.left == 0 {
				in.born.Wait()
			}
		} else if ch := in.waiting[pid]; err == nil && pid > 0 && ch != nil {
			delete(in.waiting, pid)
			ch <- ws
		}
		in.mu.Unlock()
	}
}

func (in *initd) run(c *Command) (int, error) {
	files, err := outputs(c)
	if err != nil {
		return 0, err
	}
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	path, err := exec.LookPath(c.Args[0])
	if err != nil {
		return 0, err
	}
	in.mu.Lock()
	pid, err := syscall.ForkExec(path, c.Args, &syscall.ProcAttr{
		Env: c.Env, Dir: "/", Sys: &syscall.SysProcAttr{Setsid: true},
		Files: []uintptr{files[0].Fd(), files[1].Fd(), files[2].Fd()},
	})
	if err != nil {
		in.mu.Unlock()
		return 0, &os.PathError{Op: "start", Path: path, Err: err}
	}
	ch := make(chan syscall.WaitStatus, 1)
	if !c.Background {
		in.waiting[pid] = ch
	}
	in.left++
	in.born.Broadcast()
	in.mu.Unlock()
	if c.Background {
		return 0, nil
	}
	return exitStatus(<-ch), nil
}

// outputs opens standard input, output and error.
func outputs(c *Command) (files [3]*os.File, err error) {
	for i, name := range []string{"", c.Stdout, c.Stderr} {
		if name == "" {
			name = os.DevNull
		}
		if files[i], err = os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0); err != nil {
			return files, err
		}
	}
	return files, nil
}

// killAll kills everything but PID 1 and returns when all of it is reaped.
func (in *initd) killAll() {
	in.mu.Lock()
	defer in.mu.Unlock()
	_ = syscall.Kill(-1, syscall.SIGKILL)
	for in.left > 0 {
		// Descendants of those killed come to PID 1 and are reaped too; the
		// reaper clears left when there are none.
		in.born.Wait()
	}
}
