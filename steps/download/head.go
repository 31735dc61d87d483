package download

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// head brings the head and opens the part file. A whole head on disk is used as it is.
// It sets other when the source has another format.
func (p *partial) head(ctx context.Context) error {
	if p.f != nil {
		if err := p.headOnDisk(); err != nil {
			return err
		}
	}
	if err := p.fetchHead(ctx); err != nil || p.other {
		return err
	}
	if p.headed {
		return nil
	}
	return p.openPart()
}

// headOnDisk reads the head from the part file of an earlier run. When the file has not
// all of it, nothing of it is used.
func (p *partial) headOnDisk() error {
	for p.found {
		need, done, err := p.cfg.Partial.HeadSize(p.begin)
		if err != nil || done {
			return err
		}
		begin := make([]byte, need)
		if _, err := p.f.ReadAt(begin, 0); err != nil {
			if !errors.Is(err, io.EOF) {
				return steps.FromOS(err, "cannot read the download")
			}
			p.begin, p.found, p.headed = nil, false, false
			return nil
		}
		p.begin = begin
	}
	return nil
}

// fetchHead fetches what lacks of the head. It sets other when it is of another format.
func (p *partial) fetchHead(ctx context.Context) error {
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
			return p.vouched()
		}
		more := make([]byte, need-int64(len(p.begin)))
		n, err := p.read(ctx, more, int64(len(p.begin)), need)
		if err != nil {
			return err
		}
		first, begin := len(p.begin) == 0, slices.Concat(p.begin, more[:n])
		switch {
		case first && looksLikePage(begin, p.note.Type) && !p.local():
			return p.pageAtFirst(p.note.Type)
		case first && (n < len(more) || !p.cfg.Partial.Match(begin)):
			if err := p.admit(begin); err != nil {
				return err
			}
			p.other = true
			p.handOver(begin)
			p.probed = p.opened == nil
			return nil
		case n < len(more):
			return refused(steps.InvalidPackage, "check what was published: it is not a whole bundle", "it ends within its head, which has %d bytes or more", need)
		}
		p.begin = begin
	}
}

// admit judges a file of another format by its first bytes. A shorter file is all there,
// and is judged like any other bundle: it may be the beginning of one.
func (p *partial) admit(begin []byte) error {
	if len(begin) < probeSize {
		return nil
	}
	if err := p.fitsOffer(); err != nil {
		return err
	}
	return p.cfg.Partial.Others(begin, max(p.total(), probeSize))
}

// vouched judges a whole head by what the source was offered as, and leaves a bundle that
// is to be fetched whole to that. Plan judges the others.
func (p *partial) vouched() error {
	src := p.task.Source
	if !p.asks && !src.Signed && src.SHA256 == "" {
		return nil
	}
	r, by, err := p.cfg.Partial.Admit(p.begin)
	if err != nil {
		return err
	}
	if p.task.Accept != nil {
		if err := p.task.Accept(r); err != nil {
			return err
		}
	}
	if err := p.signed(r, by); err != nil {
		return err
	}
	if !p.asks && by != "" {
		return nil // its signature says more than the file's digest
	}
	for _, name := range []string{bundle.PlanFile, bundle.LackingFile} {
		// They are of parts that a key vouched for, which is not on the device any more. If
		// the power goes, they are found again, before there is a whole bundle.
		if err := ignoreMissing(os.Remove(filepath.Join(p.task.WorkDir, name))); err != nil {
			return steps.FromOS(err, "cannot remove the plan")
		}
	}
	p.other = true
	p.handOver(p.begin)
	p.probed = p.opened == nil && p.answers > 0
	return nil
}

// signed refuses a release for which no key vouches, when only one with a key will do.
func (p *partial) signed(r steps.Release, by string) error {
	return bundle.CheckSigned(p.task, bundle.Release{Version: r.Version, SignedBy: by})
}

// pinned reports whether only a bundle with a head can be what was offered.
func (r *run) pinned() bool { return r.task.Source.Signed || r.task.Source.Digest != "" }

// fitsOffer refuses a file without a head by its first bytes, when it cannot be what was
// offered: nobody can have signed it, and it has no digest of its own.
func (p *partial) fitsOffer() error {
	if err := bundle.CheckSigned(p.task, bundle.Release{}); err != nil {
		return err
	}
	if p.task.Source.Digest == "" {
		return nil
	}
	return refused(steps.OfferMismatch, "check what was published", "%s is not a bundle with a head, and the offer is of release %s", p.says.file, p.task.Source.Digest)
}

// local reports whether the source is a file of this device.
func (p *partial) local() bool { return p.says.file != serversFile }

// handOver leaves the open request to the whole download, when it brings the whole file:
// a link may be good for one request only.
func (p *partial) handOver(begin []byte) {
	st := p.st
	if st == nil || st.offset != 0 || !st.whole && st.end != st.total || st.check != nil {
		return
	}
	p.st, p.opened = nil, st
	st.body = &rejoined{Reader: io.MultiReader(bytes.NewReader(begin), st.body), Closer: st.body}
	p.note.Received -= int64(len(begin)) // counted again when they are read again
}

// rejoined is a body whose first bytes were read already.
type rejoined struct {
	io.Reader
	io.Closer
}

// openPart writes the head to the beginning of the part file. A file that is there stays:
// its pieces are found by their digests.
func (p *partial) openPart() error {
	// The note is emptied first, so that it never covers bytes that are not there.
	if p.note.Partial != nil {
		p.note.Partial = nil
		if err := p.save(0, states{}); err != nil {
			return err
		}
	}
	if err := p.reopen(); err != nil {
		return err
	}
	if p.f == nil {
		p.fromShelf(p.sameHead)
		f, err := os.OpenFile(filepath.Join(p.task.WorkDir, PartFile), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return steps.FromOS(err, "cannot write the download")
		}
		p.f = f
	}
	// If the power goes before the next sync: any part of the head is on disk, with
	// zeros or the bytes of another head between. The signature shows that the head is
	// not whole, and it is fetched again.
	if _, err := p.f.WriteAt(p.begin, 0); err != nil {
		return steps.FromOS(err, "cannot write the download")
	}
	p.headed, p.sum = true, nil // each piece is looked for
	return nil
}

// look compares the source's head with the one that was begun, because something came
// that does not belong to it. The same head: whatever came, it was not the source's word.
// Another release of a publisher whom the device trusts: the release was replaced, and
// the download turns to the new one. Anything else is not a bundle, and is waited out: the
// doubt stays until the source has shown one of the two.
func (p *partial) look(ctx context.Context) error {
	p.drop()
	was, total := p.begin, p.note.Total
	p.begin, p.note.Total, p.note.Mark = nil, unknown, mark{}
	err := p.fetchHead(ctx)
	now := p.begin
	stay := func(err error) error {
		p.begin, p.note.Total = was, total
		return err
	}
	var final *steps.Error
	switch {
	case p.other:
		p.other = false
		if p.opened != nil {
			_ = p.opened.body.Close() // only read
			p.opened = nil
		}
		return stay(unusable(fileChanged, "another file is in the bundle's place, which is not a bundle"))
	case err == nil && bytes.Equal(now, was):
		p.doubt = false
		return stay(nil)
	case err == nil:
		_, err = p.cfg.Partial.Plan(ctx, p.task, now, true)
	}
	var odd *strange
	switch {
	case err == nil:
	case errors.As(err, &odd):
		return stay(err)
	case errors.As(err, &final) && (final.Code == steps.BadSignature || final.Code == steps.InvalidPackage):
		return stay(unusable(fileChanged, "another file is in the bundle's place: %w", final.Err))
	default:
		return stay(err)
	}
	p.event(fileChanged, "a newer release of the same source")
	p.begin, p.judged, p.headed, p.doubt = now, false, false, false
	p.twice = map[int64]bool{} // they were the other bundle's
	return p.openPart()
}
