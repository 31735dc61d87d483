package download

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
)

// take writes a stream to the part file. It returns true when the file is complete.
func (r *run) take(ctx context.Context, st *stream) (bool, error) {
	if st.event != "" {
		r.event(st.event, fmt.Sprintf("at byte %d", r.sink.offset))
		if err := r.restart(); err != nil {
			return false, err
		}
	}
	r.note.Total = st.total
	if st.offset > 0 {
		// The mark stays: an answer to If-Range need not repeat it.
		r.note.Resumed++
		r.note.ResumedBytes += st.offset
	} else {
		r.note.Mark, r.contentType = st.mark, st.contentType
	}
	if err := r.preflight(); err != nil {
		return false, err
	}
	r.task.Meter.SetNote("")
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
	return st.total == unknown || r.sink.offset == st.total, nil
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
		if int64(n) > limit-r.sink.offset {
			return r.tooMuch(st, limit)
		}
		if n > 0 {
			if err := r.advance(r.buf[:n]); err != nil {
				return err
			}
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

// tooMuch returns the error for a stream that brings more than limit; the surplus is
// not written.
func (r *run) tooMuch(st *stream, limit int64) error {
	if st.check != nil {
		if err := st.check(); err != nil {
			return err // a local file grew
		}
	}
	if st.end != unknown {
		return &fault{what: malformedAnswer, err: errors.New("the server sent more than it announced")}
	}
	if r.declared() == unknown {
		return refused(steps.SizeMismatch, pageHint(st.contentType), "%s has more than the %d bytes this device takes", r.says.file, limit)
	}
	return refused(steps.SizeMismatch, pageHint(st.contentType), "%s has more than the %d bytes declared", r.says.file, limit)
}

// ended judges the end of the stream.
func (r *run) ended(st *stream) error {
	switch total := r.total(); {
	case st.end != unknown && r.sink.offset == st.end:
		return nil
	case st.end != unknown:
		return st.fail(io.ErrUnexpectedEOF)
	case total == unknown && r.sink.offset == 0:
		return refused(steps.SizeMismatch, pageHint(st.contentType), "%s is empty", r.says.file)
	case total == unknown || r.sink.offset == total:
		r.note.Total = r.sink.offset
		return nil
	case !st.marked && r.cutAt != r.sink.offset:
		// Without a length or chunks, a cut connection looks like the end of the
		// file. When the stream ends in the same place a second time, it is the end.
		r.cutAt = r.sink.offset
		return &outage{what: connectionLost, err: fmt.Errorf("the connection ended after %d of %d bytes", r.sink.offset, total)}
	default:
		return refused(steps.SizeMismatch, pageHint(st.contentType), "%s has %d bytes, %d were declared", r.says.file, r.sink.offset, total)
	}
}

// advance writes p, and a checkpoint when one is due.
func (r *run) advance(p []byte) error {
	if err := r.sink.write(p); err != nil {
		return err
	}
	r.task.Meter.Add(int64(len(p)))
	if r.sink.offset-r.noted >= r.cfg.CheckpointBytes && r.cfg.Clock.Monotonic()-r.notedAt >= r.cfg.CheckpointTime {
		return r.checkpoint()
	}
	return nil
}

// preflight asks for room for the bytes that are still missing.
func (r *run) preflight() error {
	total := r.total()
	if total == unknown {
		return nil
	}
	return r.roomFor(total - r.sink.offset)
}

// roomFor asks for room for missing more bytes.
func (r *run) roomFor(missing int64) error {
	need := uint64(missing) + r.cfg.Reserve //nolint:gosec // checked: not negative
	if err := r.cfg.Preflight(r.task.WorkDir, need, 0); err != nil {
		e := steps.AsError(steps.FromOS(err, "cannot keep the bundle"))
		if disk.OutOfSpace(err) {
			e.Code, e.Hint = steps.DiskFull, "free some space there and try again"
		}
		return e
	}
	return nil
}
