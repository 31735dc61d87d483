package download

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// read fills buf with the source's bytes from offset on, and returns how many there are:
// fewer than asked for when the file ends before, and, with an error, those that came
// before it. It goes on with an open request, gaps included; a new request asks for
// everything up to end.
func (p *partial) read(ctx context.Context, buf []byte, offset, end int64) (int, error) {
	got := 0
	for got < len(buf) {
		at := offset + int64(got)
		if p.st != nil && (p.pos > at || p.st.end != unknown && p.pos >= p.st.end) {
			p.drop()
		}
		if p.st == nil {
			if p.note.Total >= 0 && at >= p.note.Total {
				return got, nil
			}
			if err := p.ask(ctx, at, end); err != nil {
				return got, err
			}
		}
		for p.pos < at {
			if ended, err := p.skip(at); ended || err != nil {
				return got, err
			}
		}
		// The server may send less than the request asks for: another request fetches
		// the rest.
		most := len(buf)
		if p.st.end != unknown {
			most = min(most, got+int(min(p.st.end-p.pos, int64(len(buf)))))
		}
		n, ended, err := p.fill(buf[got:most])
		got += n
		if ended || err != nil {
			return got, err
		}
	}
	return got, nil
}

// skip reads unwanted bytes, at most up to offset at. The first ones are the head's: they
// show whether the file is still the same.
func (p *partial) skip(at int64) (ended bool, err error) {
	if p.scrap == nil {
		p.scrap = make([]byte, 32<<10)
	}
	from, most := p.pos, min(int64(len(p.scrap)), at-p.pos)
	if from < int64(len(p.begin)) {
		most = min(most, int64(len(p.begin))-from)
	}
	n, ended, err := p.fill(p.scrap[:most])
	if from < int64(len(p.begin)) && !bytes.HasPrefix(p.begin[from:], p.scrap[:n]) {
		p.single = p.oneUse // that was not the file, so it does not show that the source has no ranges
		if from == 0 && looksLikePage(p.scrap[:n], p.st.contentType) {
			return false, aPage(p.st.contentType)
		}
		return false, elsewhere(fileChanged, "the file begins with other bytes than before")
	}
	return ended, err
}

// ask opens a request for the bytes from offset up to end.
func (p *partial) ask(ctx context.Context, offset, end int64) error {
	w := want{
		offset: offset, end: end, declared: p.declared(), total: p.note.Total, max: p.cfg.MaxSize,
		file: p.says.file, mark: p.note.Mark, kind: p.note.Type, begun: len(p.begin) > 0, now: p.cfg.Clock.Now(), cap: p.cfg.Limits.RetryAfterMax,
	}
	if p.judged {
		// Each piece has its digest, and a file may have another mark on each server.
		w.mark = mark{}
	}
	if p.single {
		w.offset, w.end = 0, unknown
	}
	st, err := p.src.open(ctx, w)
	if err != nil {
		return err
	}
	switch {
	case st.event == fileChanged && p.judged: // a local file, which ends before the piece
		err = shrunk()
	case st.event == fileChanged: // a local file
		s := elsewhere(fileChanged, "there is another file than before")
		s.enough = 1
		err = s
	case st.whole && !p.single && len(p.begin) == 0:
		p.event(rangeIgnored, "at its beginning")
		p.single = true // nothing is lost by going on with this answer
	case st.whole && !p.single:
		err = withoutRanges("the server answered with the whole file to a request from byte %d on", offset)
	}
	if err != nil {
		_ = st.body.Close() // not used
		return err
	}
	p.st, p.pos = st, st.offset
	p.answers++
	if st.total != unknown {
		p.note.Total = st.total
	}
	if st.mark != (mark{}) {
		p.note.Mark = st.mark
	}
	p.note.Type = st.contentType
	return nil
}

// fill reads exactly buf from the open request, and says how many bytes have come. ended
// says that the file ends before.
func (p *partial) fill(buf []byte) (n int, ended bool, err error) {
	n, err = io.ReadFull(p.st.body, buf)
	p.pos += int64(n)
	p.note.Received += int64(n)
	if err == nil {
		return n, false, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		if p.st.end == unknown && p.st.marked || p.st.end != unknown && p.pos >= p.st.end {
			return n, true, nil
		}
		err = io.ErrUnexpectedEOF
	}
	return n, false, p.st.fail(err)
}
