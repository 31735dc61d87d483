package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/steps"
)

// localSource copies a local file, for instance from a USB stick. The copy shows its
// progress, and is resumed when the same file is still there. A file that cannot be
// read is an error at once: the step waits only for servers.
type localSource struct {
	path string
	// acquire opens the file, and release lets go of it.
	acquire func() (*os.File, error)
	release func(*os.File) error
	// stat looks at the file again, after the reading.
	stat func(*os.File) (fs.FileInfo, error)
}

// newLocalSource finds the file that the operator means: a path that does not exist in
// this process's own /tmp may exist in the device's.
func newLocalSource(cfg Config, path string) localSource {
	path = filepath.Clean(path)
	if cfg.Outside != "" {
		outside := filepath.Join(cfg.Outside, path)
		_, here := os.Lstat(path)
		_, there := os.Lstat(outside)
		if errors.Is(here, fs.ErrNotExist) && there == nil {
			path = outside
		}
	}
	return localSource{
		path:    path,
		acquire: func() (*os.File, error) { return openToRead(path) },
		release: (*os.File).Close,
		stat:    func(*os.File) (fs.FileInfo, error) { return os.Stat(path) },
	}
}

// openToRead opens a file. Opening a FIFO does not wait for its writer.
func openToRead(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
}

func (s localSource) open(_ context.Context, w want) (*stream, error) {
	f, err := s.acquire()
	if err != nil {
		return nil, s.unreadable(err)
	}
	o, err := s.judge(f, w)
	if err != nil {
		_ = s.release(f) // only read
		return nil, s.unreadable(err)
	}
	return &stream{
		offer: *o, body: &filePart{f, o.offset, s.release}, fail: s.unreadable,
		check: func() error { return s.unchanged(f, o.mark) },
	}, nil
}

// filePart reads a file from an offset on, whatever others do with the same open file.
type filePart struct {
	f       *os.File
	at      int64
	release func(*os.File) error
}

func (p *filePart) Read(b []byte) (int, error) {
	n, err := p.f.ReadAt(b, p.at)
	p.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil // the next call says so
	}
	return n, err
}

func (p *filePart) Close() error { return p.release(p.f) }

func (s localSource) judge(f *os.File, w want) (*offer, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, unavailable("name a bundle file", "not a regular file")
	}
	end := info.Size()
	if w.end > 0 {
		end = min(end, max(w.end, w.offset))
	}
	o := &offer{offset: w.offset, end: end, total: info.Size(), marked: true, mark: markOfFile(info)}
	if w.offset > 0 && (w.mark != mark{} && o.mark != w.mark || w.offset > o.total) {
		o.offset, o.event = 0, fileChanged
	}
	return o, checkTotal(o, w)
}

// markOfFile returns a mark that changes whenever the file may have changed.
func markOfFile(info fs.FileInfo) mark {
	tag := fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano())
	return mark{ETag: tag, Strong: tag}
}

func (s localSource) unchanged(f *os.File, before mark) error {
	info, err := s.stat(f)
	if err != nil {
		return s.unreadable(err)
	}
	if markOfFile(info) != before {
		return unavailable("copy it there completely, then try again", "the file changed while it was copied")
	}
	return nil
}

func (s localSource) unreadable(err error) error {
	var final *steps.Error
	switch {
	case errors.As(err, &final):
		return final
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return unavailable("copy it there completely, then try again", "the file became shorter while it was copied")
	}
	return unavailable("check the path, and the medium it is on", "cannot read it: %w", err)
}
