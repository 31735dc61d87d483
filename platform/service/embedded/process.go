package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/clock"
)

// errGone: the process that was named does not run any more.
var errGone = errors.New("the process is gone")

// stat is what /proc/PID/stat tells.
type stat struct {
	state   byte
	session int
	ticks   uint64
}

// readStat fails with errGone when there is no such process, or only its remains.
func readStat(pid int) (stat, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, errGone
	}
	// Field 2 is the program's name in parentheses and may hold anything.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	session, _ := strconv.Atoi(fields[3])
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("/proc/%d/stat: start time: %w", pid, err)
	}
	s := stat{state: fields[0][0], session: session, ticks: ticks}
	if s.state == 'Z' || s.state == 'X' {
		return s, errGone
	}
	return s, nil
}

// process is a running main process, a child of ours or an adopted one.
type process struct {
	pid   int
	ticks uint64
	child bool
	// fd is the pidfd; nil where the kernel has none (before Linux 5.3).
	fd *os.File
	// ended is closed once the process has exited and has been dealt with.
	ended chan struct{}
	// released is closed when the manager lets go.
	released chan struct{}
	once     sync.Once
	// mu keeps signals away from an id that is no longer ours.
	mu        sync.Mutex
	collected bool
}

// watchProcess takes hold of the process of that id and start time. With ticks 0
// it takes the process that has the id now. That is right only for a child that
// has not been waited for, whose id the kernel cannot use again.
func watchProcess(pid int, ticks uint64, child bool) (*process, error) {
	p := &process{pid: pid, ticks: ticks, child: child, ended: make(chan struct{}), released: make(chan struct{})}
	if fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK); err == nil {
		p.fd = os.NewFile(uintptr(fd), "pidfd of "+strconv.Itoa(pid))
	}
	// The identity is checked after the descriptor is open: the process it was
	// opened on is then the one we mean, whatever becomes of the number.
	s, err := readStat(pid)
	if child {
		p.ticks = s.ticks
		return p, nil
	}
	if err == nil && s.ticks != ticks {
		err = errGone
	}
	if err != nil {
		p.release()
		return nil, err
	}
	return p, nil
}

// release lets go of the process, which runs on. A wait returns false.
func (p *process) release() {
	p.once.Do(func() {
		close(p.released)
		if p.fd != nil {
			_ = p.fd.Close() // A descriptor that only watches has nothing to lose.
		}
	})
}

// wait blocks until the process has exited (true) or has been released (false).
// It does not collect a child: until that happens its id stays ours.
func (p *process) wait(c clock.Clock) bool {
	if p.fd != nil {
		if raw, err := p.fd.SyscallConn(); err == nil {
			err = raw.Read(func(fd uintptr) bool {
				n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
				return err == nil && n > 0
			})
			if err == nil {
				return true
			}
		}
	}
	// Old kernels, and any surprise above: ask again and again.
	for {
		if !p.alive() {
			return true
		}
		select {
		case <-p.released:
			return false
		case <-c.After(100 * time.Millisecond):
		}
	}
}

func (p *process) alive() bool {
	s, err := readStat(p.pid)
	return err == nil && s.ticks == p.ticks
}

// signal reaches the whole process group, also when the process is a child that
// has exited and is not collected yet.
func (p *process) signal(sig unix.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.collected && (p.child || p.alive()) {
		// The leader of the session leads its first group, under its own id.
		_ = unix.Kill(-p.pid, sig) // It may be gone already: fine.
	}
}

// collect gives the remains of an exited child back to the kernel and returns
// its exit status as service.Status has it, with systemd's word for it. The
// status of another process's child cannot be learnt.
func (p *process) collect() (status int, result string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.collected = true
	var ws unix.WaitStatus
	for {
		// An adopted process may still be a child of this very process, when
		// the manager that started it was closed and another opened here.
		pid, err := unix.Wait4(p.pid, &ws, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid != p.pid {
			return -1, exitCode
		}
		break
	}
	switch {
	case ws.CoreDump():
		return 128 + int(ws.Signal()), "core-dump"
	case ws.Signaled():
		return 128 + int(ws.Signal()), "signal"
	case ws.ExitStatus() != 0:
		return ws.ExitStatus(), exitCode
	}
	return 0, success
}
