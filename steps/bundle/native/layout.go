package native

import (
	"github.com/tope/updater/steps/bundle"
)

// Content is one distinct content of the release.
type Content struct {
	SHA256 string
	Size   int64
	// File is the position in Files of the first file that has it.
	File int
}

// Contents returns the distinct contents, in the order of their first file in the
// list of files. Payload.Alone has a member for each.
func (r *Release) Contents() []Content {
	seen := make(map[string]bool, len(r.Files))
	var out []Content
	for i, f := range r.Files {
		if f.Size == 0 || seen[f.SHA256] {
			continue
		}
		seen[f.SHA256] = true
		out = append(out, Content{f.SHA256, f.Size, i})
	}
	return out
}

// Totals counts the entries and bytes of the unpacked release.
func (r *Release) Totals() bundle.Totals {
	var t bundle.Totals
	tree := bundle.NewTree()
	for _, f := range r.Files {
		p, isDir := cutSlash(f.Path)
		_ = tree.Add(p, f.Type()) // accepted before
		if !isDir {
			t.Files++
			t.Bytes += f.Size
		}
	}
	t.Dirs = tree.Dirs()
	return t
}

func cutSlash(p string) (string, bool) {
	if p != "" && p[len(p)-1] == '/' {
		return p[:len(p)-1], true
	}
	return p, false
}

func (m *Member) validate(what, codec string) error {
	got := m.Codec
	if got == "" {
		got = Zstd
	}
	switch {
	case m.Length <= 0 || m.Length > MaxMember:
		return bundle.Invalid("%s: its length %d is not between 1 and %d", what, m.Length, int64(MaxMember))
	case !isDigest(m.SHA256) && !isShortDigest(m.SHA256):
		return bundle.Invalid("%s: %.80q is not a SHA-256", what, m.SHA256)
	case got != codec:
		return bundle.Invalid("%s: codec %.20q is not %s", what, m.Codec, codec)
	}
	return nil
}

func (r *Release) validatePayload(limits bundle.Limits) error {
	contents, p := r.Contents(), r.Payload
	if (len(contents) == 0) != (p.Solid == nil) || len(p.Alone) != len(contents) {
		return bundle.Invalid("%d contents, but %d members for them", len(contents), len(p.Alone))
	}
	if len(p.Patches) > MaxPatches {
		return bundle.Invalid("%d patches are more than the %d allowed", len(p.Patches), MaxPatches)
	}
	if len(contents) == 0 {
		if len(p.Patches) > 0 {
			return bundle.Invalid("patches for no content")
		}
		return nil
	}
	if err := p.Solid.validate("the solid member", Zstd); err != nil {
		return err
	}
	if err := limits.CheckTotal(r.Totals().Bytes, p.Solid.Length); err != nil {
		return err
	}
	for i := range p.Alone {
		path := r.Files[contents[i].File].Path
		if err := p.Alone[i].validate(path, Zstd); err != nil {
			return err
		}
		if err := limits.CheckSize(path, contents[i].Size, p.Alone[i].Length); err != nil {
			return err
		}
	}
	for i := range p.Patches {
		t := &p.Patches[i]
		if t.File < 0 || t.File >= len(r.Files) || r.Files[t.File].Size == 0 {
			return bundle.Invalid("patch %d: there is no file %d with content", i, t.File)
		}
		if err := t.validate("the patch for "+r.Files[t.File].Path, ZstdPatch); err != nil {
			return err
		}
		if !isDigest(t.Base) || t.BaseSize <= 0 || t.BaseSize > limits.File {
			return bundle.Invalid("the patch for %q: its base %.80q of %d bytes cannot be one", r.Files[t.File].Path, t.Base, t.BaseSize)
		}
	}
	return nil
}

// Span is where a member lies in the bundle, in bytes.
type Span struct{ Offset, Length int64 }

// End is the offset of the first byte after the span.
func (s Span) End() int64 { return s.Offset + s.Length }

// Layout is where the payload lies. It follows from the lengths: each tar
// member is a header of 512 bytes and its data, padded to whole blocks.
type Layout struct {
	Solid   Span
	Alone   []Span
	Patches []Span
	// Total is the size of the whole bundle, with tar's two empty blocks.
	Total int64
}

// Layout computes the payload's layout after a head of that size. The sums cannot
// overflow: 50,000 members and as many patches of 16 GiB are less than 2^63.
func (r *Release) Layout(head int64) Layout {
	at := head
	member := func(length int64) Span {
		s := Span{at + block, length}
		at += block + padded(length)
		return s
	}
	var l Layout
	if r.Payload.Solid != nil {
		l.Solid = member(r.Payload.Solid.Length)
	}
	l.Alone = make([]Span, 0, len(r.Payload.Alone))
	for _, m := range r.Payload.Alone {
		l.Alone = append(l.Alone, member(m.Length))
	}
	if n := len(r.Payload.Patches); n > 0 {
		var sum int64
		for _, p := range r.Payload.Patches {
			sum += p.Length
		}
		within := member(sum).Offset
		l.Patches = make([]Span, 0, n)
		for _, p := range r.Payload.Patches {
			l.Patches = append(l.Patches, Span{within, p.Length})
			within += p.Length
		}
	}
	l.Total = at + 2*block
	return l
}

// block is the size of a tar block, in bytes.
const block = 512

func padded(n int64) int64 { return (n + block - 1) / block * block }
