package pack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
)

// Base is an earlier release; patches make new contents from its contents.
type Base struct {
	// Name is for people.
	Name string
	// Facts are known of a bundle, and in part of an installed version; they are zero
	// for any other directory.
	Facts Facts
	// paths maps the release's paths to contents. loose does so too, without the
	// parts of names that change from build to build. files has the contents.
	paths, loose map[string]string
	files        map[string]string
	sizes        map[string]int64
}

// Facts are what a device that has a release compares the next one with.
type Facts struct {
	Product  string
	Hardware []string
	Version  string
	Epoch    int64
	// Digest names the release.
	Digest string
}

// OpenBase reads an earlier release from its directory, or from its native bundle,
// which it unpacks to scratch.
func OpenBase(ctx context.Context, name, scratch string, limits bundle.Limits) (*Base, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("cannot find the earlier release: %w", err)
	}
	var facts Facts
	dir := name
	if info.IsDir() {
		facts = installed(dir)
	} else {
		if dir, err = os.MkdirTemp(scratch, "base-"); err != nil {
			return nil, err
		}
		if facts, err = unpack(ctx, name, dir, limits); err != nil {
			return nil, fmt.Errorf("earlier release %w", err)
		}
	}
	t, err := Scan(dir, limits, Losses()...) // patches are made from contents alone
	if err != nil {
		return nil, fmt.Errorf("earlier release %s: %w", name, err)
	}
	b := BaseOf(name, t.Files)
	b.Facts, b.files = facts, map[string]string{}
	for _, f := range t.Files {
		if f.Size > 0 {
			b.files[f.SHA256] = filepath.Join(dir, filepath.FromSlash(f.Path))
		}
	}
	return b, nil
}

// BaseOf makes a Base of a list of files, for asking which patches could be made.
// Their contents are not at hand, so it is not for Build.
func BaseOf(name string, files []native.File) *Base {
	b := &Base{Name: name, paths: map[string]string{}, loose: map[string]string{}, sizes: map[string]int64{}}
	for _, f := range files {
		if f.Size == 0 {
			continue
		}
		b.paths[f.Path] = f.SHA256
		b.loose[loosen(f.Path)] = f.SHA256
		b.sizes[f.SHA256] = f.Size
	}
	return b
}

// installed are the facts in the manifest of a version's directory. A directory that
// was never a version has none.
func installed(dir string) Facts {
	data, err := os.ReadFile(filepath.Join(dir, versions.ManifestName))
	if err != nil {
		return Facts{}
	}
	m, err := versions.ParseManifest(data)
	if err != nil {
		return Facts{}
	}
	return Facts{Version: m.Version, Epoch: m.Epoch, Digest: m.Digest}
}

// FactsOf are the facts of a release in its bundle.
func FactsOf(h *native.Head) Facts {
	r := h.Release
	return Facts{Product: r.Product, Hardware: r.Hardware, Version: r.Version, Epoch: r.Epoch, Digest: h.Digest}
}

// From returns the content that a patch for the file is made from: the base's own
// content when it has the same one, in which case no patch is needed; else the one that
// is most likely to resemble it. why says that there is none, or that no patch can be
// made; maxPatch is in bytes.
func (b *Base) From(f native.File, maxPatch int64) (sha string, why Why) {
	if _, same := b.sizes[f.SHA256]; same {
		return f.SHA256, ""
	}
	sha, ok := b.candidate(f)
	switch {
	case !ok:
		return "", NoBase
	case max(b.sizes[sha], f.Size) > maxPatch:
		return sha, TooLarge
	}
	return sha, ""
}

// candidate returns the base's content that is most likely to resemble the file's: the
// content at the same path, or at a path that differs only in a digest or version in
// its name.
func (b *Base) candidate(f native.File) (sha string, ok bool) {
	if sha, ok = b.paths[f.Path]; ok {
		return sha, true
	}
	sha, ok = b.loose[loosen(f.Path)]
	return sha, ok
}

// loosen replaces the digests and numbers in a path: words of the base name
// that have a digit in them.
func loosen(p string) string {
	dir, name := path.Split(p)
	words := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune(".-_@", r) })
	for i, w := range words {
		if strings.ContainsAny(w, "0123456789") {
			words[i] = "*"
		}
	}
	return dir + strings.Join(words, ".")
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
