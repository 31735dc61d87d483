package supply

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
)

// Planner implements download.Partial for native bundles.
type Planner struct {
	Judge    *Judge
	Versions Installed
	// MaxPatch is the largest content, old or new, that is patched, in bytes:
	// a patch takes both in memory.
	MaxPatch int64
	// Formats are those that cannot be signed, and Accepts returns why the device takes
	// none of them. Without both, what is of another format is judged when it is whole.
	Accepts func() error
	Formats []bundle.Format
	// Room makes sure that there is room to unpack: see bundle.Space.
	Room func(ctx context.Context, t *steps.Task, bytes, inodes uint64) ([]string, error)
}

// Match implements download.Partial.
func (p *Planner) Match(begin []byte) bool { return native.Match(begin) }

// Others implements download.Partial.
func (p *Planner) Others(begin []byte, size int64) error {
	if p.Accepts == nil {
		return nil
	}
	err := p.Accepts()
	if len(begin) == 0 {
		return err
	}
	for _, f := range p.Formats {
		if f.Match(begin) {
			return err
		}
	}
	return bundle.Stranger(begin, size)
}

// Admit implements download.Partial.
func (p *Planner) Admit(head []byte) (steps.Release, string, error) {
	h, by, err := p.Judge.head(head)
	if err != nil {
		return steps.Release{}, "", err
	}
	return steps.Release{Version: h.Release.Version, Digest: h.Digest, Services: h.Release.Services}, by, nil
}

// HeadSize implements download.Partial.
func (p *Planner) HeadSize(begin []byte) (int64, bool, error) { return native.HeadSize(begin) }

// Plan implements download.Partial. It decides everything before the first byte of
// payload is asked for.
func (p *Planner) Plan(ctx context.Context, t *steps.Task, begin []byte, ranged bool) (bundle.Parts, error) {
	h, by, err := p.Judge.head(begin)
	if err != nil {
		return bundle.Parts{}, err
	}
	r := h.Release
	release := steps.Release{Version: r.Version, Digest: h.Digest, Services: r.Services}
	if err := p.Judge.current(t, r); err != nil {
		return bundle.Parts{}, err
	}
	if t.Accept != nil {
		if err := t.Accept(release); err != nil {
			return bundle.Parts{}, err
		}
	}
	pl, err := p.decide(t, h, ranged)
	if err != nil {
		return bundle.Parts{}, err
	}
	d := p.parts(h, pl)
	d.Release, d.Wire.SignedBy = release, by
	if err := p.room(ctx, t, r, d); err != nil {
		return bundle.Parts{}, err
	}
	return d, pl.write(t.WorkDir)
}

// decide returns the plan on disk, changed as needed, or makes a new one.
func (p *Planner) decide(t *steps.Task, h *native.Head, ranged bool) (*plan, error) {
	contents := h.Release.Contents()
	pl, err := readPlan(t.WorkDir, h.Digest, len(contents))
	if err != nil {
		return nil, err
	}
	if pl != nil && pl.valid(h) == nil && (ranged || pl.Solid || len(pl.fetch()) == 0 || len(pl.Lacking) > 0) {
		lacking, err := readLacking(t.WorkDir)
		if err != nil {
			return nil, err
		}
		pl.lack(contents, lacking)
		return pl, nil
	}
	wanted := map[string]bool{}
	for _, c := range contents {
		wanted[c.SHA256] = true
	}
	for _, patch := range h.Release.Payload.Patches {
		wanted[patch.Base] = true
	}
	have, err := index(p.Versions, t.Before, wanted)
	if err != nil {
		return nil, err
	}
	return choose(h, have, p.MaxPatch, ranged), nil
}

// Lack implements download.Partial.
func (p *Planner) Lack(t *steps.Task, contents []string) error {
	return steps.FromOS(Lack(t.WorkDir, contents), "cannot note what is lacking")
}

// Amended implements download.Partial. The new plan is durable, so Amended removes the
// note of the lacking contents. If the power goes before, the plan is amended again,
// which does not change it.
func (p *Planner) Amended(t *steps.Task) error {
	err := os.Remove(filepath.Join(t.WorkDir, bundle.LackingFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return steps.FromOS(err, "cannot remove the note of what was lacking")
}

// parts lists the pieces in the order in which they lie, and counts the contents.
func (p *Planner) parts(h *native.Head, pl *plan) bundle.Parts {
	d := bundle.Parts{Head: h.Size, Total: h.Layout.Total}
	w := &d.Wire
	w.Head, w.Solid, w.Lacking = h.Size, pl.Solid, len(pl.Lacking)
	w.Whole = h.Size + h.Layout.Solid.Length
	contents := h.Release.Contents()
	for _, i := range pl.fetch() {
		span, digest := pl.piece(h, i)
		piece := bundle.Piece{Offset: span.Offset, Length: span.Length, SHA256: digest}
		if i >= 0 {
			piece.Content, piece.Spare = contents[i].SHA256, pl.Contents[i].Patch > 0
		}
		d.Pieces = append(d.Pieces, piece)
		w.Payload += span.Length
	}
	sort.Slice(d.Pieces, func(i, j int) bool { return d.Pieces[i].Offset < d.Pieces[j].Offset })
	for i, s := range pl.Contents {
		switch {
		case s.Patch > 0:
			w.Patched++
			w.PatchedBytes += contents[i].Size
		case s.At != "":
			w.Local++
			w.LocalBytes += contents[i].Size
		default:
			w.Alone++
			w.AloneBytes += contents[i].Size
		}
	}
	w.Saved = max(w.Whole-w.Head-w.Payload, 0)
	return d
}

// room asks for the worst case: all files unpacked, in addition to everything that
// may have to be fetched.
func (p *Planner) room(ctx context.Context, t *steps.Task, r *native.Release, d bundle.Parts) error {
	bytes, inodes := r.Totals().Room()
	worst := d.Wire.Payload
	if !d.Wire.Solid {
		worst = 0
		for _, m := range r.Payload.Alone {
			worst += m.Length
		}
	}
	t.Release = steps.Release{Version: r.Version, Digest: d.Release.Digest} // what making room must keep
	_, err := p.Room(ctx, t, bytes+uint64(d.Head+worst), inodes)            //nolint:gosec // sums of lengths, not negative
	return err
}

var _ bundle.Format = Format{}
