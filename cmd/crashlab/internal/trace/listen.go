//go:build linux && amd64

package trace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	iocRecv      = 0xc0502100
	iocSend      = 0xc0182101
	respContinue = 1
)

// question is struct seccomp_notif: a thread waits before a call.
type question struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

// answer is struct seccomp_notif_resp.
type answer struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

// Verdict says what happens to a call. The zero value carries it out.
type Verdict struct {
	// Cut cuts the power before the call.
	Cut bool
	// Torn, with Cut, lets the first half of a write through before.
	Torn bool
	// Kill kills the process that makes the call, before the call. The machine lives on,
	// and its cache keeps what the process had written.
	Kill bool
	// Errno makes the call fail instead of being carried out.
	Errno unix.Errno
}

// Handler decides on each call, one at a time, in the order the calls come.
type Handler func(*Call) Verdict

// listen answers questions until the machine is off.
func (m *Machine) listen(fd int) {
	defer close(m.listened)
	defer unix.Close(fd)
	for {
		var q question
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), iocRecv, uintptr(unsafe.Pointer(&q))); e != 0 {
			if e == unix.EINTR {
				continue
			}
			if e == unix.ENOENT && !m.alone(fd) {
				continue // the thread died between asking and being heard
			}
			return
		}
		if m.cut.Load() {
			continue // never answered: nothing more happens on this machine
		}
		a := m.judge(&q)
		if m.cut.Load() {
			continue
		}
		a.id = q.id
		// ENOENT: the thread was killed while it waited.
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), iocSend, uintptr(unsafe.Pointer(&a)))
	}
}

// alone reports whether all processes under the filter are gone.
func (m *Machine) alone(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	_, err := unix.Poll(p, 0)
	return err != nil && err != unix.EINTR || p[0].Revents&unix.POLLHUP != 0
}

// judge turns a question into a call, asks the handler and carries out the verdict.
func (m *Machine) judge(q *question) answer {
	t := target{pid: int(q.pid), cfg: &m.cfg}
	c, v := t.decode(q)
	if v != 0 {
		return answer{err: -int32(v)}
	}
	if c == nil {
		return answer{flags: respContinue}
	}
	verdict := m.cfg.Handler(c)
	if verdict.Cut {
		if verdict.Torn && c.Writes() && !c.Said {
			t.tear(q, c)
		}
		m.powerOff()
		return answer{}
	}
	if verdict.Kill {
		t.kill()
		return answer{err: -int32(unix.EINTR)} // nobody is there to hear it
	}
	if verdict.Errno != 0 {
		return answer{err: -int32(verdict.Errno)}
	}
	return answer{flags: respContinue}
}
