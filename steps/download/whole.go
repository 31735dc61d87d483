package download

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tope/updater/steps"
)

// whole is the course that fetches the whole bundle, from its first byte to its last.
type whole struct{ *run }

func (w whole) position() int64 { return w.sink.offset }

func (w whole) begun() bool { return w.sink.offset > 0 }

// refused notes that a link which has answered one request has refused the next: what
// tells the format was asked for first, or the answer was not of the range that lacks.
func (w whole) refused() {
	if w.note.Single || !w.probed && w.said != rangeIgnored {
		return
	}
	w.note.Single = true // the next link is asked for everything at once
	// If the power goes before it is noted, one more link is used up.
	if err := w.save(w.noted, w.note.states); err != nil {
		w.cfg.Log.Warn("cannot note that a link is good once", "update", w.task.Update, "error", err)
	}
}

// once makes one attempt to fetch everything that is missing, and finishes the bundle.
func (w whole) once(ctx context.Context) error {
	for done := false; !done; {
		if total := w.total(); total >= 0 && w.sink.offset == total {
			break
		}
		st, err := w.open(ctx)
		if err != nil {
			return err
		}
		done, err = w.take(ctx, st)
		_ = st.body.Close() // only read
		if err != nil {
			return err
		}
	}
	return w.finish()
}

// open asks for what is missing.
func (w whole) open(ctx context.Context) (*stream, error) {
	if st := w.opened; st != nil {
		w.opened = nil
		return st, nil
	}
	from := w.sink.offset
	if from > 0 && w.note.Mark.Strong == "" && !w.digested() {
		// Nothing shows that a part from there on would be of the same file. The file
		// from its beginning shows it.
		w.event(cannotResume, fmt.Sprintf("at byte %d", from))
		from = 0
	}
	if w.single {
		from = 0
	}
	return w.src.open(ctx, want{
		offset: from, declared: w.declared(), total: w.note.Total, max: w.cfg.MaxSize,
		file: w.says.file, mark: w.note.Mark, kind: w.note.Type, begun: w.begun(), now: w.cfg.Clock.Now(), cap: w.cfg.Limits.RetryAfterMax,
	})
}

// turn makes the next attempt go by a believed answer.
func (w whole) turn(s *strange) error {
	switch {
	case s.unranged:
		w.single = true
		return nil
	case w.digested() && !s.differs:
		// Files are told apart by the declared digest in the end. Until then the part may
		// be of this file too: many servers give one file many ETags.
		w.note.Total, w.note.Mark = unknown, mark{}
		return nil
	}
	return w.restart()
}

// catchUp reads a file from its beginning up to where the part file ends, and compares
// it with the part file. So a server without ranges, and one whose answers do not tell
// which file they are of, costs time and not what was fetched.
func (r *run) catchUp(ctx context.Context, st *stream) error {
	have := make([]byte, len(r.buf))
	for at := st.offset; at < r.sink.offset; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := st.body.Read(r.buf[:min(int64(len(r.buf)), r.sink.offset-at)])
		r.note.Received += int64(n)
		if _, err := r.sink.f.ReadAt(have[:n], at); err != nil {
			return steps.FromOS(err, "cannot read the download")
		}
		if !bytes.Equal(r.buf[:n], have[:n]) {
			r.single = r.oneUse // that was not the file, so it does not show that the source has no ranges
			if looksLikePage(r.buf[:n], st.contentType) {
				return aPage(st.contentType)
			}
			s := elsewhere(fileChanged, "the file has other bytes than before, from byte %d on or behind it", at)
			s.differs, s.says = true, "other bytes" // where they are noticed varies
			return s
		}
		at += int64(n)
		switch {
		case err == nil || at == r.sink.offset:
		case errors.Is(err, io.EOF) && (st.marked || st.end == at):
			s := elsewhere(fileIsShorter, "the file has %d bytes now, and %d had come before", at, r.sink.offset)
			s.differs = true
			return s
		case errors.Is(err, io.EOF):
			return st.fail(io.ErrUnexpectedEOF)
		default:
			return st.fail(err)
		}
	}
	return nil
}
