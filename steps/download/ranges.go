package download

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// errEnds: the source ends before the requested bytes.
var errEnds = errors.New("the file ends before that")

// read fills buf with the source's bytes from offset on. It goes on with an open
// request, gaps included; a new request asks for everything up to end.
func (p *partial) read(ctx context.Context, buf []byte, offset, end int64) error {
	if p.st != nil && (p.pos > offset || p.st.end != unknown && p.pos >= p.st.end) {
		p.drop()
	}
	if p.st == nil {
		if err := p.ask(ctx, offset, end); err != nil {
			return err
		}
	}
	for p.pos < offset {
		n := min(int64(len(p.skip())), offset-p.pos)
		if err := p.fill(p.skip()[:n]); err != nil {
			return err
		}
	}
	if p.st.end != unknown && p.st.end-p.pos < int64(len(buf)) {
		// The server may send less than the request asks for: another request
		// fetches the rest.
		n := p.st.end - p.pos
		if n > 0 {
			if err := p.fill(buf[:n]); err != nil {
				return err
			}
		}
		if p.st.total != unknown && p.pos >= p.st.total {
			return errEnds
		}
		p.drop()
		return p.read(ctx, buf[n:], offset+n, end)
	}
	return p.fill(buf)
}

// skip is a buffer for unwanted bytes.
func (p *partial) skip() []byte {
	if p.scrap == nil {
		p.scrap = make([]byte, 32<<10)
	}
	return p.scrap
}

// ask opens a request for the bytes from offset up to end.
func (p *partial) ask(ctx context.Context, offset, end int64) error {
	w := want{
		offset: offset, end: end, declared: p.declared(), total: p.note.Total, max: p.cfg.MaxSize,
		file: p.says.file, mark: p.note.Mark, now: p.cfg.Clock.Now(), cap: p.cfg.Limits.RetryAfterMax,
	}
	if p.unranged {
		w.offset, w.end = 0, unknown
	}
	st, err := p.src.open(ctx, w)
	if err != nil {
		return err
	}
	p.st, p.pos = st, st.offset
	if st.event == fileChanged {
		return &fault{what: fileChanged, restart: true, err: errors.New("there is another file than before")}
	}
	if st.total != unknown {
		p.note.Total = st.total
	}
	if st.mark != (mark{}) {
		p.note.Mark = st.mark
	}
	p.contentType = st.contentType
	if st.offset < w.offset || st.whole && w.end != unknown {
		// The source has no ranges, so another plan is needed.
		p.event(rangeIgnored, fmt.Sprintf("at byte %d", offset))
		p.unranged = true
		if len(p.parts.Pieces) > 0 {
			return errAmended
		}
	}
	return nil
}

// fill reads exactly buf from the open request.
func (p *partial) fill(buf []byte) error {
	n, err := io.ReadFull(p.st.body, buf)
	p.pos += int64(n)
	p.note.Received += int64(n)
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		if p.st.end == unknown && p.st.marked || p.st.end != unknown && p.pos >= p.st.end {
			return errEnds
		}
		err = io.ErrUnexpectedEOF
	}
	return p.st.fail(err)
}
