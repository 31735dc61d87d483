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
type localSource struct{ path string }

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
	return localSource{path: path}
}

func (s localSource) open(_ context.Context, w want) (*stream, error) {
	// O_NONBLOCK: opening a FIFO must not wait for its writer.
	f, err := os.OpenFile(s.path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, s.unreadable(err)
	}
	o, err := s.judge(f, w)
	if err == nil && o.offset > 0 {
		_, err = f.Seek(o.offset, io.SeekStart)
	}
	if err != nil {
		_ = f.Close() // only read
		return nil, s.unreadable(err)
	}
	return &stream{offer: *o, body: f, fail: s.unreadable, check: func() error { return s.unchanged(o.mark) }}, nil
}

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
	if w.offset > 0 && (o.mark != w.mark || w.offset > o.total) {
		o.offset, o.event = 0, fileChanged
	}
	return o, checkTotal(o, w)
}

// markOfFile returns a mark that changes whenever the file may have changed.
func markOfFile(info fs.FileInfo) mark {
	tag := fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano())
	return mark{ETag: tag, Strong: tag}
}

func (s localSource) unchanged(before mark) error {
	info, err := os.Stat(s.path)
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
