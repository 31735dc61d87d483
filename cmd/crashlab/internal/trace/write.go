//go:build linux && amd64

package trace

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// said bounds the part of a program's output that is looked at.
const said = 1 << 16

// write decodes the five ways of writing.
func (t target) write(q *question) *Call {
	path, err := os.Readlink(t.proc("fd/%d", int32(q.args[0])))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &Call{Op: Unseen, From: err.Error()}
	}
	c := &Call{Op: Write}
	rel, ok := below(t.cfg.Dir, strings.TrimSuffix(path, " (deleted)"))
	if !ok {
		return t.say(q, c, path)
	}
	c.Path = rel
	pos, flags := t.fdinfo(q.args[0])
	c.Off, c.Flags = pos, flags
	var st syscall.Stat_t
	if syscall.Stat(t.proc("fd/%d", int32(q.args[0])), &st) == nil {
		c.Ino, c.Size = st.Ino, st.Size
	}
	switch q.nr {
	case unix.SYS_PWRITE64, unix.SYS_PWRITEV, unix.SYS_PWRITEV2:
		c.Op, c.Off = Pwrite, int64(q.args[3])
		if q.nr == unix.SYS_PWRITEV2 {
			if c.Off == -1 {
				c.Op, c.Off = Write, pos
			}
			if q.args[5]&(unix.RWF_SYNC|unix.RWF_DSYNC) != 0 {
				c.Flags |= unix.O_DSYNC
			}
		}
	}
	if c.Flags&unix.O_APPEND != 0 {
		c.Off = c.Size
	}
	c.Data, c.Len = t.written(q, t.cfg.Record)
	return c
}

// written returns the bytes of a write, and how many there are.
func (t target) written(q *question, data bool) (b []byte, n int) {
	switch q.nr {
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		if data {
			b = t.read(q.args[1], int(q.args[2]))
		}
		return b, int(q.args[2])
	}
	return t.iovecs(q.args[1], q.args[2], data)
}

// say decodes a write outside the tree: to people or to another program.
func (t target) say(q *question, c *Call, path string) *Call {
	if !t.cfg.Says || strings.HasPrefix(path, "anon_inode:") {
		return nil
	}
	if q.args[0] != 1 && !strings.HasPrefix(path, "socket:") && !strings.HasPrefix(path, "pipe:") {
		return nil
	}
	c.Said = true
	c.Data, c.Len = t.written(q, true)
	if len(c.Data) > said {
		c.Data = c.Data[:said]
	}
	return c
}

// ino is the inode behind a descriptor, or behind a name in /proc/self/fd.
func (t target) ino(fd, name uint64) uint64 {
	p := t.proc("fd/%d", int32(fd))
	if name != 0 {
		if i := strings.LastIndexByte(t.str(name), '/'); i >= 0 {
			p = t.proc("fd/%s", t.str(name)[i+1:])
		}
	}
	var st syscall.Stat_t
	if syscall.Stat(p, &st) != nil {
		return 0
	}
	return st.Ino
}

// masked is mode with the thread's umask taken off.
func (t target) masked(mode uint64) uint32 {
	b, _ := os.ReadFile(t.proc("status"))
	_, rest, _ := strings.Cut(string(b), "Umask:\t")
	line, _, _ := strings.Cut(rest, "\n")
	mask, err := strconv.ParseUint(strings.TrimSpace(line), 8, 32)
	if err != nil {
		mask = 0o022
	}
	return uint32(mode) & 0o7777 &^ uint32(mask)
}

func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
