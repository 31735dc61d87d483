package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/likeness"
)

// copier copies trees of others, with modes, owners, attributes and times. It follows no
// link. What vanishes, or turns into something else while it is copied, is left out.
type copier struct {
	ctx   context.Context
	taken *Taken
	buf   []byte
}

func newCopier(ctx context.Context, taken *Taken) *copier {
	return &copier{ctx: ctx, taken: taken, buf: make([]byte, 256<<10)}
}

// tree copies the directory at a path in the shared directory into a set, and stamps it.
func (c *copier) tree(shared *disk.Dir, p string, set *disk.Dir, stamp string) error {
	src, err := shared.Descend(p)
	if err != nil {
		return explained(err)
	}
	defer src.Close()
	dst, err := set.MakeAllLater(path.Join(dataName, p), 0o700)
	if err != nil {
		return err
	}
	// The stamp first: the directory is made like the original when it is full.
	if err := dst.Create(stamp, nil, 0o600); err != nil {
		return errors.Join(fmt.Errorf("stamp: %w", err), dst.Close())
	}
	return c.into(src, dst)
}

// into copies all that is in src, and what src is like, to dst, which it closes.
func (c *copier) into(src, dst *disk.Dir) error {
	return likeness.Tree(src, dst, func(in *disk.Dir, name string, st *unix.Stat_t, to *disk.Dir) error {
		if c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
		return c.entry(in, name, st, to)
	})
}

// entryTo copies one entry of whatever kind.
func (c *copier) entryTo(in *disk.Dir, name string, to *disk.Dir) error {
	st, err := in.Lstat(name)
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return c.entry(in, name, &st, to)
	}
	src, err := in.Open(name)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := to.Mkdir(name, 0o700); err != nil {
		return err
	}
	dst, err := to.Open(name)
	if err != nil {
		return err
	}
	return c.into(src, dst)
}

// entry copies an entry that is not a directory.
func (c *copier) entry(in *disk.Dir, name string, st *unix.Stat_t, to *disk.Dir) error {
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		err = c.file(in, name, to)
	case unix.S_IFLNK:
		var target string
		if target, err = in.Readlink(name); err == nil {
			err = to.Symlink(target, name)
		}
		if err == nil && os.Geteuid() == 0 {
			err = to.Chown(name, int(st.Uid), int(st.Gid))
		}
	default:
		c.taken.Skipped++
	}
	return err
}

// file copies a regular file. Another that has its name by now is as good.
func (c *copier) file(from *disk.Dir, name string, to *disk.Dir) error {
	in, err := from.OpenToRead(c.ctx, name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		return nil // gone, a link, a socket
	}
	if err != nil {
		return err
	}
	defer in.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(in.Fd()), &st); err != nil {
		return fmt.Errorf("stat %s: %w", in.Name(), err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil
	}
	out, err := to.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	c.taken.Files++
	err = unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
	if err == nil {
		c.taken.Cloned++
		c.taken.Bytes += st.Size
	} else {
		// File systems that cannot clone give various errors. Reading and
		// writing shows whether anything else is wrong.
		err = c.content(in, out, st.Size)
	}
	if err == nil {
		err = like(in, to, name, out, &st)
	}
	return errors.Join(err, out.Close())
}

// like makes a copy like the original as that is now, whose state before was st. Who writes
// to a file takes its set-id bits away: a copy that may have what was written meanwhile gets
// none, whatever the original has.
func like(in *os.File, to *disk.Dir, name string, out *os.File, st *unix.Stat_t) error {
	var now unix.Stat_t
	if err := unix.Fstat(int(in.Fd()), &now); err != nil {
		return fmt.Errorf("stat %s: %w", in.Name(), err)
	}
	if now.Ctim != st.Ctim || now.Mtim != st.Mtim || now.Size != st.Size {
		now.Mode &^= unix.S_ISUID | unix.S_ISGID
	}
	return likeness.Give(in, to, name, out, &now)
}

// content copies the first size bytes of a file, leaving holes out.
func (c *copier) content(in, out *os.File, size int64) error {
	for at := int64(0); at < size; {
		data, hole, err := span(in, at, size)
		if err != nil {
			return err
		}
		for at = data; at < hole; {
			if c.ctx.Err() != nil {
				return context.Cause(c.ctx)
			}
			n, err := in.ReadAt(c.buf[:min(int64(len(c.buf)), hole-at)], at)
			if n > 0 {
				if _, werr := out.WriteAt(c.buf[:n], at); werr != nil {
					return werr
				}
				at, c.taken.Bytes = at+int64(n), c.taken.Bytes+int64(n)
			}
			if errors.Is(err, io.EOF) {
				return nil // it has become shorter
			}
			if err != nil {
				return err
			}
		}
	}
	return out.Truncate(size)
}

// span is the next part of a file, from at on and before size, that has data. One that ends
// in a hole has an empty part at size.
func span(f *os.File, at, size int64) (data, hole int64, err error) {
	data, err = unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, size, nil
	}
	if err == nil {
		hole, err = unix.Seek(int(f.Fd()), data, unix.SEEK_HOLE)
	}
	if errors.Is(err, unix.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return at, size, nil // this file system does not tell
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look for data in %s: %w", f.Name(), err)
	}
	return min(data, size), min(hole, size), nil
}

// CanClone reports whether the file system at dir lets files share their
// blocks, so that a snapshot costs neither space nor time. It tries, with two
// files that never have a name.
func CanClone(dir string) bool {
	a, err := unnamed(dir)
	if err != nil {
		return false
	}
	defer a.Close()
	b, err := unnamed(dir)
	if err != nil {
		return false
	}
	defer b.Close()
	if _, err := a.Write(make([]byte, block)); err != nil {
		return false
	}
	return unix.IoctlFileClone(int(b.Fd()), int(a.Fd())) == nil
}

func unnamed(dir string) (*os.File, error) {
	return os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
}
