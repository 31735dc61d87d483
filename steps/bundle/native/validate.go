package native

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path"
	"strings"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/strictjson"
)

// Limits beyond bundle.Limits.
const (
	// MaxRelease is the largest size of a release file, in bytes of JSON, and
	// MaxPacked the largest compressed size.
	MaxRelease = 24 << 20
	MaxPacked  = 8 << 20
	// MaxPatches bounds the patches, MaxMember one payload member.
	MaxPatches = versions.MaxFiles
	MaxMember  = 16 << 30
	maxNotes   = 256 << 10
	maxName    = 100
)

// ParseRelease reads a release file. A release that it returns keeps every rule of
// docs/bundle-format.md; any other is refused (*steps.Error of class Refused).
func ParseRelease(data []byte, limits bundle.Limits) (*Release, error) {
	if len(data) > MaxRelease {
		return nil, bundle.InvalidManifest("the release file has %d bytes, more than the %d allowed", len(data), MaxRelease)
	}
	r := new(Release)
	if err := strictjson.Decode(data, r, "notes"); err != nil {
		if n := schemaOf(data); n > Schema {
			return nil, unknownSchema(n) // an unknown key is not a mistake there
		}
		return nil, bundle.InvalidManifest("the release file cannot be read: %w", err)
	}
	if err := r.validate(limits); err != nil {
		return nil, err
	}
	return r, nil
}

// schemaOf is what a release file says its schema is, whatever else is in it; 0 when it
// cannot be read at all.
func schemaOf(data []byte) int {
	var says struct {
		Schema int `json:"schema"`
	}
	if json.Unmarshal(data, &says) != nil {
		return 0
	}
	return says.Schema
}

func unknownSchema(n int) error {
	return bundle.InvalidManifest("the release file has schema %d, this updater reads up to %d: update the updater first", n, Schema)
}

func (r *Release) validate(limits bundle.Limits) error {
	if err := r.validateWords(); err != nil {
		return err
	}
	if err := r.validateFiles(limits); err != nil {
		return err
	}
	if err := r.validateBrought(); err != nil {
		return err
	}
	return r.validatePayload(limits)
}

// CheckDescription makes a device's checks on a release whose files are listed and
// whose payload is not made yet.
func (r *Release) CheckDescription(limits bundle.Limits) error {
	if err := r.validateWords(); err != nil {
		return err
	}
	if err := r.validateFiles(limits); err != nil {
		return err
	}
	return r.validateBrought()
}

// validateWords judges the fields of the release other than the list of files.
func (r *Release) validateWords() error {
	if r.Schema < schemaOne || r.Schema > Schema {
		return unknownSchema(r.Schema)
	}
	if err := versions.ValidVersion(r.Version); err != nil {
		return bundle.InvalidManifest("version: %w", err)
	}
	if r.Product == "" || len(r.Product) > maxName {
		return bundle.InvalidManifest("product: %.40q is not a name of up to %d bytes", r.Product, maxName)
	}
	if r.Epoch < 0 {
		return bundle.InvalidManifest("epoch %d is negative", r.Epoch)
	}
	if r.MinUpdater != "" {
		if err := versions.ValidVersion(r.MinUpdater); err != nil {
			return bundle.InvalidManifest("min_updater: %w", err)
		}
	}
	if r.Created.IsZero() || r.Created.Year() > 9999 || !r.Expires.IsZero() && r.Expires.Before(r.Created) {
		return bundle.InvalidManifest("created %s, expires %s: no sound times", r.Created, r.Expires)
	}
	notes := 0
	for language, text := range r.Notes {
		notes += len(language) + len(text)
	}
	if notes > maxNotes {
		return bundle.InvalidManifest("the notes have %d bytes, more than the %d allowed", notes, maxNotes)
	}
	for _, s := range r.Services {
		if !service.ValidName(s) {
			return bundle.InvalidManifest("service %.40q is not the name of a service (letters, digits, - _ . @)", s)
		}
	}
	if err := bundle.CheckServices(r.Services); err != nil {
		return err
	}
	if err := r.Validate(); err != nil {
		return bundle.InvalidManifest("%w", err)
	}
	if err := health.Released(r.Health); err != nil {
		return bundle.InvalidManifest("%w", err)
	}
	return nil
}

func (r *Release) validateFiles(limits bundle.Limits) error {
	if len(r.Files) > limits.Entries {
		return bundle.Invalid("it lists %d files, more than the %d allowed", len(r.Files), limits.Entries)
	}
	tree := bundle.NewTree()
	var total int64
	sizes := map[string]int64{}
	for i, f := range r.Files {
		if i > 0 && r.Files[i-1].Path >= f.Path {
			return bundle.Invalid("%.80q: the list is not in order of path, or has it twice", f.Path)
		}
		typ, err := f.validate(limits, r.Schema)
		if err != nil {
			return err
		}
		if err := tree.Add(strings.TrimSuffix(f.Path, "/"), typ); err != nil {
			return err
		}
		if typ != bundle.File {
			continue
		}
		if total += f.Size; total > limits.Total {
			return bundle.Invalid("the files have more than the %d bytes allowed", limits.Total)
		}
		if was, ok := sizes[f.SHA256]; ok && was != f.Size {
			return bundle.Invalid("%q: one content has %d bytes here and %d elsewhere", f.Path, f.Size, was)
		}
		sizes[f.SHA256] = f.Size
	}
	if len(r.Files)+tree.Dirs() > limits.Entries {
		return bundle.Invalid("it makes %d files and directories, more than the %d allowed", len(r.Files)+tree.Dirs(), limits.Entries)
	}
	return r.validateLinks()
}

// validateLinks refuses links that Extract could not follow.
func (r *Release) validateLinks() error {
	links := map[string]string{}
	for _, f := range r.Files {
		if f.Link != "" {
			links[f.Path] = f.Link
		}
	}
	if len(links) == 0 {
		return nil
	}
	types := map[string]bundle.Type{}
	for i := range r.Files {
		p := strings.TrimSuffix(r.Files[i].Path, "/")
		types[p] = r.Files[i].Type()
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if _, there := types[dir]; there {
				break
			}
			types[dir] = bundle.Dir
		}
	}
	return bundle.CheckLinks(links, func(p string) (bundle.Type, bool) {
		typ, ok := types[p]
		return typ, ok
	})
}

// UnitFiles lists the entries for package unitfiles to judge.
func (r *Release) UnitFiles() []unitfiles.File {
	files := make([]unitfiles.File, 0, len(r.Files))
	for i := range r.Files {
		f := &r.Files[i]
		if p := strings.TrimSuffix(f.Path, "/"); p == unitfiles.Dir || strings.HasPrefix(p, unitfiles.Dir+"/") {
			files = append(files, unitfiles.File{Path: p, Regular: f.Type() == bundle.File, Size: f.Size, Link: f.Type() == bundle.Link})
		}
	}
	return files
}

func (f *File) validate(limits bundle.Limits, schema int) (bundle.Type, error) {
	dir, isDir := strings.CutSuffix(f.Path, "/")
	if err := bundle.CheckPath(dir, limits); err != nil {
		return 0, err
	}
	if dir == versions.ManifestName || strings.HasPrefix(dir, versions.ManifestName+"/") {
		return 0, bundle.Invalid("%q is the updater's own", dir)
	}
	switch {
	case isDir && (f.Mode != "" || f.Size != 0 || f.SHA256 != "" || f.Link != ""),
		f.Link != "" && (f.Mode != "" || f.Size != 0 || f.SHA256 != ""):
		return 0, bundle.Invalid("%q is two things at once", f.Path)
	case isDir:
		return bundle.Dir, nil
	case f.Link != "":
		return bundle.Link, bundle.CheckTarget(f.Path, f.Link, limits)
	case f.Size < 0 || f.Size > limits.File:
		return 0, bundle.Invalid("%q: %d bytes are not what a file may have (up to %d)", f.Path, f.Size, limits.File)
	case (f.Size == 0) != (f.SHA256 == ""), f.SHA256 != "" && !isDigest(f.SHA256):
		return 0, bundle.Invalid("%q: %.80q is not a SHA-256 of its %d bytes", f.Path, f.SHA256, f.Size)
	}
	_, caps, err := f.access()
	if err == nil && schema == schemaOne && !caps.None() {
		err = errors.New("capabilities need schema 2")
	}
	if err != nil {
		return 0, bundle.Invalid("%q: mode %.80q: %w", f.Path, f.Mode, err)
	}
	return bundle.File, nil
}

// Type returns the type of the entry.
func (f *File) Type() bundle.Type {
	switch {
	case strings.HasSuffix(f.Path, "/"):
		return bundle.Dir
	case f.Link != "":
		return bundle.Link
	}
	return bundle.File
}

func isDigest(s string) bool { return isHex(s, 2*sha256.Size) }

func isShortDigest(s string) bool { return isHex(s, bundle.ShortDigest) }

func isHex(s string, digits int) bool {
	if len(s) != digits || strings.ToLower(s) != s {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}

// validateBrought compares Brought with the list of files: the programs that the release
// names must be there, and it must be possible to start them.
func (r *Release) validateBrought() error {
	for when, p := range r.Hooks {
		f := r.find(p)
		if f == nil || f.Type() != bundle.File || f.Perm()&0o111 == 0 {
			return bundle.InvalidManifest("hook %s: %q is not an executable file of the release", when, p)
		}
	}
	for i, c := range r.Health {
		if c.Kind == health.Command && !path.IsAbs(c.Command[0]) && !r.program(c.Command[0]) {
			return bundle.InvalidManifest("%s: %.200s is not a program of the release; add it with its execute bit, or name one of the device by its absolute path",
				c.Name(i), c.Command[0])
		}
	}
	for _, l := range r.Links {
		if !r.has(l) {
			return bundle.InvalidManifest("link %q: the release has no such entry", l)
		}
	}
	for _, w := range r.Writable {
		if w.Path == unitfiles.Dir {
			return bundle.InvalidManifest("writable %q: units are root's, and no service may write them", w.Path)
		}
		if err := r.empty(w.Path); err != nil {
			return err
		}
	}
	return nil
}

// empty refuses files in the place of a link to the shared directory.
func (r *Release) empty(dir string) error {
	for _, f := range r.Files {
		if f.Path == dir || strings.HasPrefix(f.Path, dir+"/") && f.Path != dir+"/" {
			return bundle.Invalid("%q lies in the writable directory %s, which becomes a link to a shared directory", f.Path, dir)
		}
	}
	return nil
}

// program reports whether there may be a program at p once the version is installed:
// an executable file, a link, or a path below a link. Below a directory that services write
// to there is none: root would execute what a service's user has put there.
func (r *Release) program(p string) bool {
	if f := r.find(p); f != nil {
		return f.Type() == bundle.Link || f.Type() == bundle.File && f.Perm()&0o111 != 0
	}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if f := r.find(dir); f != nil && f.Type() == bundle.Link {
			return true
		}
	}
	return false
}

func (r *Release) find(p string) *File {
	for i := range r.Files {
		if r.Files[i].Path == p {
			return &r.Files[i]
		}
	}
	return nil
}

func (r *Release) has(p string) bool {
	for i := range r.Files {
		if q := r.Files[i].Path; q == p || strings.HasPrefix(q, p+"/") {
			return true
		}
	}
	return false
}
