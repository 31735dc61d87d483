package extract

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle"
)

// writer unpacks one file after the other, with buffers of its own.
type writer struct {
	r   *run
	sum hash.Hash
	buf []byte
}

func newWriter(r *run) *writer {
	return &writer{r: r, sum: sha256.New(), buf: make([]byte, 128<<10)}
}

// write unpacks e and adds it to the list.
func (w *writer) write(ctx context.Context, e bundle.Entry) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f, err := w.content(ctx, e)
	if err == nil {
		return w.r.add(f)
	}
	var content contentError
	if !e.Spare || ctx.Err() != nil || !errors.As(err, &content) {
		return err
	}
	// The rest of the file is removed with the staging directory.
	w.r.lack(e, err)
	return nil
}

// contentError is an error of the bundle, not of the disk that is written to.
type contentError struct{ error }

func (e contentError) Unwrap() error { return e.error }

// content writes the file and compares its digest.
func (w *writer) content(ctx context.Context, e bundle.Entry) (f versions.File, err error) {
	in, err := e.Open()
	if err != nil {
		return f, contentError{err}
	}
	mode, size, err := w.copy(ctx, e, in)
	if err := errors.Join(err, in.Close()); err != nil {
		return f, err
	}
	f = versions.File{
		Path: e.Path, Type: versions.TypeFile, Mode: uint32(mode), Size: size,
		SHA256: hex.EncodeToString(w.sum.Sum(w.buf[:0])), Capabilities: e.Capabilities,
	}
	if e.SHA256 != "" && e.SHA256 != f.SHA256 {
		return f, contentError{bundle.Invalid("%q: its SHA-256 is %s, not %s", e.Path, f.SHA256, e.SHA256)}
	}
	if e.Capabilities.None() {
		return f, nil
	}
	return f, w.r.permit(e)
}

func (w *writer) copy(ctx context.Context, e bundle.Entry, in io.Reader) (mode fs.FileMode, size int64, err error) {
	w.sum.Reset()
	// The first buffer is read before the file is made: it may decide the mode.
	n, end, err := w.fill(in)
	if err != nil {
		return 0, 0, contentError{err}
	}
	mode = bundle.ModeOf(e.Mode, w.buf[:n])
	out, err := w.r.root.OpenFile(e.Path, os.O_CREATE|os.O_EXCL|os.O_RDWR, mode)
	if err != nil {
		return 0, 0, collision(err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := exactMode(out, mode); err != nil {
		return 0, 0, err
	}
	if in, ok := in.(*os.File); ok && !end {
		if cloned, err := clone(out, in, e.Size); err != nil {
			return 0, 0, err
		} else if cloned {
			return mode, e.Size, w.hash(ctx, out, e.Size)
		}
	}
	flusher := flusher{f: out}
	for {
		size += int64(n)
		if size > e.Size {
			return 0, 0, contentError{bundle.Invalid("it has more than the %d bytes it declares", e.Size)}
		}
		if _, err := out.Write(w.buf[:n]); err != nil {
			return 0, 0, err
		}
		w.sum.Write(w.buf[:n])
		w.r.meter.Add(int64(n))
		flusher.wrote(size)
		if end {
			break
		}
		if ctx.Err() != nil {
			return 0, 0, context.Cause(ctx)
		}
		if n, end, err = w.fill(in); err != nil {
			return 0, 0, contentError{err}
		}
	}
	if size != e.Size {
		return 0, 0, contentError{bundle.Invalid("it has %d bytes, not the %d it declares", size, e.Size)}
	}
	flusher.closing(size)
	return mode, size, nil
}

// fill reads until the buffer is full or the content ends.
func (w *writer) fill(in io.Reader) (n int, end bool, err error) {
	n, err = io.ReadFull(in, w.buf)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return n, true, nil
	}
	return n, false, err
}

// exactMode restores the bits that the umask took away.
func exactMode(f *os.File, mode fs.FileMode) error {
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() == mode {
		return err
	}
	return f.Chmod(mode)
}
