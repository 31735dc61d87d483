package supply

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
)

// Format opens native bundles: whole ones, and those of which Download fetched
// only some parts. The plan beside the file names them.
type Format struct {
	Judge    *Judge
	Versions Installed
}

// Name implements bundle.Format.
func (Format) Name() string { return "native bundle" }

// Match implements bundle.Format.
func (Format) Match(begin []byte) bool { return native.Match(begin) }

// Open implements bundle.Format. It reads the head once, into memory, so that the bytes
// in use are those whose signature was checked. From the rest of the file it reads only
// the bytes that head and plan name, and each content is hashed while it is read. So a
// change to the file in the meantime is either found or has no effect.
func (f Format) Open(file *os.File, size int64, _ bundle.Limits) (bundle.Bundle, error) {
	begin, err := native.ReadBegin(file)
	if err != nil {
		return nil, err
	}
	h, by, err := f.Judge.head(begin)
	if err != nil {
		return nil, err
	}
	if err := h.Fits(size); err != nil {
		return nil, err
	}
	b := &opened{f: file, Head: h, by: by, versions: f.Versions, contents: map[string]int{}}
	contents := h.Release.Contents()
	for i, c := range contents {
		b.contents[c.SHA256] = i
	}
	for _, f := range h.Release.Files {
		if f.Size > 0 {
			b.last = f.Path
		}
	}
	if b.plan, err = readPlan(filepath.Dir(file.Name()), h.Digest, len(contents)); err != nil {
		return nil, err
	}
	if b.plan == nil { // a whole bundle: every content from its own member
		b.plan = &plan{Digest: h.Digest, Contents: make([]source, len(contents))}
	}
	if err := b.plan.valid(h); err != nil {
		return nil, err
	}
	return b, nil
}

// opened is an open native bundle.
type opened struct {
	*native.Head
	f        *os.File
	by       string
	versions Installed
	plan     *plan
	contents map[string]int

	// patching lets only one patch be applied at a time: each takes the memory of
	// two contents.
	patching sync.Mutex
	decoders sync.Pool

	solid    native.Decoder
	solidOut io.Reader
	last     string // the path of the last file in the solid member
}

// Release implements bundle.Bundle.
func (b *opened) Release() bundle.Release {
	r := b.Head.Release
	return bundle.Release{
		Version: r.Version, Services: r.Services, Digest: b.Digest, Epoch: r.Epoch, Expires: r.Expires, Brought: r.Brought, SignedBy: b.by,
	}
}

// Totals implements bundle.Bundle.
func (b *opened) Totals() bundle.Totals { return b.Head.Release.Totals() }

// InOrder implements bundle.Bundle.
func (b *opened) InOrder() bool { return b.plan.Solid }

// Close implements bundle.Bundle.
func (b *opened) Close() error {
	b.solid.Close()
	return b.f.Close()
}

// Entries implements bundle.Bundle.
func (b *opened) Entries() iter.Seq2[bundle.Entry, error] {
	return func(yield func(bundle.Entry, error) bool) {
		b.solidOut = nil
		for i := range b.Head.Release.Files {
			if !yield(b.entry(&b.Head.Release.Files[i]), nil) {
				return
			}
		}
	}
}

func (b *opened) entry(f *native.File) bundle.Entry {
	e := bundle.Entry{Path: strings.TrimSuffix(f.Path, "/"), Type: f.Type(), Target: f.Link, Size: f.Size, SHA256: f.SHA256}
	if e.Type != bundle.File {
		return e
	}
	e.Mode = b.Head.Release.PermOf(f) | 0o400 // a mode of 0 would say that the bundle does not tell
	e.Capabilities = f.Capabilities()
	switch {
	case f.Size == 0:
		e.Open = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }
	case b.plan.Solid:
		e.Open = func() (io.ReadCloser, error) { return b.next(f) }
	default:
		i := b.contents[f.SHA256]
		e.Spare = !b.plan.Contents[i].alone()
		e.Open = func() (io.ReadCloser, error) { return b.open(i, f) }
	}
	return e
}

// next returns the next file of the solid member.
func (b *opened) next(f *native.File) (io.ReadCloser, error) {
	if b.solidOut == nil {
		r, err := b.solid.Reader(b.section(b.Layout.Solid))
		if err != nil {
			return nil, err
		}
		b.solidOut = r
	}
	if b.last == f.Path {
		// Not limited: a read past the file's end has to find out whether the member
		// has more bytes.
		return io.NopCloser(b.solidOut), nil
	}
	return io.NopCloser(io.LimitReader(b.solidOut, f.Size)), nil
}

func (b *opened) section(s native.Span) io.Reader {
	return io.NewSectionReader(b.f, s.Offset, s.Length)
}

// open opens content i by its plan.
func (b *opened) open(i int, f *native.File) (io.ReadCloser, error) {
	s := b.plan.Contents[i]
	switch {
	case s.Patch > 0:
		return b.patch(s, f)
	case s.At != "":
		return b.installed(s.At)
	}
	dec, _ := b.decoders.Get().(*native.Decoder)
	if dec == nil {
		dec = new(native.Decoder)
	}
	r, err := dec.Reader(b.section(b.Layout.Alone[i]))
	if err != nil {
		return nil, err
	}
	return &pooled{r, func() { b.decoders.Put(dec) }}, nil
}

type pooled struct {
	io.Reader
	back func()
}

func (p *pooled) Close() error {
	p.back()
	return nil
}

// installed opens a file of an installed version. The version is read-only and a
// pointer leads to it; the hash shows whether the file has the right content.
func (b *opened) installed(at string) (io.ReadCloser, error) {
	version, path, ok := strings.Cut(at, "/")
	if !ok || versions.ValidVersion(version) != nil || !filepath.IsLocal(path) {
		return nil, fmt.Errorf("the plan names %q, which is not a file of a version", at)
	}
	root, err := os.OpenRoot(b.versions.Path(version))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", f.Name())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// patch makes a content from its base. It holds the lock until the content is closed.
func (b *opened) patch(s source, f *native.File) (_ io.ReadCloser, err error) {
	b.patching.Lock()
	defer func() {
		if err != nil {
			b.patching.Unlock()
		}
	}()
	p := b.Head.Release.Payload.Patches[s.Patch-1]
	in, err := b.installed(s.At)
	if err != nil {
		return nil, err
	}
	base := make([]byte, p.BaseSize)
	_, err = io.ReadFull(in, base)
	if err := errors.Join(err, in.Close()); err != nil {
		return nil, fmt.Errorf("the patch's base %s: %w", s.At, err)
	}
	patch := make([]byte, p.Length)
	if _, err := b.f.ReadAt(patch, b.Layout.Patches[s.Patch-1].Offset); err != nil {
		return nil, steps.FromOS(err, "cannot read the patch")
	}
	out, err := native.ApplyPatch(base, patch, f.Size)
	if err != nil {
		return nil, err
	}
	return &pooled{bytes.NewReader(out), b.patching.Unlock}, nil
}
