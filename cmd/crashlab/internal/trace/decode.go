//go:build linux && amd64

package trace

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const atEmptyCWD = 0xffffff9c // AT_FDCWD as the lower half of a register

// decode tells how the thread is about to change the watched tree: with a call;
// or with an errno to return without asking the handler; or neither, for a call
// that does not concern the tree.
func (t target) decode(q *question) (*Call, unix.Errno) {
	a := q.args
	switch q.nr {
	case unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2:
		return t.write(q), 0
	case unix.SYS_COPY_FILE_RANGE, unix.SYS_SPLICE:
		return t.splice(a[2])
	case unix.SYS_SENDFILE:
		return t.splice(a[0])
	case unix.SYS_IOCTL:
		return t.splice(a[0])
	case unix.SYS_SYNC:
		return &Call{Op: Syncfs, Path: "."}, 0
	}
	c, host := t.named(q)
	if c == nil {
		c, host = t.opened(q)
	}
	if c == nil {
		c, host = t.ranged(q)
	}
	if c == nil {
		return nil, 0
	}
	return t.inTree(c, host), 0
}

// inTree fills in c's paths; nil when host is outside the watched tree.
func (t target) inTree(c *Call, host string) *Call {
	p, ok := below(t.cfg.Dir, strings.TrimSuffix(host, " (deleted)"))
	if !ok {
		if c.Op != Rename {
			return nil
		}
		// A file moved out of the tree is as good as removed.
		if p, ok = below(t.cfg.Dir, c.From); !ok {
			return nil
		}
		return &Call{Op: Unlink, Path: p}
	}
	c.Path = p
	if c.Op == Rename || c.Op == Link {
		if from, ok := below(t.cfg.Dir, c.From); ok {
			c.From = from
		}
	}
	return c
}

// named decodes calls that take names.
func (t target) named(q *question) (*Call, string) {
	a := q.args
	const cwd = atEmptyCWD
	switch q.nr {
	case unix.SYS_RENAME:
		return &Call{Op: Rename, From: t.at(cwd, a[0], false)}, t.at(cwd, a[1], false)
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		c := &Call{Op: Rename, From: t.at(a[0], a[1], false)}
		if q.nr == unix.SYS_RENAMEAT2 {
			c.Flags = a[4]
		}
		return c, t.at(a[2], a[3], false)
	case unix.SYS_LINK:
		return &Call{Op: Link, From: t.at(cwd, a[0], false)}, t.at(cwd, a[1], false)
	case unix.SYS_LINKAT:
		c := &Call{Op: Link, From: t.at(a[0], a[1], a[4]&unix.AT_SYMLINK_FOLLOW != 0)}
		if t.str(a[1]) == "" || strings.HasPrefix(t.str(a[1]), "/proc/") {
			c.Ino = t.ino(a[0], a[1])
		}
		return c, t.at(a[2], a[3], false)
	case unix.SYS_SYMLINK:
		return &Call{Op: Symlink, From: t.str(a[0])}, t.at(cwd, a[1], false)
	case unix.SYS_SYMLINKAT:
		return &Call{Op: Symlink, From: t.str(a[0])}, t.at(a[1], a[2], false)
	case unix.SYS_UNLINK:
		return &Call{Op: Unlink}, t.at(cwd, a[0], false)
	case unix.SYS_RMDIR:
		return &Call{Op: Rmdir}, t.at(cwd, a[0], false)
	case unix.SYS_UNLINKAT:
		op := Unlink
		if a[2]&unix.AT_REMOVEDIR != 0 {
			op = Rmdir
		}
		return &Call{Op: op}, t.at(a[0], a[1], false)
	case unix.SYS_MKDIR:
		return &Call{Op: Mkdir, Mode: t.masked(a[1])}, t.at(cwd, a[0], false)
	case unix.SYS_MKDIRAT:
		return &Call{Op: Mkdir, Mode: t.masked(a[2])}, t.at(a[0], a[1], false)
	case unix.SYS_MKNOD:
		return &Call{Op: Mknod, Mode: t.masked(a[1])}, t.at(cwd, a[0], false)
	case unix.SYS_MKNODAT:
		return &Call{Op: Mknod, Mode: t.masked(a[2])}, t.at(a[0], a[1], false)
	case unix.SYS_TRUNCATE:
		return &Call{Op: Truncate, Size: int64(a[1])}, t.at(cwd, a[0], true)
	case unix.SYS_CHMOD:
		return &Call{Op: Chmod, Mode: uint32(a[1]) & 0o7777}, t.at(cwd, a[0], true)
	case unix.SYS_FCHMODAT:
		return &Call{Op: Chmod, Mode: uint32(a[2]) & 0o7777}, t.at(a[0], a[1], true)
	case unix.SYS_FCHMODAT2:
		return &Call{Op: Chmod, Mode: uint32(a[2]) & 0o7777}, t.at(a[0], a[1], a[3]&unix.AT_SYMLINK_NOFOLLOW == 0)
	case unix.SYS_SETXATTR, unix.SYS_LSETXATTR:
		return t.setxattr(q), t.at(cwd, a[0], q.nr == unix.SYS_SETXATTR)
	case unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR:
		return t.setxattr(q), t.at(cwd, a[0], q.nr == unix.SYS_REMOVEXATTR)
	case unix.SYS_CHOWN, unix.SYS_LCHOWN:
		return &Call{Op: Chown}, t.at(cwd, a[0], q.nr == unix.SYS_CHOWN)
	case unix.SYS_FCHOWNAT:
		return &Call{Op: Chown}, t.at(a[0], a[1], a[4]&unix.AT_SYMLINK_NOFOLLOW == 0)
	case unix.SYS_UTIMENSAT:
		if a[1] == 0 {
			return &Call{Op: Utimes}, t.fd(a[0])
		}
		return &Call{Op: Utimes}, t.at(a[0], a[1], a[3]&unix.AT_SYMLINK_NOFOLLOW == 0)
	}
	return nil, ""
}

// setxattr decodes a call that sets or removes an extended attribute.
func (t target) setxattr(q *question) *Call {
	c := &Call{Op: Setxattr, Attr: t.str(q.args[1])}
	switch q.nr {
	case unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR:
		c.Data = append([]byte{}, t.read(q.args[2], int(min(q.args[3], 64<<10)))...)
	}
	return c
}

// opened decodes calls that open a file. An open that leaves an existing
// file as it is changes nothing.
func (t target) opened(q *question) (*Call, string) {
	var flags, mode uint64
	dirfd, name := uint64(atEmptyCWD), q.args[0]
	switch q.nr {
	case unix.SYS_OPEN:
		flags, mode = q.args[1], q.args[2]
	case unix.SYS_CREAT:
		flags, mode = unix.O_CREAT|unix.O_TRUNC, q.args[1]
	case unix.SYS_OPENAT:
		dirfd, name, flags, mode = q.args[0], q.args[1], q.args[2], q.args[3]
	case unix.SYS_OPENAT2:
		how := t.read(q.args[2], 16)
		if len(how) < 16 {
			return nil, ""
		}
		dirfd, name = q.args[0], q.args[1]
		flags, mode = le64(how), le64(how[8:])
	default:
		return nil, ""
	}
	host := t.at(dirfd, name, flags&unix.O_NOFOLLOW == 0)
	if _, ok := below(t.cfg.Dir, host); !ok {
		return nil, ""
	}
	if flags&unix.O_TMPFILE == unix.O_TMPFILE {
		return &Call{Op: TmpFile, Mode: t.masked(mode)}, host
	}
	st, err := os.Lstat(host)
	switch {
	case err != nil && flags&unix.O_CREAT != 0:
		if _, err := os.Lstat(filepath.Dir(host)); err != nil {
			return nil, "" // it will fail
		}
		return &Call{Op: Create, Mode: t.masked(mode)}, host
	case err == nil && flags&unix.O_TRUNC != 0 && flags&unix.O_EXCL == 0 && st.Mode().IsRegular():
		return &Call{Op: Trunc}, host
	}
	return nil, ""
}

// ranged decodes calls on a descriptor other than writes.
func (t target) ranged(q *question) (*Call, string) {
	a := q.args
	c := &Call{}
	fd := a[0]
	switch q.nr {
	case unix.SYS_FSYNC:
		c.Op = Fsync
	case unix.SYS_FDATASYNC:
		c.Op = Fdatasync
	case unix.SYS_SYNCFS:
		c.Op = Syncfs
	case unix.SYS_SYNC_FILE_RANGE:
		c.Op = SyncRange
	case unix.SYS_FTRUNCATE:
		c.Op, c.Size = Truncate, int64(a[1])
	case unix.SYS_FALLOCATE:
		c.Op, c.Flags, c.Off, c.Size = Fallocate, a[1], int64(a[2]), int64(a[3])
	case unix.SYS_FCHMOD:
		c.Op, c.Mode = Chmod, uint32(a[1])&0o7777
	case unix.SYS_FCHOWN:
		c.Op = Chown
	case unix.SYS_FSETXATTR, unix.SYS_FREMOVEXATTR:
		c = t.setxattr(q)
	case unix.SYS_MMAP:
		c.Op, fd = Mmap, a[4]
	default:
		return nil, ""
	}
	c.Ino = t.ino(fd, 0)
	return c, t.fd(fd)
}

// splice decodes calls that copy inside the kernel, unseen. A machine that
// records makes them fail, and programs fall back to writing.
func (t target) splice(fd uint64) (*Call, unix.Errno) {
	p, ok := below(t.cfg.Dir, t.fd(fd))
	if !ok {
		return nil, 0
	}
	if t.cfg.Record {
		return nil, unix.ENOSYS
	}
	return &Call{Op: Splice, Path: p, Ino: t.ino(fd, 0)}, 0
}
