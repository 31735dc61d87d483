package download

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// Partial is a bundle format of which only parts are fetched. The head is
// fetched first; Plan judges it and names the pieces that are needed.
type Partial interface {
	// Match reports whether a file that begins with these 512 bytes is of the format.
	Match(begin []byte) bool
	// HeadSize tells how many bytes from the beginning must be there to know more.
	HeadSize(begin []byte) (need int64, done bool, err error)
	// Plan refuses the bundle, or says what to fetch; what it decided is durable
	// when it returns. ranged says whether the source can be read in pieces.
	Plan(ctx context.Context, t *steps.Task, begin []byte, ranged bool) (bundle.Parts, error)
	// Lack notes that contents cannot be made as planned; the next Plan has
	// something else in their place. Amended says that such a plan is known.
	Lack(t *steps.Task, contents []string) error
	Amended(t *steps.Task) error
}

// probeSize is how much is asked for to learn what a file is.
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
	key   string // of the pieces
	// at is the piece being fetched, within how much of it is there, sum its hash.
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
	// found says that the head was on disk, and that nobody has judged it yet.
	found bool

	st    *stream
	pos   int64 // of the next byte of st
	scrap []byte
}

// partialNote is the checkpoint: the first At pieces are on disk, and the first
// Within bytes of the next, after which Sum is the hash's state.
type partialNote struct {
	Key    string `json:"key"`
	At     int    `json:"at"`
	Within int64  `json:"within"`
	Sum    []byte `json:"sum,omitempty"`
}

// partially is true when the bundle is of a partial format and was brought.
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
	if r.src, err = newSource(r.cfg, r.task.Source.URL); err != nil {
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
		_ = p.f.Close() // what matters was synced
	}
}

func (p *partial) drop() {
	if p.st != nil {
		_ = p.st.body.Close() // only read
		p.st = nil
	}
}

// onDisk looks at what an earlier run has left. known: there is something that
// tells the format; ours: it is the partial one.
func (p *partial) onDisk() (known, ours bool, err error) {
	for _, name := range []string{steps.BundleFile, PartFile} {
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
				// Nobody vouches for these bytes: they may be what a power cut
				// has left of a head. The source says what it is.
				continue
			}
			// A legacy package grows there, if something does.
			return n > 0, false, nil
		}
		p.f, p.begin, p.found = f, begin, true
		if name == steps.BundleFile {
			// It has to be gone on with, so it is a part again. If the power
			// goes, it has one name or the other, and is found under both.
			err = os.Rename(path, filepath.Join(p.task.WorkDir, PartFile))
		}
		return true, true, steps.FromOS(err, "cannot go on with the bundle")
	}
	return false, false, nil
}

// all brings everything. It is false when the source is of another format.
func (p *partial) all(ctx context.Context) (bool, error) {
	is, err := p.once(ctx)
	var judged *steps.Error
	if !p.found || !errors.As(err, &judged) || judged.Class != steps.Refused {
		return is, err
	}
	// A head from before a power cut was perhaps never synced, and may have any
	// bytes: only what the server sends now refuses the bundle.
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

// head brings the head and opens the part file. What is on disk of one is taken
// if it is whole.
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
		if p.f != nil { // the disk has it, if it has the beginning
			begin := make([]byte, need)
			if _, err := p.f.ReadAt(begin, 0); err == nil {
				p.begin = begin
				continue
			}
			_ = p.f.Close() // nothing of it is kept
			p.f, p.begin, p.found = nil, nil, false
			continue
		}
		more := make([]byte, need-int64(len(p.begin)))
		if err := p.read(ctx, more, int64(len(p.begin)), need); err != nil {
			var final *steps.Error
			if len(p.begin) == 0 && (errors.As(err, &final) || errors.Is(err, errEnds)) {
				return errOtherFormat // whatever is the matter, the plain download says it
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

// openPart makes the part file that begins with the head. A head that is on
// disk was written by an earlier run, and is judged again like any other.
func (p *partial) openPart() error {
	if p.f != nil {
		return nil
	}
	// The note goes first, so that it never speaks of bytes that are not there.
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
	// If the power goes before the next sync: any part of it, zeros between.
	// What is not whole is found out by its signature, and fetched again.
	if _, err := f.WriteAt(p.begin, 0); err != nil {
		return steps.FromOS(err, "cannot write the download")
	}
	return nil
}

// payload fetches what the plan names, and publishes the file.
func (p *partial) payload(ctx context.Context) error {
	parts, err := p.cfg.Partial.Plan(ctx, p.task, p.begin, !p.unranged)
	if err != nil {
		return err
	}
	p.found = false
	if total := p.total(); total >= 0 && total != parts.Total {
		return refused(steps.SizeMismatch, "", "the server's file has %d bytes, and the signed list makes %d", total, parts.Total)
	}
	p.parts = parts
	if err := p.resumeAt(ctx, keyOf(parts)); err != nil {
		return err
	}
	if err := p.cfg.Partial.Amended(p.task); err != nil {
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

// show sets the meter: what is wanted, without the gaps.
func (p *partial) show() {
	total := p.parts.Head
	for _, piece := range p.parts.Pieces {
		total += piece.Length
	}
	p.task.Meter.SetNote("")
	p.task.Meter.Set(p.parts.Head+p.sofar(), total)
}

// keyOf names a list of pieces.
func keyOf(parts bundle.Parts) string {
	sum := sha256.New()
	fmt.Fprintln(sum, parts.Release.Digest)
	for _, p := range parts.Pieces {
		fmt.Fprintln(sum, p.Offset, p.Length, p.SHA256)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// resumeAt finds out which pieces are there: those that this process or the
// note speaks of, and those whose bytes say so. They are not fetched again.
func (p *partial) resumeAt(ctx context.Context, planned string) error {
	if p.sum != nil && p.key == planned {
		return nil // another attempt of the same process
	}
	p.key = planned
	p.at, p.within, p.sum = 0, 0, sha256.New()
	n := p.note.Partial
	if n != nil && n.Key == p.key && n.At <= len(p.parts.Pieces) && (n.Within == 0 || restore(p.sum, n.Sum) == nil) {
		p.at, p.within = n.At, n.Within
	}
	p.have = make([]bool, len(p.parts.Pieces))
	for i := range p.parts.Pieces {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if p.have[i] = i < p.at; p.have[i] || i == p.at && p.within > 0 {
			continue
		}
		var err error
		if p.have[i], err = p.there(p.parts.Pieces[i]); err != nil {
			return err
		}
	}
	if sofar := p.sofar(); sofar > 0 {
		p.note.Resumed++
		p.note.ResumedBytes += sofar
	}
	return nil
}

// sofar is how many bytes of the pieces are there.
func (p *partial) sofar() int64 {
	n := p.within
	for i, have := range p.have {
		if have {
			n += p.parts.Pieces[i].Length
		}
	}
	return n
}

// there reads a piece's place in the file.
func (p *partial) there(piece bundle.Piece) (bool, error) {
	info, err := p.f.Stat()
	if err != nil {
		return false, steps.FromOS(err, "cannot read the download")
	}
	if info.Size() < piece.End() {
		return false, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(p.f, piece.Offset, piece.Length)); err != nil {
		return false, steps.FromOS(err, "cannot read the download")
	}
	return hex.EncodeToString(sum.Sum(nil)) == piece.SHA256, nil
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
	if hex.EncodeToString(p.sum.Sum(nil)) != piece.SHA256 {
		return p.wrong(piece)
	}
	p.have[p.at], p.within = true, 0
	p.sum.Reset()
	return nil
}

// wrong decides about a piece whose bytes are not what was signed: once it is
// fetched again; then something else takes its place, or the source is refused.
func (p *partial) wrong(piece bundle.Piece) error {
	p.within = 0
	p.sum.Reset()
	if p.noted != 0 { // the note must not speak of bytes that are fetched anew
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

// requestEnd is where a request from the present position on should end: behind
// the last piece that is near enough to the one before it.
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

// due makes a checkpoint when one is.
func (p *partial) due() error {
	if p.unsynced < p.cfg.CheckpointBytes || p.cfg.Clock.Monotonic()-p.notedAt < p.cfg.CheckpointTime {
		return nil
	}
	return p.checkpointNow()
}

// checkpointNow makes what is there safe from everything.
func (p *partial) checkpointNow() error {
	if err := datasync(p.f); err != nil {
		return steps.FromOS(err, "cannot sync the download")
	}
	if !p.linked {
		if err := disk.SyncDir(p.task.WorkDir); err != nil {
			return steps.FromOS(err, "cannot sync the download")
		}
		p.linked = true
	}
	// Power lost here: the note before this one, which still holds.
	return p.saveNote()
}

func (p *partial) saveNote() error {
	n := &partialNote{Key: p.key, At: p.at, Within: p.within}
	if p.within > 0 {
		m, ok := p.sum.(encoding.BinaryMarshaler)
		if !ok {
			return fmt.Errorf("cannot save the state of %T", p.sum)
		}
		var err error
		if n.Sum, err = m.MarshalBinary(); err != nil {
			return err
		}
	}
	p.note.Partial = n
	p.unsynced = 0
	return p.save(p.sofar(), nil)
}

// keep saves the last bytes of a download that is stopped, as far as it can.
func (p *partial) keep() {
	if p.f == nil || p.unsynced < worthwhile {
		return
	}
	if err := p.checkpointNow(); err != nil {
		p.cfg.Log.Warn("cannot keep the download's last bytes", "update", p.task.Update, "error", err)
	}
}

// restart forgets everything: what the server has is another file. The note
// goes first, so that it never speaks of bytes that are not there.
func (p *partial) restart() error {
	p.drop()
	p.note.Total, p.note.Mark, p.note.Partial = unknown, mark{}, nil
	if p.noted != 0 {
		if err := p.save(0, nil); err != nil {
			return err
		}
	}
	if p.f != nil {
		_ = p.f.Close() // truncated when it is opened again
		p.f = nil
	}
	p.begin, p.unranged, p.sum, p.found = nil, false, nil, false
	return nil
}

// publish gives the file its size and its name.
func (p *partial) publish() error {
	// The end of the file need not be there; with its size the file says which
	// bundle it is.
	if err := p.f.Truncate(p.parts.Total); err != nil {
		return steps.FromOS(err, "cannot write the download")
	}
	if err := p.f.Sync(); err != nil {
		return steps.FromOS(err, "cannot sync the download")
	}
	// Power lost from here on: all pieces are on disk, at worst under the part
	// file's name and with an older note; they are found by their digests.
	if err := os.Rename(filepath.Join(p.task.WorkDir, PartFile), filepath.Join(p.task.WorkDir, steps.BundleFile)); err != nil {
		return steps.FromOS(err, "cannot name the download")
	}
	if err := disk.SyncDir(p.task.WorkDir); err != nil {
		return steps.FromOS(err, "cannot sync the download")
	}
	p.wire = p.parts.Wire
	p.release = p.parts.Release
	p.fetched = steps.Fetched{Size: p.parts.Total, Digest: p.parts.Release.Digest, At: p.cfg.Clock.Now()}
	return nil
}
