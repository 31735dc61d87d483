package download

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// Partial is a bundle format of which only parts are fetched. The head is
// fetched first; Plan judges it and names the pieces that are needed.
type Partial interface {
	// Match reports whether a file that begins with these 512 bytes is of the format.
	Match(begin []byte) bool
	// HeadSize returns how many bytes of the file's beginning are needed next. done
	// says that these bytes are the whole head.
	HeadSize(begin []byte) (need int64, done bool, err error)
	// Plan refuses the bundle, or lists the pieces to fetch; its decision is durable
	// when it returns. ranged says whether the source can be read in pieces.
	Plan(ctx context.Context, t *steps.Task, begin []byte, ranged bool) (bundle.Parts, error)
	// Lack notes that contents cannot be made as planned; the next Plan takes them
	// from other pieces. Amended tells the format that the step has this new plan.
	Lack(t *steps.Task, contents []string) error
	Amended(t *steps.Task) error
}

// probeSize is how many bytes are fetched to find out a file's format.
const probeSize = 512

// mergeGap is how many unwanted bytes are read to save a request, which costs
// about as much in headers.
const mergeGap = 1 << 10

// partial is the download of the parts of a bundle: the part file is the bundle
// with holes.
type partial struct {
	*run
	f     *os.File
	begin []byte
	parts bundle.Parts
	key   string // of the list of pieces
	// at is the piece being fetched, within the number of its bytes that are there,
	// and sum their hash.
	at     int
	have   []bool
	within int64
	sum    hash.Hash
	// unranged says that the source sends everything from the beginning.
	unranged bool
	twice    map[int64]bool // pieces that were wrong once
	got      int64
	unsynced int64
	linked   bool
	// found says that the head was on disk, and that it has not been judged yet.
	found bool

	st    *stream
	pos   int64 // of the next byte of st
	scrap []byte
}

// partially brings a bundle of the partial format; it returns false for other bundles.
func (r *run) partially(ctx context.Context) (bool, error) {
	if r.cfg.Partial == nil || r.task.Source.MD5 != "" {
		return false, nil
	}
	p := &partial{run: r, twice: map[int64]bool{}}
	defer p.close()
	known, ours, err := p.onDisk()
	if err != nil || known && !ours {
		return false, err
	}
	if r.src, err = newOrigin(r.cfg, r.task.Source.URL); err != nil {
		return false, err
	}
	r.position, r.startOver = func() int64 { return p.got }, p.restart
	defer func() { r.position, r.startOver = nil, nil }()
	for {
		is, err := p.all(ctx)
		if err == nil || ctx.Err() != nil {
			if err != nil {
				p.keep()
			}
			return is, err
		}
		p.drop()
		if err := r.endure(ctx, err); err != nil {
			return true, err
		}
	}
}

func (p *partial) close() {
	p.drop()
	if p.f != nil {
		_ = p.f.Close() // everything that matters was synced
	}
}

func (p *partial) drop() {
	if p.st != nil {
		_ = p.st.body.Close() // only read
		p.st = nil
	}
}

// onDisk looks for the file of an earlier run. known says that the file shows its
// format, and ours that this is the partial format.
func (p *partial) onDisk() (known, ours bool, err error) {
	for _, name := range []string{bundle.FileName, PartFile} {
		path := filepath.Join(p.task.WorkDir, name)
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, false, steps.FromOS(err, "cannot read the download")
		}
		begin := make([]byte, probeSize)
		n, err := f.ReadAt(begin, 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, false, steps.FromOS(errors.Join(err, f.Close()), "cannot read the download")
		}
		if n < probeSize || !p.cfg.Partial.Match(begin) {
			if err := f.Close(); err != nil {
				return false, false, steps.FromOS(err, "cannot read the download")
			}
			if name == PartFile && (p.note.Offset == 0 || p.note.Partial != nil) {
				// These bytes may be the rest of a head after a power cut, so they do not
				// tell the format. The source does.
				continue
			}
			// If the file has any bytes, they are the beginning of a legacy package.
			return n > 0, false, nil
		}
		p.f, p.begin, p.found = f, begin, true
		if name == bundle.FileName {
			// More of the bundle has to be fetched, so the file gets the part file's name
			// again. If the power goes, it has one name or the other, and is found under
			// both.
			err = os.Rename(path, filepath.Join(p.task.WorkDir, PartFile))
		}
		return true, true, steps.FromOS(err, "cannot go on with the bundle")
	}
	return false, false, nil
}

// all brings every piece. It returns false when the source has another format.
func (p *partial) all(ctx context.Context) (bool, error) {
	is, err := p.once(ctx)
	var judged *steps.Error
	if !p.found || !errors.As(err, &judged) || judged.Class != steps.Refused {
		return is, err
	}
	// A head from before a power cut was perhaps never synced, and may have any
	// bytes: only a head that the server sends now can refuse the bundle.
	p.event(lostCheckpoint, err.Error())
	if err := p.restart(); err != nil {
		return true, err
	}
	return p.once(ctx)
}

func (p *partial) once(ctx context.Context) (bool, error) {
	if err := p.head(ctx); err != nil {
		if errors.Is(err, errOtherFormat) {
			return false, nil
		}
		return true, err
	}
	for {
		err := p.payload(ctx)
		if !errors.Is(err, errAmended) {
			return true, err
		}
	}
}

var (
	errOtherFormat = errors.New("it is of another format")
	// errAmended asks for the plan to be made again.
	errAmended = errors.New("the plan has to be amended")
)

// head brings the head and opens the part file. A whole head on disk is used as it is.
func (p *partial) head(ctx context.Context) error {
	for {
		need, done, err := int64(probeSize), false, error(nil)
		if len(p.begin) > 0 {
			need, done, err = p.cfg.Partial.HeadSize(p.begin)
		}
		if err != nil {
			return err
		}
		if done {
			p.begin = p.begin[:need]
			return p.openPart()
		}
		if p.f != nil { // a disk with the beginning may have the whole head
			begin := make([]byte, need)
			if _, err := p.f.ReadAt(begin, 0); err == nil {
				p.begin = begin
				continue
			}
			_ = p.f.Close() // the file is not kept
			p.f, p.begin, p.found = nil, nil, false
			continue
		}
		more := make([]byte, need-int64(len(p.begin)))
		if err := p.read(ctx, more, int64(len(p.begin)), need); err != nil {
			var final *steps.Error
			if len(p.begin) == 0 && (errors.As(err, &final) || errors.Is(err, errEnds)) {
				return errOtherFormat // the plain download reports the error
			}
			if errors.Is(err, errEnds) {
				return refused(steps.InvalidPackage, "check what was published: it is not a whole bundle", "it ends within its head, which has %d bytes or more", need)
			}
			return err
		}
		first := len(p.begin) == 0
		p.begin = append(p.begin, more...)
		if first && !p.cfg.Partial.Match(p.begin) {
			return errOtherFormat
		}
	}
}

// openPart makes the part file that begins with the head. A head on disk was written by
// an earlier run, and is judged again like a new one.
func (p *partial) openPart() error {
	if p.f != nil {
		return nil
	}
	// The note is emptied first, so that it never covers bytes that are not there.
	if p.note.Partial != nil {
		p.note.Partial = nil
		if err := p.save(0, nil); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(filepath.Join(p.task.WorkDir, PartFile), os.O_RDWR|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return steps.FromOS(err, "cannot write the download")
	}
	p.f = f
	// If the power goes before the next sync: any part of the head is on disk, with
	// zeros between. The signature shows that the head is not whole, and it is
	// fetched again.
	if _, err := f.WriteAt(p.begin, 0); err != nil {
		return steps.FromOS(err, "cannot write the download")
	}
	return nil
}

// payload fetches the pieces that the plan names, and publishes the file.
func (p *partial) payload(ctx context.Context) error {
	parts, err := p.cfg.Partial.Plan(ctx, p.task, p.begin, !p.unranged)
	if err != nil {
		return err
	}
	p.found = false
	if total := p.total(); total >= 0 && total != parts.Total {
		return refused(steps.SizeMismatch, "", "%s has %d bytes, and the signed list makes %d", p.says.file, total, parts.Total)
	}
	p.parts = parts
	if err := p.resumeAt(ctx, keyOf(parts)); err != nil {
		return err
	}
	if err := p.cfg.Partial.Amended(p.task); err != nil {
		return err
	}
	if err := p.roomFor(p.missing()); err != nil {
		return err
	}
	p.show()
	for ; p.at < len(p.parts.Pieces); p.at++ {
		if p.have[p.at] {
			continue
		}
		if err := p.piece(ctx); err != nil {
			return err
		}
	}
	p.drop()
	return p.publish()
}

// show sets the meter, which counts the planned pieces without the gaps.
func (p *partial) show() {
	done := p.parts.Head + p.sofar()
	p.task.Meter.SetNote("")
	p.task.Meter.Set(done, done+p.missing())
}

// piece fetches the rest of one piece and compares its digest.
func (p *partial) piece(ctx context.Context) error {
	piece := p.parts.Pieces[p.at]
	for p.within < piece.Length {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		buf := p.buf[:min(int64(len(p.buf)), piece.Length-p.within)]
		if err := p.read(ctx, buf, piece.Offset+p.within, p.requestEnd()); err != nil {
			if errors.Is(err, errEnds) {
				err = &fault{what: fileIsShorter, restart: true, err: fmt.Errorf("the file ends within the piece at byte %d", piece.Offset)}
			}
			return err
		}
		if _, err := p.f.WriteAt(buf, piece.Offset+p.within); err != nil {
			return steps.FromOS(err, "cannot write the download")
		}
		p.sum.Write(buf)
		p.within += int64(len(buf))
		p.got += int64(len(buf))
		p.unsynced += int64(len(buf))
		p.task.Meter.Add(int64(len(buf)))
		if err := p.due(); err != nil {
			return err
		}
	}
	if !piece.Is(p.sum.Sum(nil)) {
		return p.wrong(piece)
	}
	p.have[p.at], p.within = true, 0
	p.sum.Reset()
	return nil
}

// wrong decides about a piece with other bytes than the signed ones. The piece is
// fetched again once. If it is wrong again, another piece takes its place, or the
// source is refused.
func (p *partial) wrong(piece bundle.Piece) error {
	p.within = 0
	p.sum.Reset()
	if p.noted != 0 { // the note must not cover bytes that are fetched anew
		if err := p.checkpointNow(); err != nil {
			return err
		}
	}
	if !p.twice[piece.Offset] {
		p.twice[piece.Offset] = true
		return &fault{what: wrongPiece, err: fmt.Errorf("the bytes from %d on are not what was signed", piece.Offset)}
	}
	p.event(wrongPiece, fmt.Sprintf("at byte %d, again", piece.Offset))
	if piece.Spare {
		if err := p.cfg.Partial.Lack(p.task, []string{piece.Content}); err != nil {
			return err
		}
		return errAmended
	}
	return refused(steps.InvalidPackage, "check what was published, and what is between it and this device",
		"the %d bytes from %d on are not what was signed", piece.Length, piece.Offset)
}

// requestEnd is where a request from the present position on should end: after the last
// piece in a row of pieces that are close enough to each other.
func (p *partial) requestEnd() int64 {
	end := p.parts.Pieces[p.at].End()
	for i := p.at + 1; i < len(p.have); i++ {
		next := p.parts.Pieces[i]
		if p.have[i] || next.Offset-end > mergeGap {
			break
		}
		end = next.End()
	}
	return end
}
