package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/legacyzip"
	"github.com/tope/updater/steps/bundle/native"
)

// Opened is an open bundle whose file is whole.
type Opened struct {
	*native.Head
	f    *os.File
	size int64
}

// Open opens a bundle; verify judges its signature first.
func Open(path string, limits bundle.Limits, verify func(packed, signature []byte) error) (*Opened, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the bundle: %w", err)
	}
	o, err := open(f, limits, verify)
	if err != nil {
		_ = f.Close() // only read
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

func open(f *os.File, limits bundle.Limits, verify func(packed, signature []byte) error) (*Opened, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := bundle.Regular(info); err != nil {
		return nil, err
	}
	first := make([]byte, 512)
	n, err := f.ReadAt(first, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if (legacyzip.Format{}).Match(first[:n]) {
		return nil, bundle.WithHint("tope-bundle convert makes a bundle of it", bundle.Invalid("it is a legacy package (ZIP)"))
	}
	if !native.Match(first[:n]) {
		return nil, bundle.Stranger(first[:n], info.Size())
	}
	begin, err := native.ReadBegin(f)
	if err != nil {
		return nil, err
	}
	h, err := native.ReadHead(begin, limits, verify)
	if err != nil {
		return nil, err
	}
	if err := h.Fits(info.Size()); err != nil {
		return nil, err
	}
	return &Opened{h, f, info.Size()}, nil
}

// Close closes the file.
func (o *Opened) Close() error { return o.f.Close() }

// Check reads every byte, and refuses unit files that a device would not put into
// effect. Each tar header and padding must be as the format requires,
// and each member must have its digest and make its content. bases may be nil; a patch
// whose base is not among them is compared with its digest only.
func (o *Opened) Check(ctx context.Context, bases []*Base, progress func(what string, done, total int64)) error {
	contents := o.Release.Contents()
	at := o.Size
	header := func(name string, length int64) error {
		want := native.Header(name, length)
		got := make([]byte, len(want))
		if _, err := o.f.ReadAt(got, at); err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return bundle.Invalid("the tar header at byte %d is not %s's", at, name)
		}
		at += int64(len(want)) + length
		rest := make([]byte, pad(length))
		if _, err := o.f.ReadAt(rest, at); err != nil {
			return err
		}
		if len(bytes.Trim(rest, "\x00")) > 0 {
			return bundle.Invalid("there is something behind %s, at byte %d", name, at)
		}
		at += int64(len(rest))
		return nil
	}
	var dec native.Decoder
	defer dec.Close()
	if s := o.Release.Payload.Solid; s != nil {
		if err := header(native.SolidName, s.Length); err != nil {
			return err
		}
		if err := o.checkSolid(ctx, &dec); err != nil {
			return err
		}
	}
	for i, m := range o.Release.Payload.Alone {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := header(native.AlonePrefix+contents[i].SHA256+".zst", m.Length); err != nil {
			return err
		}
		if err := o.checkAlone(&dec, contents[i], m, o.Layout.Alone[i]); err != nil {
			return fmt.Errorf("%s: %w", o.Release.Files[contents[i].File].Path, err)
		}
		if progress != nil {
			progress("checking", at, o.size)
		}
	}
	var sum int64
	for _, p := range o.Release.Payload.Patches {
		sum += p.Length
	}
	if sum > 0 {
		if err := header(native.PatchesName, sum); err != nil {
			return err
		}
	}
	for i := range o.Release.Payload.Patches {
		if err := o.checkPatch(i, bases); err != nil {
			return fmt.Errorf("the patch for %s: %w", o.Release.Files[o.Release.Payload.Patches[i].File].Path, err)
		}
	}
	end := make([]byte, o.size-at)
	if _, err := o.f.ReadAt(end, at); err != nil {
		return err
	}
	if len(bytes.Trim(end, "\x00")) > 0 {
		return bundle.Invalid("there is something behind the last member")
	}
	return nil
}

func (o *Opened) section(s native.Span) *io.SectionReader {
	return io.NewSectionReader(o.f, s.Offset, s.Length)
}

func (o *Opened) checkSolid(ctx context.Context, dec *native.Decoder) error {
	return o.eachOfSolid(ctx, dec, func(f native.File, r io.Reader) error {
		name, is := strings.CutPrefix(f.Path, unitfiles.Dir+"/")
		if !is {
			return nil
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return bundle.CheckUnitText(o.Release.Version, name, text)
	})
}

// eachOfSolid reads the solid member and calls each with every file's content. It fails
// when a content does not match the list of files.
func (o *Opened) eachOfSolid(ctx context.Context, dec *native.Decoder, each func(native.File, io.Reader) error) error {
	packed := sha256.New()
	section := o.section(o.Layout.Solid)
	r, err := dec.Reader(io.TeeReader(section, packed))
	if err != nil {
		return err
	}
	for _, f := range o.Release.Files {
		if f.Size == 0 {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		sum := sha256.New()
		content := io.TeeReader(io.LimitReader(r, f.Size), sum)
		err := each(f, content)
		if err == nil {
			_, err = io.Copy(io.Discard, content)
		}
		if err != nil {
			return fmt.Errorf("the solid member: %s: %w", f.Path, err)
		}
		if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
			return bundle.Invalid("the solid member has another content for %q", f.Path)
		}
	}
	if n, err := io.Copy(io.Discard, r); err != nil || n > 0 {
		return bundle.Invalid("the solid member has %d bytes more than the files (%v)", n, err)
	}
	if _, err := io.Copy(packed, section); err != nil { // the bytes that the decoder did not read
		return err
	}
	if !(bundle.Piece{SHA256: o.Release.Payload.Solid.SHA256}).Is(packed.Sum(nil)) {
		return bundle.Invalid("the solid member is not the one that was signed")
	}
	return nil
}

func (o *Opened) checkAlone(dec *native.Decoder, c native.Content, m native.Member, s native.Span) error {
	if err := o.hasDigest(s, m.SHA256); err != nil {
		return err
	}
	r, err := dec.Reader(o.section(s))
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(r, c.Size+1))
	if err != nil {
		return err
	}
	if n != c.Size || hex.EncodeToString(sum.Sum(nil)) != c.SHA256 {
		return bundle.Invalid("its member has another content")
	}
	return nil
}

func (o *Opened) hasDigest(s native.Span, want string) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, o.section(s)); err != nil {
		return err
	}
	if !(bundle.Piece{SHA256: want}).Is(sum.Sum(nil)) {
		return bundle.Invalid("its member is not the one that was signed")
	}
	return nil
}

func (o *Opened) checkPatch(i int, bases []*Base) error {
	p := o.Release.Payload.Patches[i]
	if err := o.hasDigest(o.Layout.Patches[i], p.SHA256); err != nil {
		return err
	}
	for _, b := range bases {
		path, ok := b.files[p.Base]
		if !ok {
			continue
		}
		base, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		patch := make([]byte, p.Length)
		if _, err := o.f.ReadAt(patch, o.Layout.Patches[i].Offset); err != nil {
			return err
		}
		out, err := native.ApplyPatch(base, patch, o.Release.Files[p.File].Size)
		if err != nil {
			return err
		}
		if digestOf(out) != o.Release.Files[p.File].SHA256 {
			return bundle.Invalid("it makes another content")
		}
		return nil
	}
	return nil
}

// Unpack writes a bundle's files to dir without checking the signature: for comparing
// and patching, not for installing.
func Unpack(ctx context.Context, path, dir string, limits bundle.Limits) error {
	_, err := unpack(ctx, path, dir, limits)
	return err
}

func unpack(ctx context.Context, path, dir string, limits bundle.Limits) (Facts, error) {
	o, err := Open(path, limits, func([]byte, []byte) error { return nil })
	if err != nil {
		return Facts{}, err
	}
	defer o.Close()
	if err := o.unpack(ctx, dir); err != nil {
		return Facts{}, fmt.Errorf("%s: %w", path, err)
	}
	return FactsOf(o.Head), nil
}

func (o *Opened) unpack(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range o.Release.Files {
		if err := unpackEmpty(root, f); err != nil {
			return err
		}
	}
	if o.Release.Payload.Solid != nil {
		var dec native.Decoder
		defer dec.Close()
		err = o.eachOfSolid(ctx, &dec, func(f native.File, r io.Reader) error {
			out, err := root.OpenFile(f.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.Perm()|0o200)
			if err != nil {
				return err
			}
			_, err = io.Copy(out, r)
			return errors.Join(err, out.Close())
		})
		if err != nil {
			return err
		}
	}
	for _, f := range o.Release.Files {
		if f.Link != "" {
			if err := root.Symlink(f.Link, f.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// unpackEmpty makes an entry without content: a directory or an empty file.
func unpackEmpty(root *os.Root, f native.File) error {
	dir := filepath.Dir(f.Path)
	if f.Type() == bundle.Dir {
		dir = strings.TrimSuffix(f.Path, "/")
	}
	if err := root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if f.Type() != bundle.File || f.Size > 0 {
		return nil
	}
	return root.WriteFile(f.Path, nil, f.Perm()|0o200)
}
