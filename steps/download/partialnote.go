package download

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// partialNote is the checkpoint: on disk are the first At pieces, and the first Within
// bytes of the next piece. Sum is the hash's state after these bytes.
type partialNote struct {
	Key    string `json:"key"`
	At     int    `json:"at"`
	Within int64  `json:"within"`
	Sum    []byte `json:"sum,omitempty"`
}

// possible reports whether a run can have come as far as the note says. A note is read
// from a file on the shelf, too, which anything may have damaged.
func (n *partialNote) possible(pieces []bundle.Piece) bool {
	switch {
	case n.At < 0 || n.At > len(pieces) || n.Within < 0:
		return false
	case n.At == len(pieces):
		return n.Within == 0
	}
	return n.Within <= pieces[n.At].Length
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

// resumeAt finds out which pieces are there: those that this process or the note has
// recorded, and those whose digests are right. They are not fetched again.
func (p *partial) resumeAt(ctx context.Context, planned string) error {
	if p.sum != nil && p.key == planned {
		return nil // another attempt of the same process
	}
	p.key = planned
	p.at, p.within, p.sum = 0, 0, sha256.New()
	n := p.note.Partial
	if n != nil && n.Key == p.key && n.possible(p.parts.Pieces) && (n.Within == 0 || restore(p.sum, n.Sum) == nil) {
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

// sofar returns how many bytes of the pieces are there.
func (p *partial) sofar() int64 {
	n := p.within
	for i, have := range p.have {
		if have {
			n += p.parts.Pieces[i].Length
		}
	}
	return n
}

// missing returns how many bytes of the pieces have still to be fetched.
func (p *partial) missing() int64 {
	n := -p.sofar()
	for _, piece := range p.parts.Pieces {
		n += piece.Length
	}
	return n
}

// there reads a piece's place in the file, and reports whether the piece is there.
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
	return piece.Is(sum.Sum(nil)), nil
}

// due makes a checkpoint when it is time for one.
func (p *partial) due() error {
	if p.unsynced < p.cfg.CheckpointBytes || p.cfg.Clock.Monotonic()-p.notedAt < p.cfg.CheckpointTime {
		return nil
	}
	return p.checkpointNow()
}

// checkpointNow makes the bytes so far durable, and then the note that covers them.
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
	// If the power goes here, the earlier note is on disk, and it is still true.
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
	return p.save(p.sofar(), states{})
}

// keep saves the last bytes of a download that is stopped, as far as that is possible.
func (p *partial) keep() {
	var err error
	switch {
	case p.f != nil && p.unsynced >= worthwhile:
		err = p.checkpointNow()
	case p.note.Single:
		err = p.save(p.noted, states{})
	}
	if err != nil {
		p.cfg.Log.Warn("cannot keep the download's last bytes", "update", p.task.Update, "error", err)
	}
}
