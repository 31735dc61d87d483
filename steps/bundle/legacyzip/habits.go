package legacyzip

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle"
)

// This file knows the habits of people and of their ZIP programs: for each that makes a
// package unfit, the refusal names the habit and what to do instead. One habit leaves
// only one reading, and is accepted: a UTF-8 byte order mark before the manifest.

// methodName names a compression method for people (APPNOTE.TXT 4.4.5).
func methodName(method uint16) string {
	names := map[uint16]string{
		6: "implode", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz", 98: "PPMd", 99: "AES encryption",
	}
	if name, ok := names[method]; ok {
		return name
	}
	return fmt.Sprintf("method %d", method)
}

const (
	inside = "make the package inside the folder, so that its names begin there"
	asUTF8 = "save it as UTF-8"
	anew   = "make the package anew, with each name once"
	whole  = "copy or download it again"
	unlock = "make the package without a password"
	asSrc  = "src names a file or folder as the package has it, in the same case"
	plain  = "make the package with deflate, which every ZIP program knows (7-Zip: -mm=Deflate)"
	joined = "make the package as one file"
)

// nameHabits refuses names that do not mean what their writer thought.
func nameHabits(name string) error {
	switch {
	case strings.Contains(name, `\`):
		return bundle.WithHint("make the package with another program, or with a newer version of it", bundle.Invalid("%q has backslashes where a ZIP file has slashes", name))
	case strings.HasPrefix(name, "/"):
		return bundle.WithHint(inside, bundle.Invalid("%q is an absolute path", name))
	case len(name) > 2 && name[1:3] == ":/":
		return bundle.WithHint(inside, bundle.Invalid("%q begins with a drive", name))
	case !utf8.ValidString(name):
		return bundle.WithHint("make the package with a program that writes UTF-8, or use plain letters", bundle.Invalid("the name %q is not UTF-8", name))
	case strings.HasPrefix(name, "./"):
		return bundle.WithHint("make the package of the names themselves (zip -r package.zip *), not of the directory .", bundle.Invalid("%q begins with ./", name))
	}
	return nil
}

// litter reports whether an entry is what file managers leave behind.
func litter(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	name := path.Base(p)
	return first == "__MACOSX" || name == ".DS_Store" || name == "Thumbs.db" || name == "desktop.ini"
}

// lost remembers, while the entries are walked, what may explain that there is no
// manifest.json. Its size does not grow with the package.
type lost struct {
	// folder is the one folder that everything lies in; "" when there are several.
	folder        string
	several       bool
	nested, other string
}

func (l *lost) see(h *header) {
	if litter(h.path) {
		return
	}
	first, _, inside := strings.Cut(h.path, "/")
	switch {
	case !inside && h.typ != bundle.Dir, l.folder != "" && l.folder != first:
		l.several = true
	default:
		l.folder = first
	}
	if h.typ != bundle.File {
		return
	}
	switch name := path.Base(h.path); {
	case name == manifestName:
		if l.nested == "" || len(h.path) < len(l.nested) {
			l.nested = h.path
		}
	case !inside && (strings.EqualFold(name, manifestName) || strings.HasPrefix(strings.ToLower(name), "manifest.")):
		l.other = name
	}
}

// why refuses the package without a manifest.
func (l *lost) why() error {
	switch {
	case l.nested != "" && !l.several:
		return bundle.WithHint("zip the folder's contents, not the folder",
			bundle.InvalidManifest("the package has everything in a folder %q", path.Dir(l.nested)))
	case l.nested != "":
		return bundle.WithHint("put it at the top", bundle.InvalidManifest("the package has its %s in a folder, as %q", manifestName, l.nested))
	case l.other != "":
		return bundle.WithHint("rename it", bundle.InvalidManifest("the package has no %s, but a %q", manifestName, l.other))
	}
	return bundle.WithHint("is it a release at all?", bundle.InvalidManifest("the package has no %s at its top", manifestName))
}

// special counts the entries whose setuid, setgid or sticky bits are left out.
type special struct {
	first string
	count int
}

func (s *special) see(h *header) {
	if !h.special {
		return
	}
	if s.count == 0 {
		s.first = h.path
	}
	s.count++
}

func (s *special) dropped() string {
	if s.count == 0 {
		return ""
	}
	more := ""
	if s.count > 1 {
		more = fmt.Sprintf(" and of %d more", s.count-1)
	}
	return fmt.Sprintf("setuid, setgid or sticky bits of %q%s: no version has them; chmod them away before the package is made", s.first, more)
}

// plainText takes the byte order mark away, and refuses encodings other than UTF-8.
func plainText(data []byte) ([]byte, error) {
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		return rest, nil
	}
	utf16 := bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff"))
	if utf16 || len(data) > 1 && (data[0] == 0 || data[1] == 0) {
		return nil, bundle.WithHint(asUTF8, bundle.InvalidManifest("%s is UTF-16", manifestName))
	}
	return data, nil
}

// notJSON says where the manifest stops being JSON: people look for a line.
func notJSON(data []byte, err error) error {
	line := func(offset int64) int { return 1 + bytes.Count(data[:min(offset, int64(len(data)))], []byte("\n")) }
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return bundle.WithHint(fmt.Sprintf("correct its line %d", line(syntax.Offset)), bundle.InvalidManifest("%s is not JSON: %w", manifestName, err))
	case errors.As(err, &kind):
		field := kind.Field
		if field == "" {
			field = "it"
		}
		return bundle.WithHint(fmt.Sprintf("correct its line %d", line(kind.Offset)),
			bundle.InvalidManifest("%s: %s is of kind %s, and has to be %s", manifestName, field, kind.Value, wanted(kind.Type.Kind())))
	}
	return bundle.InvalidManifest("%s is not whole JSON: %w", manifestName, err)
}

func wanted(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a string in quotes"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list in [ ]"
	}
	return "an object in { }"
}

// version judges the manifest's version. Packages of the first generation came with
// versions that no device could be asked for, since the API takes 1.2.3 only.
func (m *manifest) version() error {
	if m.Version == "" {
		return bundle.InvalidManifest("%s has no version: write one like \"1.2.3\"", manifestName)
	}
	if err := versions.ValidVersion(m.Version); err != nil {
		return bundle.InvalidManifest("%s: version: %w", manifestName, err)
	}
	return nil
}
