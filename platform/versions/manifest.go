package versions

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/tope/updater/platform/filecaps"
)

// ManifestName is the file in a version that makes it complete.
const ManifestName = ".tope-manifest.json"

// Limits of a manifest: beyond them it is refused, when it is made as well as
// when it is read, so that every published version can be read again.
const (
	MaxManifest = 16 << 20 // bytes of JSON
	MaxFiles    = 50_000
	MaxPath     = 1024
)

// manifestSchema is the schema that is written. Of higher ones the fields known
// here are read, since the format only grows.
const manifestSchema = 1

// Manifest says what a version consists of.
type Manifest struct {
	Schema  int    `json:"schema"`
	Version string `json:"version"`
	// Digest names the release, as in the quarantine: "md5:…", "tree:…" for a
	// version made by hand that became the factory's.
	Digest string `json:"digest"`
	Epoch  int64  `json:"epoch"`
	// SignedBy is the key that signed the release; empty when no signature was checked.
	SignedBy string `json:"signed_by,omitempty"`
	// Created is when the version was published.
	Created time.Time `json:"created"`
	// Update is the id of the update that published it.
	Update string `json:"update,omitempty"`
	// Files is everything in the version but this manifest, sorted by path.
	Files []File `json:"files"`
	// Services the release names, in the order they are to be started.
	Services []string `json:"services,omitempty"`
	Brought
}

// Types of a File.
const (
	TypeFile = "file"
	TypeDir  = "dir"
	TypeLink = "link"
)

// File is one entry of a version.
type File struct {
	// Path is relative to the version, with slashes, and clean.
	Path string `json:"path"`
	Type string `json:"type"`
	// Mode is the permission bits without the write bits; 0 for a link.
	Mode uint32 `json:"mode"`
	// Capabilities are a file's: what it may do whoever starts it.
	Capabilities filecaps.Set `json:"capabilities,omitzero"`
	// Size and SHA256 (64 hex digits) are a file's content.
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// Target is a link's.
	Target string `json:"target,omitempty"`
}

// Bytes is the sum of the files' sizes.
func (m *Manifest) Bytes() int64 {
	var sum int64
	for _, f := range m.Files {
		sum += f.Size
	}
	return sum
}

// regular is how many of the files are neither directories nor links.
func (m *Manifest) regular() int {
	n := 0
	for _, f := range m.Files {
		if f.Type == TypeFile {
			n++
		}
	}
	return n
}

// ParseManifest reads a manifest that may have been tampered with or torn:
// what it returns without error keeps every rule of Manifest and File. Unknown
// fields are skipped.
func ParseManifest(data []byte) (*Manifest, error) {
	if len(data) > MaxManifest {
		return nil, fmt.Errorf("manifest of %d bytes: at most %d are allowed", len(data), MaxManifest)
	}
	m := new(Manifest)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

func (m *Manifest) validate() error {
	if m.Schema < 1 {
		return fmt.Errorf("schema %d", m.Schema)
	}
	if err := ValidVersion(m.Version); err != nil {
		return err
	}
	if len(m.Files) > MaxFiles {
		return fmt.Errorf("%d files: at most %d are allowed", len(m.Files), MaxFiles)
	}
	if m.Epoch < 0 {
		return fmt.Errorf("epoch %d", m.Epoch)
	}
	if err := m.Validate(); err != nil {
		return err
	}
	for i := range m.Files {
		if err := m.Files[i].validate(); err != nil {
			return fmt.Errorf("file %q: %w", m.Files[i].Path, err)
		}
		// This finds wrong order and duplicates at once. It also gives each
		// tree only one encoding.
		if i > 0 && m.Files[i-1].Path >= m.Files[i].Path {
			return fmt.Errorf("file %q: not in order of path, or twice", m.Files[i].Path)
		}
	}
	return nil
}

func (f *File) validate() error {
	if f.Path == "." || !fs.ValidPath(f.Path) || strings.ContainsRune(f.Path, 0) || len(f.Path) > MaxPath {
		return errors.New("not a path inside the version")
	}
	if f.Path == ManifestName {
		return errors.New("the manifest cannot list itself")
	}
	if f.Mode&^uint32(0o555) != 0 {
		return fmt.Errorf("mode %#o: only read and execute bits are allowed", f.Mode)
	}
	if f.Type != TypeFile && !f.Capabilities.None() {
		return errors.New("only files have capabilities")
	}
	switch f.Type {
	case TypeFile:
		if sum, err := hex.DecodeString(f.SHA256); err != nil || len(sum) != 32 {
			return errors.New("no SHA-256 digest")
		}
		if f.Size < 0 || f.Target != "" {
			return errors.New("not a valid file entry")
		}
	case TypeDir:
		if f.Size != 0 || f.SHA256 != "" || f.Target != "" {
			return errors.New("not a valid directory entry")
		}
	case TypeLink:
		if f.Target == "" || len(f.Target) > MaxPath || strings.ContainsRune(f.Target, 0) ||
			f.Size != 0 || f.SHA256 != "" || f.Mode != 0 {
			return errors.New("not a valid link entry")
		}
	default:
		return fmt.Errorf("unknown type %q", f.Type)
	}
	return nil
}

// normalise makes m what Publish writes: write bits gone, directories that the
// files imply listed, sorted by path.
func (m *Manifest) normalise() {
	m.Schema = manifestSchema
	seen := make(map[string]bool, len(m.Files))
	for i := range m.Files {
		f := &m.Files[i]
		f.Path = path.Clean(f.Path)
		seen[f.Path] = true
		switch f.Type {
		case TypeDir:
			f.Mode = 0o555
		case TypeLink:
			f.Mode = 0
		default:
			f.Mode &= 0o555
		}
	}
	for _, f := range slices.Clone(m.Files) {
		for dir := path.Dir(f.Path); dir != "." && dir != "/" && !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			m.Files = append(m.Files, File{Path: dir, Type: TypeDir, Mode: 0o555})
		}
	}
	sort.Slice(m.Files, func(i, j int) bool { return m.Files[i].Path < m.Files[j].Path })
}

func (m *Manifest) encode() ([]byte, error) {
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if len(data) > MaxManifest {
		return nil, fmt.Errorf("manifest of %d bytes: at most %d are allowed", len(data), MaxManifest)
	}
	return append(data, '\n'), nil
}

// readManifest reads the manifest of the tree at root; fs.ErrNotExist when it
// has none. It reads no more than a manifest may hold, and only a regular file.
func readManifest(root *os.Root) (*Manifest, error) {
	info, err := root.Lstat(ManifestName)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, &contentError{errors.New("manifest: not a regular file")}
	}
	f, err := root.Open(ManifestName)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	if bytes.Equal(data, tombstone()) {
		return nil, &contentError{errDeleted}
	}
	m, err := ParseManifest(data)
	if err != nil {
		return nil, &contentError{err}
	}
	return m, nil
}

// tombstone is the manifest of a version that is being deleted, where its name could not
// go first. It is not a valid manifest: earlier updaters, too, take such a version
// for damaged, never for one that was made by hand.
func tombstone() []byte { return []byte("{\"schema\": 1, \"deleted\": true}\n") }

var errDeleted = errors.New("its deletion was interrupted; \"prune\" deletes the rest")

// contentError says that the content is wrong: the version is damaged. Any other
// error says that the disk could not be read just now.
type contentError struct{ err error }

func (e *contentError) Error() string        { return e.err.Error() }
func (e *contentError) Unwrap() error        { return e.err }
func (e *contentError) Is(target error) bool { return target == ErrDamaged }
