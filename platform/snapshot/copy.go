package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// copyTree copies the directory from into the empty one at to, with modes,
// owners and times, and stamps it. It follows no link.
func copyTree(ctx context.Context, from, to, update string, taken *Taken) error {
	src, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer dst.Close()
	c := copier{ctx: ctx, src: src, dst: dst, taken: taken, update: update}
	return disk.Walk(src, c.visit, c.leave)
}

type copier struct {
	ctx      context.Context
	src, dst *os.Root
	taken    *Taken
	update   string
}

func (c *copier) visit(name string, info fs.FileInfo) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	switch mode := info.Mode(); {
	case name == ".":
		return nil
	case mode.IsDir():
		return c.dst.Mkdir(name, 0o700) // its own mode when it is full
	case mode.IsRegular():
		c.taken.Files++
		return c.file(name, info)
	case mode&fs.ModeSymlink != 0:
		target, err := c.src.Readlink(name)
		if err == nil {
			err = c.dst.Symlink(target, name)
		}
		if err == nil {
			err = c.own(name, info)
		}
		return err
	}
	c.taken.Skipped++
	return nil
}

// leave gives a directory its mode and time once its entries, which change the
// time, are copied.
func (c *copier) leave(name string, info fs.FileInfo) error {
	if name == "." {
		f, err := c.dst.OpenFile(stampPrefix+c.update, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			return fmt.Errorf("stamp: %w", err)
		}
	}
	return c.likeness(name, info)
}

func (c *copier) file(name string, info fs.FileInfo) error {
	// Not blocking: it may have become a pipe since it was looked at.
	in, err := c.src.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := c.dst.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
	if err == nil {
		c.taken.Cloned++
		c.taken.Bytes += info.Size()
	} else {
		// File systems that cannot clone give various errors. Reading and
		// writing shows whether anything else is wrong.
		var n int64
		n, err = io.Copy(out, &stoppable{c.ctx, in})
		c.taken.Bytes += n
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return c.likeness(name, info)
}

// likeness gives the copy the owner, mode and time of the original.
func (c *copier) likeness(name string, info fs.FileInfo) error {
	if err := c.own(name, info); err != nil {
		return err
	}
	// After the owner, whose change clears set-id bits.
	const bits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	if err := c.dst.Chmod(name, info.Mode()&bits); err != nil {
		return err
	}
	return c.dst.Chtimes(name, info.ModTime(), info.ModTime())
}

func (c *copier) own(name string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil // only root can give files to other users
	}
	return c.dst.Lchown(name, int(st.Uid), int(st.Gid))
}

// stoppable ends a long copy with its context.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	return s.r.Read(p)
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
