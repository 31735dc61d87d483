package download

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tope/updater/steps"
)

// take writes a stream to the part file. It returns true when the file is complete.
func (r *run) take(ctx context.Context, st *stream) (bool, error) {
	if st.offset < r.sink.offset {
		if err := r.goBack(ctx, st); err != nil {
			return false, err
		}
	}
	r.note.Total = st.total
	if st.offset > 0 {
		// The mark stays: an answer to If-Range need not repeat it.
		r.note.Resumed++
		r.note.ResumedBytes += st.offset
	} else {
		r.note.Mark, r.note.Type = st.mark, st.contentType
	}
	if err := r.preflight(); err != nil {
		return false, err
	}
	r.task.Meter.Go()
	r.meter()
	if err := r.copy(ctx, st); err != nil {
		return false, err
	}
	if st.check != nil {
		if err := st.check(); err != nil {
			return false, err
		}
	}
	// A server may send less than the range asked for; then there is more to ask for.
	return r.over || st.total == unknown || r.sink.offset == st.total, nil
}

// goBack decides about a stream that begins before the end of the part file.
func (r *run) goBack(ctx context.Context, st *stream) error {
	switch st.event {
	case fileChanged: // a local file
		r.event(st.event, fmt.Sprintf("at byte %d", r.sink.offset))
		return r.restart()
	case rangeIgnored:
		return withoutRanges("the server answered with the whole file to a request from byte %d on", r.sink.offset)
	}
	return r.catchUp(ctx, st)
}

// withoutRanges is the answer of a source that has no ranges. Something on the way may
// have taken the request's range off, so it has to come some times.
func withoutRanges(format string, args ...any) *strange {
	s := told(rangeIgnored, unavailable("", format, args...))
	s.says, s.enough, s.unranged = rangeIgnored, 3, true
	return s
}

// copy moves bytes until the stream ends. It returns nil when the stream ended where it
// should.
func (r *run) copy(ctx context.Context, st *stream) error {
	limit := r.limit(st)
	for st.end == unknown || r.sink.offset < st.end {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := st.body.Read(r.buf)
		r.note.Received += int64(n)
		if r.sink.offset == 0 && st.check == nil && looksLikePage(r.buf[:n], st.contentType) {
			return r.pageAtFirst(st.contentType)
		}
		fits := min(int64(n), limit-r.sink.offset)
		if fits > 0 {
			if err := r.advance(r.buf[:fits]); err != nil {
				return err
			}
		}
		if int64(n) > fits {
			return r.tooMuch(st, limit)
		}
		switch {
		case errors.Is(err, io.EOF):
			return r.ended(st)
		case err != nil:
			return st.fail(err)
		}
	}
	return nil
}

// pageAtFirst is the error for a page that came before anything of the file. What is noted
// is the page's size and mark: the file's own answer would be refused by them, and a link
// that is good once be used up.
func (r *run) pageAtFirst(contentType string) error {
	r.note.Total, r.note.Mark, r.note.Type = unknown, mark{}, ""
	return aPage(contentType)
}

// limit is the most bytes the part file may have with this stream.
func (r *run) limit(st *stream) int64 {
	switch {
	case st.end != unknown:
		return st.end
	case r.total() != unknown:
		return r.total()
	}
	return r.cfg.MaxSize
}

// tooMuch decides about a stream that brings more than limit. The surplus is not
// written. When the digest was declared, it shows whether the rest is the bundle.
func (r *run) tooMuch(st *stream, limit int64) error {
	if st.check != nil {
		if err := st.check(); err != nil {
			return err // a local file grew
		}
	}
	if st.end != unknown {
		return unusable(malformedAnswer, "the server sent more than it announced")
	}
	if r.declared() == unknown {
		return outlined(wrongSize, refused(steps.SizeMismatch, sizeHint(st.contentType, r.says.file), "%s has more than the %d bytes this device takes", r.says.file, limit))
	}
	r.event(surplus, fmt.Sprintf("at byte %d", limit))
	r.over, r.note.Total = true, limit
	return nil
}

// ended judges the end of the stream.
func (r *run) ended(st *stream) error {
	switch total := r.total(); {
	case st.end != unknown && r.sink.offset == st.end:
		return nil
	case st.end != unknown:
		return st.fail(io.ErrUnexpectedEOF)
	case total == unknown && r.sink.offset == 0:
		return told(wrongSize, refused(steps.SizeMismatch, sizeHint(st.contentType, r.says.file), "%s is empty", r.says.file))
	case total == unknown || r.sink.offset == total:
		r.note.Total = r.sink.offset
		return nil
	case !st.marked && r.cutAt != r.sink.offset:
		// Without a length or chunks, a cut connection looks like the end of the
		// file. When the stream ends in the same place a second time, it is the end.
		r.cutAt = r.sink.offset
		return &outage{what: connectionLost, err: fmt.Errorf("the connection ended after %d of %d bytes", r.sink.offset, total)}
	default:
		return told(cutShort, refused(steps.SizeMismatch, sizeHint(st.contentType, r.says.file), "%s has %d bytes, %d were declared", r.says.file, r.sink.offset, total))
	}
}

// missing is how many bytes are still to come, or unknown.
func (r *run) missing() int64 {
	total := r.total()
	if total == unknown {
		return unknown
	}
	return total - r.sink.offset
}

// advance writes p, and a checkpoint when one is due.
func (r *run) advance(p []byte) error {
	if err := r.grow(int64(len(p)), r.missing); err != nil {
		return err
	}
	if err := r.sink.write(p); err != nil {
		return err
	}
	r.task.Meter.Add(int64(len(p)))
	if r.sink.offset-r.noted >= r.cfg.CheckpointBytes && r.cfg.Clock.Monotonic()-r.notedAt >= r.cfg.CheckpointTime {
		return r.checkpoint()
	}
	return nil
}
