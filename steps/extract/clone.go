package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// clone makes out share the blocks of in, where the file system can (reflink: btrfs,
// xfs). When it returns false the caller has to copy the bytes.
func clone(out, in *os.File, size int64) (bool, error) {
	info, err := in.Stat()
	if err != nil || info.Size() != size {
		return false, err // the file has changed; copying finds that out
	}
	err = unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EXDEV), errors.Is(err, unix.EINVAL),
		errors.Is(err, unix.ENOTTY), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM), errors.Is(err, unix.ETXTBSY):
		return false, nil
	}
	return false, fmt.Errorf("clone %s: %w", in.Name(), err)
}

// hash reads a cloned file: a clone shares its blocks with the original, and so also
// any damage in them.
func (w *writer) hash(ctx context.Context, f *os.File, size int64) error {
	w.sum.Reset()
	for at := int64(0); at < size; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := f.ReadAt(w.buf[:min(int64(len(w.buf)), size-at)], at)
		w.sum.Write(w.buf[:n])
		w.r.meter.Add(int64(n))
		at += int64(n)
		if err != nil && (!errors.Is(err, io.EOF) || at < size) {
			return contentError{fmt.Errorf("read what was cloned: %w", err)}
		}
	}
	return nil
}
