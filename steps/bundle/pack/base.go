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

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
)

// Base is an earlier release; patches make new contents from its contents.
type Base struct {
	// Name is for people.
	Name string
	// paths maps the release's paths to contents. loose does so too, without the
	// parts of names that change from build to build. files has the contents.
	paths, loose map[string]string
	files        map[string]string
	sizes        map[string]int64
}

// OpenBase reads an earlier release from its directory, or from its native bundle,
// which it unpacks to scratch.
func OpenBase(ctx context.Context, name, scratch string, limits bundle.Limits) (*Base, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("cannot find the earlier release: %w", err)
	}
	if !info.IsDir() {
		dir, err := os.MkdirTemp(scratch, "base-")
		if err != nil {
			return nil, err
		}
		if err := Unpack(ctx, name, dir, limits); err != nil {
			return nil, fmt.Errorf("earlier release %s: %w", name, err)
		}
		return openBase(name, dir, limits)
	}
	return openBase(name, name, limits)
}

func openBase(name, dir string, limits bundle.Limits) (*Base, error) {
	t, err := Scan(dir, limits)
	if err != nil {
		return nil, fmt.Errorf("earlier release %s: %w", name, err)
	}
	b := &Base{Name: name, paths: map[string]string{}, loose: map[string]string{}, files: map[string]string{}, sizes: map[string]int64{}}
	for _, f := range t.Files {
		if f.Size == 0 {
			continue
		}
		b.paths[f.Path] = f.SHA256
		b.loose[loosen(f.Path)] = f.SHA256
		b.files[f.SHA256] = filepath.Join(dir, filepath.FromSlash(f.Path))
		b.sizes[f.SHA256] = f.Size
	}
	return b, nil
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
