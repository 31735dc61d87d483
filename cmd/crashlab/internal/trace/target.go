//go:build linux && amd64

package trace

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// target is the waiting thread, seen from outside.
type target struct {
	pid int
	cfg *Config
}

// read copies n bytes at addr out of the thread's memory, or as many as there are.
func (t target) read(addr uint64, n int) []byte {
	b := make([]byte, n)
	got := 0
	for got < n {
		// Read page by page: the kernel refuses a whole range that runs into a hole.
		step := min(n-got, 4096-int((addr+uint64(got))%4096))
		if n > 1<<16 {
			step = n - got
		}
		k, err := unix.ProcessVMReadv(t.pid,
			[]unix.Iovec{{Base: &b[got], Len: uint64(step)}},
			[]unix.RemoteIovec{{Base: uintptr(addr) + uintptr(got), Len: step}}, 0)
		if err != nil || k == 0 {
			break
		}
		got += k
	}
	return b[:got]
}

// str reads a C string.
func (t target) str(addr uint64) string {
	var s []byte
	for len(s) < 4096 {
		step := 256 - int((addr+uint64(len(s)))%256)
		b := t.read(addr+uint64(len(s)), step)
		if i := bytes.IndexByte(b, 0); i >= 0 {
			return string(append(s, b[:i]...))
		}
		if len(b) == 0 {
			break
		}
		s = append(s, b...)
	}
	return string(s)
}

func (t target) proc(format string, a ...any) string {
	return fmt.Sprintf("/proc/%d/", t.pid) + fmt.Sprintf(format, a...)
}

// kill kills the thread's process.
func (t target) kill() {
	status, err := os.ReadFile(t.proc("status"))
	if err != nil {
		return // it is gone
	}
	_, rest, _ := strings.Cut(string(status), "\nTgid:")
	var process int
	if _, err := fmt.Sscan(rest, &process); err == nil {
		_ = unix.Kill(process, unix.SIGKILL)
	}
}

// fd is the path behind a descriptor.
func (t target) fd(fd uint64) string {
	if int32(fd) == unix.AT_FDCWD {
		p, _ := os.Readlink(t.proc("cwd"))
		return p
	}
	p, _ := os.Readlink(t.proc("fd/%d", int32(fd)))
	return p
}

// at is the path named by a directory descriptor and a string. Symlinks of its parents
// are resolved, and with follow a symlink at its end, as the kernel is about to do.
func (t target) at(dirfd, addr uint64, follow bool) string {
	s := t.str(addr)
	if s == "" {
		return t.fd(dirfd) // AT_EMPTY_PATH
	}
	for _, self := range []string{"/proc/self/fd/", "/proc/thread-self/fd/"} {
		if rest, ok := strings.CutPrefix(s, self); ok {
			p, _ := os.Readlink(t.proc("fd/%s", rest))
			return p
		}
	}
	if !filepath.IsAbs(s) {
		s = filepath.Join(t.fd(dirfd), s)
	}
	s = filepath.Clean(s)
	if dir, err := filepath.EvalSymlinks(filepath.Dir(s)); err == nil {
		s = filepath.Join(dir, filepath.Base(s))
	}
	if follow {
		if p, err := filepath.EvalSymlinks(s); err == nil {
			return p
		}
	}
	return s
}

// iovecs gathers the bytes of a vectored write.
func (t target) iovecs(addr, n uint64, data bool) (b []byte, total int) {
	raw := t.read(addr, int(n)*16)
	for i := 0; i+16 <= len(raw); i += 16 {
		base := *(*uint64)(unsafe.Pointer(&raw[i]))
		size := *(*uint64)(unsafe.Pointer(&raw[i+8]))
		total += int(size)
		if data {
			b = append(b, t.read(base, int(size))...)
		}
	}
	return b, total
}

// fdinfo is a descriptor's position and open flags.
func (t target) fdinfo(fd uint64) (pos int64, flags uint64) {
	b, _ := os.ReadFile(t.proc("fdinfo/%d", int32(fd)))
	_, _ = fmt.Sscanf(string(b), "pos:\t%d\nflags:\t%o", &pos, &flags)
	return pos, flags
}

// tear writes the first half of the bytes that the thread was about to write.
func (t target) tear(q *question, c *Call) {
	b, _ := t.written(q, true)
	// The descriptor is opened anew: the thread's own position must not move.
	f, err := os.OpenFile(t.proc("fd/%d", int32(q.args[0])), os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteAt(b[:len(b)/2], c.Off)
}
