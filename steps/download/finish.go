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

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// finish compares the part file with the declared size and digests, and publishes it.
func (r *run) finish() error {
	if wrong := r.sink.differs(r.task.Source); wrong != nil {
		if r.note.Resumed > 0 && !r.again {
			// The part file may have pieces of two files that the server has under
			// one name: a fresh copy is worth one try.
			r.again, r.over = true, false
			if err := r.restart(); err != nil {
				return err
			}
			return &outage{what: mixedContent, err: wrong}
		}
		hint := digestHint(r.note.Type)
		// These bytes are not the bundle's: nobody is to go on from them.
		if err := r.restart(); err != nil {
			return err
		}
		if r.over {
			return r.tooLong()
		}
		return outlined("the "+wrong.kind+" is not the declared one; "+digestHint(""), refused(wrong.code, hint, "%w", wrong))
	}
	if r.over && !r.digested() {
		return r.tooLong()
	}
	r.task.Meter.Go()
	r.fetched = steps.Fetched{Size: r.sink.offset, MD5: r.sink.sum(), At: r.cfg.Clock.Now()}
	if r.digested() {
		r.clearShelf() // this is the package that was asked for
	}
	return r.sink.publish()
}

// digestHint is what to do about a package that is another than the declared one.
func digestHint(contentType string) string {
	if isPage(contentType) || contentType == "text/plain" {
		return sizeHint(contentType, serversFile)
	}
	return "check what was published, and what was declared"
}

// tooLong is the error for a source that has more than was declared.
func (r *run) tooLong() error {
	return outlined(surplus, refused(steps.SizeMismatch, sizeHint(r.note.Type, r.says.file), "%s has more than the %d bytes declared", r.says.file, r.declared()))
}

// adopt returns true when an earlier run has brought the whole bundle and was cut
// before its answer was journaled. The file is whole and synced, because only such a
// file gets the name. Only its digest is missing: adopt computes it, from the
// checkpoint's hash state on.
func (r *run) adopt(ctx context.Context) (bool, error) {
	path := filepath.Join(r.task.WorkDir, bundle.FileName)
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, steps.FromOS(err, "cannot read the bundle")
	}
	s := newSink(r.task.WorkDir, f, r.task.Source.SHA256 != "")
	defer s.close()
	if err := r.rehash(ctx, s); err != nil {
		return false, err
	}
	source := r.task.Source
	if (source.Size > 0 && source.Size != s.offset) || s.differs(source) != nil || s.offset == 0 {
		// Only this step writes there, so the disk is at fault.
		r.event(lostBundle, fmt.Sprintf("%d bytes, MD5 %s", s.offset, s.sum()))
		return false, r.discard(path)
	}
	// The name may not be durable yet: the cut may have come before it was synced.
	if err := disk.SyncDir(r.task.WorkDir); err != nil {
		return false, steps.FromOS(err, "cannot sync the download")
	}
	r.event(foundWhole, "")
	r.task.Meter.Set(s.offset, s.offset)
	r.fetched = steps.Fetched{Size: s.offset, MD5: s.sum(), At: r.cfg.Clock.Now()}
	return true, nil
}

// rehash moves the sink of a whole file to the file's end, and its hash too.
func (r *run) rehash(ctx context.Context, s *sink) error {
	info, err := s.f.Stat()
	if err != nil {
		return steps.FromOS(err, "cannot read the bundle")
	}
	if _, err := s.at(r.note.Offset, r.note.states, info.Size()); err != nil {
		return steps.FromOS(err, "cannot read the bundle")
	}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := s.f.Read(r.buf)
		s.count(r.buf[:n])
		r.task.Meter.Set(s.offset, info.Size())
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return steps.FromOS(err, "cannot read the bundle")
		}
	}
}

// discard removes a bundle that has another size or digest than declared.
func (r *run) discard(path string) error {
	if r.noted != 0 {
		if err := r.save(0, states{}); err != nil {
			return err
		}
	}
	// If the power goes from here on, the bundle may still be there; the next run
	// judges it again and removes it.
	if err := os.Remove(path); err != nil {
		return steps.FromOS(err, "cannot remove the bundle")
	}
	return nil
}
