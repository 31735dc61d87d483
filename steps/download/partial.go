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
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/source"
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
	// Others says why the device takes no file of another format: one of size bytes that
	// begins with begin, which has 512 bytes. nil lets it be fetched.
	// Without begin it is asked whether the device takes any.
	Others(begin []byte, size int64) error
	// Admit says by a whole head why the device does not take a bundle of the format, or
	// which release it is of, and which key of the device has signed that; "" for none.
	Admit(head []byte) (r steps.Release, by string, err error)
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
	at       int
	have     []bool
	within   int64
	sum      hash.Hash
	twice    map[int64]bool // pieces that were wrong once
	got      int64
	unsynced int64
	linked   bool
	// found says that the head was on disk, and that it has not been judged yet; judged
	// that the device takes the release.
	found, judged bool
	// headed says that the part file begins with the head.
	headed bool
	// answers counts the requests that were answered well.
	answers int
	// other says that the source has another format, or is fetched whole for its digest.
	other bool
	// unname says that the part file has the bundle's name still.
	unname bool
	// asks says that only the format is asked for: see partially.
	asks bool
	// doubt says that the source seems to have another bundle than the one begun.
	doubt bool

	st    *stream
	pos   int64 // of the next byte of st
	scrap []byte
}

// partially brings a bundle of the partial format; it returns false for other bundles.
//
// A bundle with a declared MD5 is fetched whole, without being asked for its format. On a
// device that takes no other format, and for an offer that only a head can meet, it is
// asked first: its first bytes, or its head, tell what all of it would.
//
// A declared SHA-256 is the whole file's, too. The parts of a bundle do not have it, but
// the signature of its head, and the digests in that, say more than who declares a digest
// can know. So a release that a key of this device has signed is fetched in parts all the
// same, and one that nobody has signed is fetched whole and compared (see vouched).
func (r *run) partially(ctx context.Context) (bool, error) {
	if r.cfg.Partial == nil {
		return false, nil
	}
	closed := r.cfg.Partial.Others(nil, unknown) != nil
	p := &partial{run: r, twice: map[int64]bool{}, asks: r.task.Source.MD5 != ""}
	if p.asks && !closed && !p.pinned() {
		return false, nil
	}
	defer p.close()
	known, ours, err := p.onDisk(closed)
	if err != nil || known && (!ours || p.asks) {
		return false, err
	}
	k, err := (shelf{r.cfg.Shelf}).look()
	if err != nil {
		r.cfg.Log.Warn("cannot look for an earlier download", "update", r.task.Update, "error", err)
	}
	p.oneUse = r.note.Single || k != nil && k.Single || !closed && plainly(r.task.Source.URL)
	p.single = p.oneUse
	err = r.fetch(ctx, p)
	if err != nil {
		p.keep()
	}
	return !p.other, err
}

// plainly reports whether a bundle's name tells that it is a package, which is fetched
// in one request.
func plainly(from source.URL) bool {
	at, err := from.Parse()
	return err == nil && strings.HasSuffix(strings.ToLower(at.Place), ".zip")
}

func (p *partial) position() int64 { return p.got }

func (p *partial) begun() bool { return p.judged }

// refused notes that a link which has answered one request has refused the next.
func (p *partial) refused() {
	if p.answers == 1 && len(p.begin) > 0 {
		p.note.Single = true
	}
}

// turn makes the next attempt go by a believed answer.
func (p *partial) turn(s *strange) error {
	switch {
	case s.unranged:
		p.single = true
	case p.judged:
		p.doubt = true
	default:
		p.begin, p.note.Total, p.note.Mark = nil, unknown, mark{}
	}
	return nil
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
// format, and ours that this is the partial format. closed says that the device takes no
// other.
func (p *partial) onDisk(closed bool) (known, ours bool, err error) {
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
			if n < probeSize && closed {
				continue // too few to tell: the source does
			}
			// If the file has any bytes, they are the beginning of a legacy package. It was
			// begun when the device took such.
			if closed {
				return true, false, p.cfg.Partial.Others(begin, max(p.total(), probeSize))
			}
			if n == probeSize {
				return true, false, p.fitsOffer()
			}
			return n > 0, false, nil
		}
		if p.asks {
			return true, true, steps.FromOS(f.Close(), "cannot read the download")
		}
		p.f, p.begin, p.found, p.headed = f, begin, true, true
		p.unname = name == bundle.FileName
		return true, true, nil
	}
	return false, false, nil
}

// once makes one attempt to bring every piece. It ends well, with other set, when the
// source has another format.
func (p *partial) once(ctx context.Context) error {
	defer p.drop()
	err := p.all(ctx)
	var judged *steps.Error
	var odd *strange
	if !p.found || !errors.As(err, &judged) || errors.As(err, &odd) || judged.Class != steps.Refused {
		return err
	}
	// A head from before a power cut was perhaps never synced, and may have any
	// bytes: only a head that the server sends now can refuse the bundle.
	p.event(lostCheckpoint, err.Error())
	p.found, p.headed, p.begin = false, false, nil
	return p.all(ctx)
}

func (p *partial) all(ctx context.Context) error {
	if p.doubt {
		if err := p.look(ctx); err != nil {
			return err
		}
	}
	if err := p.head(ctx); p.other || err != nil {
		return err
	}
	for again := true; again; {
		var err error
		if again, err = p.payload(ctx); err != nil {
			return err
		}
	}
	return nil
}

// payload fetches the pieces that the plan names, and publishes the file. It returns
// true when another piece has to take the place of one, so that a new plan is needed.
func (p *partial) payload(ctx context.Context) (again bool, err error) {
	// Pieces that are here stay in the plan, also when the source has no ranges.
	ranged := !p.single || p.sofar() > 0
	parts, err := p.cfg.Partial.Plan(ctx, p.task, p.begin, ranged)
	if short := steps.AsError(err); err != nil && short.Code == steps.DiskFull && p.clearShelf() {
		parts, err = p.cfg.Partial.Plan(ctx, p.task, p.begin, ranged)
	}
	if err != nil {
		return false, err
	}
	if err := p.signed(parts.Release, parts.Wire.SignedBy); err != nil {
		return false, err // a key was taken away meanwhile
	}
	if err := p.reopen(); err != nil {
		return false, err
	}
	p.found, p.judged = false, true
	p.clearShelf() // this is a release that the device takes, and its part is not there any more
	if total := p.total(); total >= 0 && total != parts.Total {
		return false, refused(steps.SizeMismatch, "check what was published: something was cut off, or put behind it", "%s has %d bytes, and the signed list makes %d", p.says.file, total, parts.Total)
	}
	p.parts, p.note.Total = parts, parts.Total
	if err := p.resumeAt(ctx, keyOf(parts)); err != nil {
		return false, err
	}
	if err := p.cfg.Partial.Amended(p.task); err != nil {
		return false, err
	}
	if err := p.roomFor(p.missing()); err != nil {
		return false, err
	}
	p.show()
	for ; p.at < len(p.parts.Pieces); p.at++ {
		if p.have[p.at] {
			continue
		}
		if again, err := p.piece(ctx); again || err != nil {
			return again, err
		}
	}
	p.drop()
	return false, p.publish()
}

// show sets the meter, which counts the planned pieces without the gaps.
func (p *partial) show() {
	done := p.parts.Head + p.sofar()
	p.task.Meter.Set(done, done+p.missing())
}

// piece fetches the rest of one piece and compares its digest. It returns true when
// another piece has to take its place.
func (p *partial) piece(ctx context.Context) (again bool, err error) {
	piece := p.parts.Pieces[p.at]
	for p.within < piece.Length {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		buf := p.buf[:min(int64(len(p.buf)), piece.Length-p.within)]
		n, err := p.read(ctx, buf, piece.Offset+p.within, p.requestEnd())
		if werr := p.write(buf[:n], piece.Offset+p.within); werr != nil {
			return false, werr
		}
		switch {
		case err != nil:
			return false, err
		case n < len(buf) && p.local():
			return false, shrunk()
		case n < len(buf):
			return false, elsewhere(fileIsShorter, "the file ends within the piece at byte %d", piece.Offset)
		}
	}
	if !piece.Is(p.sum.Sum(nil)) {
		return p.wrong(piece)
	}
	p.have[p.at], p.within = true, 0
	p.sum.Reset()
	return false, nil
}

// write puts bytes of the present piece into their place.
func (p *partial) write(b []byte, at int64) error {
	if len(b) == 0 {
		return nil
	}
	if err := p.grow(int64(len(b)), p.missing); err != nil {
		return err
	}
	if _, err := p.f.WriteAt(b, at); err != nil {
		return steps.FromOS(err, "cannot write the download")
	}
	p.sum.Write(b)
	n := int64(len(b))
	p.within, p.got, p.unsynced = p.within+n, p.got+n, p.unsynced+n
	p.task.Meter.Go()
	p.task.Meter.Add(n)
	return p.due()
}

// wrong decides about a piece with other bytes than the signed ones. The piece is
// fetched again once. If it is wrong again, another piece takes its place, or the
// source is refused.
func (p *partial) wrong(piece bundle.Piece) (again bool, err error) {
	p.within = 0
	p.sum.Reset()
	if p.noted != 0 { // the note must not cover bytes that are fetched anew
		if err := p.checkpointNow(); err != nil {
			return false, err
		}
	}
	if !p.twice[piece.Offset] {
		p.twice[piece.Offset] = true
		p.doubt = true // perhaps they are those of another bundle
		return false, &outage{what: wrongPiece, err: fmt.Errorf("the bytes from %d on are not what was signed", piece.Offset)}
	}
	p.event(wrongPiece, fmt.Sprintf("at byte %d, again", piece.Offset))
	if piece.Spare {
		return true, p.cfg.Partial.Lack(p.task, []string{piece.Content})
	}
	return false, refused(steps.InvalidPackage, "check what was published, and what is between it and this device",
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
