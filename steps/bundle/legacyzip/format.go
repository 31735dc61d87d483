package legacyzip

import (
	"bytes"
	"io"
	"os"

	"github.com/tope/updater/steps/bundle"
)

// Format is the legacy ZIP package.
type Format struct{}

// Name implements bundle.Format.
func (Format) Name() string { return "zip" }

// Match implements bundle.Format: a first local header, or the end record of
// an empty archive.
func (Format) Match(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

// Open implements bundle.Format. It reads the directory twice: to check the
// archive and find the manifest, and to check the tree that the manifest makes.
func (Format) Open(f *os.File, size int64, limits bundle.Limits) (bundle.Bundle, error) {
	z := &archive{f: f, size: size, limits: limits, idle: make(chan *unpacker, 4)}
	var err error
	if z.dir, err = findDirectory(f, size); err != nil {
		return nil, err
	}
	if z.dir.count > int64(limits.Entries) {
		return nil, bundle.Invalid("the package has %d entries, more than the %d allowed", z.dir.count, limits.Entries)
	}
	m, err := z.checkArchive()
	if err != nil {
		return nil, err
	}
	if z.placement, err = newPlacement(m, limits); err != nil {
		return nil, err
	}
	z.release = m.release()
	z.release.Dropped = z.special.dropped()
	if err := z.checkPlacement(m); err != nil {
		return nil, err
	}
	return z, nil
}

// archive is an opened package. All fields except idle are fixed once it is open.
type archive struct {
	f         *os.File
	size      int64
	limits    bundle.Limits
	dir       directory
	placement *placement
	release   bundle.Release
	totals    bundle.Totals
	special   special
	// idle holds unpackers between two entries.
	idle chan *unpacker
}

// checkArchive checks every entry, used or not, and returns the manifest.
func (z *archive) checkArchive() (*manifest, error) {
	var (
		m     *manifest
		lost  lost
		tree  = bundle.NewTree()
		spans = make([]span, 0, z.dir.count)
		buf   []byte
		total int64
	)
	for h, err := range z.headers() {
		if err != nil {
			return nil, err
		}
		if h.path == manifestName && m != nil {
			return nil, bundle.WithHint(anew, bundle.InvalidManifest("the package has two of %s", manifestName))
		}
		lost.see(h)
		z.special.see(h)
		if err := tree.Add(h.path, h.typ); err != nil {
			return nil, bundle.WithHint(anew, err)
		}
		var sp span
		var data int64
		if sp, data, buf, err = z.locate(h, buf); err != nil {
			return nil, err
		}
		spans = append(spans, sp)
		total += h.size // at most Entries times File: no overflow
		if h.path == manifestName {
			if m, err = z.readManifest(h, data); err != nil {
				return nil, err
			}
		}
	}
	if m == nil {
		return nil, lost.why()
	}
	if err := checkSpans(spans); err != nil {
		return nil, err
	}
	return m, z.limits.CheckTotal(total, z.size)
}

func (z *archive) readManifest(h *header, data int64) (*manifest, error) {
	if h.typ != bundle.File {
		return nil, bundle.InvalidManifest("%s is not a file", manifestName)
	}
	if h.size > z.limits.Manifest {
		return nil, bundle.InvalidManifest("%s has %d bytes, more than the %d allowed", manifestName, h.size, z.limits.Manifest)
	}
	c := z.open(*h, data)
	defer c.Close()
	raw, err := io.ReadAll(c)
	if err != nil {
		return nil, err
	}
	return parseManifest(raw)
}

// checkPlacement checks the version's tree, as the manifest makes it of the package.
func (z *archive) checkPlacement(m *manifest) error {
	tree := bundle.NewTree()
	used := make([]bool, len(m.Modules))
	err := z.walk(func(pl *place, e bundle.Entry) error {
		used[pl.module] = true
		if err := bundle.CheckPath(e.Path, z.limits); err != nil {
			return err
		}
		if err := tree.Add(e.Path, e.Type); err != nil {
			return err
		}
		if e.Type == bundle.Link {
			if err := bundle.CheckTarget(e.Path, e.Target, z.limits); err != nil {
				return err
			}
		}
		if e.Type != bundle.Dir {
			z.totals.Files++
			z.totals.Bytes += e.Size
		}
		if z.totals.Files+tree.Dirs() > z.limits.Entries {
			return bundle.Invalid("the package makes more than the %d files and directories allowed", z.limits.Entries)
		}
		return nil
	})
	if err != nil {
		return err
	}
	z.totals.Dirs = tree.Dirs()
	for i, mod := range m.Modules {
		if !used[i] {
			return bundle.WithHint(asSrc, bundle.InvalidManifest("%s: module %d (%q): the package has no %q", manifestName, i, mod.Name, mod.Src))
		}
	}
	return z.limits.CheckTotal(z.totals.Bytes, z.size)
}

// Release implements bundle.Bundle.
func (z *archive) Release() bundle.Release { return z.release }

// InOrder implements bundle.Bundle.
func (z *archive) InOrder() bool { return false }

// Totals implements bundle.Bundle.
func (z *archive) Totals() bundle.Totals { return z.totals }

// Close implements bundle.Bundle.
func (z *archive) Close() error { return z.f.Close() }
