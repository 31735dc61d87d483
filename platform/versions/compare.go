package versions

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/filecaps"
)

// Kinds of a Problem.
const (
	Extra      = "extra"      // on disk, not in the manifest
	Gone       = "missing"    // in the manifest, not on disk
	Changed    = "changed"    // of another type, size, mode, capabilities, target or content
	Unreadable = "unreadable" // the disk does not give it back
)

// Problem is one entry of a version that is not as its manifest says.
type Problem struct {
	Path string `json:"path"`
	Kind string `json:"kind"`
	Text string `json:"text,omitempty"`
	// Rights is set for a Changed one of which only that differs, who may do what: mode
	// or capabilities.
	Rights bool `json:"-"`
}

func (p Problem) String() string {
	if p.Text == "" {
		return p.Path + " is " + p.Kind
	}
	return p.Path + " is " + p.Kind + ": " + p.Text
}

// mismatch is the ErrMismatch for what was found in a tree.
func mismatch(dir string, problems []Problem) error {
	const shown = 3
	texts := make([]string, 0, shown)
	for _, p := range problems[:min(shown, len(problems))] {
		texts = append(texts, p.String())
	}
	if more := len(problems) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("%s: %w: %s", dir, ErrMismatch, strings.Join(texts, "; "))
}

// strictness says how modes are compared.
type strictness bool

const (
	staged    strictness = false // write bits are still to be cleared
	published strictness = true  // modes are as the manifest has them
)

// compare looks at every entry of a tree, not at contents, and returns where it
// differs from m, by path.
func compare(root *os.Root, m *Manifest, how strictness) ([]Problem, error) {
	var problems []Problem
	seen := make([]bool, len(m.Files))
	err := disk.Walk(root, func(name string, info fs.FileInfo) error {
		switch name {
		case ManifestName:
			return nil
		case ".":
			if how == published && info.Mode()&0o222 != 0 {
				problems = append(problems, Problem{Path: name, Kind: Changed, Text: "the directory has write bits", Rights: true})
			}
			return nil
		}
		i, listed := slices.BinarySearchFunc(m.Files, name, func(f File, name string) int {
			return strings.Compare(f.Path, name)
		})
		if !listed {
			problems = append(problems, Problem{Path: name, Kind: Extra})
			return nil
		}
		seen[i] = true
		text, err := differs(root, &m.Files[i], info)
		rights := text == "" && err == nil
		if rights {
			text, err = differsInRights(root, &m.Files[i], info, how)
		}
		if text != "" {
			problems = append(problems, Problem{Path: name, Kind: Changed, Text: text, Rights: rights})
		}
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	for i, f := range m.Files {
		if !seen[i] {
			problems = append(problems, Problem{Path: f.Path, Kind: Gone})
		}
	}
	sort.SliceStable(problems, func(i, j int) bool { return problems[i].Path < problems[j].Path })
	return problems, nil
}

// differs says how an entry on disk differs from its line in the manifest.
func differs(root *os.Root, f *File, info fs.FileInfo) (string, error) {
	if have := typeOf(info); have != f.Type {
		return fmt.Sprintf("a %s, not a %s", have, f.Type), nil
	}
	if f.Type == TypeLink {
		target, err := root.Readlink(f.Path)
		if err != nil || target == f.Target {
			return "", err
		}
		return fmt.Sprintf("leads to %s, not %s", target, f.Target), nil
	}
	if f.Type == TypeFile && info.Size() != f.Size {
		return fmt.Sprintf("%d bytes, not %d", info.Size(), f.Size), nil
	}
	return "", nil
}

// differsInRights says how the mode or the capabilities of an entry differ.
func differsInRights(root *os.Root, f *File, info fs.FileInfo, how strictness) (string, error) {
	if f.Type == TypeLink {
		return "", nil
	}
	mode := info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	if how == staged {
		if f.Type == TypeDir {
			return "", nil // sealing gives every directory the same mode
		}
		mode &^= 0o222
	}
	if mode != fs.FileMode(f.Mode) {
		return fmt.Sprintf("mode %v, not %v", mode, fs.FileMode(f.Mode)), nil
	}
	if f.Type == TypeDir {
		return "", nil
	}
	return differsInCapabilities(root, f)
}

// differsInCapabilities says what a file may do that it should not, or the reverse.
// Capabilities of a kind that no version has are a difference, too.
func differsInCapabilities(root *os.Root, f *File) (string, error) {
	// The tree is root's: nobody else can put a link into the path.
	have, err := filecaps.Of(filepath.Join(root.Name(), filepath.FromSlash(f.Path)))
	switch {
	case errors.Is(err, filecaps.ErrForeign):
		return filecaps.ErrForeign.Error(), nil
	case err != nil:
		return "", err
	case have != f.Capabilities:
		return fmt.Sprintf("capabilities %s, not %s", orNone(have), orNone(f.Capabilities)), nil
	}
	return "", nil
}

func orNone(s filecaps.Set) string {
	if s.None() {
		return "none"
	}
	return s.String()
}

// typeOf is a File's Type, or a name for what cannot be in a version.
func typeOf(info fs.FileInfo) string {
	switch info.Mode().Type() {
	case 0:
		return TypeFile
	case fs.ModeDir:
		return TypeDir
	case fs.ModeSymlink:
		return TypeLink
	default:
		return "special file"
	}
}
