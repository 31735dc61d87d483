package pack

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
)

// Tree is a directory read for packing.
type Tree struct {
	Dir   string
	Files []native.File
	// Warnings tell of entries that a device would take but that look like mistakes.
	Warnings []string
}

// Problems are the reasons why a directory cannot be packed, all of them.
type Problems []string

func (p Problems) Error() string { return strings.Join(p, "\n") }

// Scan reads a directory. Its Problems are the entries that every device would refuse
// (a special file, a link that leads out of the tree, a program that cannot be executed,
// a file over the size limit), and those that the release would not carry whole, unless
// that is among the losses to leave out.
func Scan(dir string, limits bundle.Limits, drop ...Loss) (*Tree, error) {
	carrier, err := newCarrier(dir, drop)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	s := &scan{tree: &Tree{Dir: dir}, limits: limits, carrier: carrier, filled: map[string]bool{}}
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil || rel == versions.ManifestName {
			return err
		}
		err = s.entry(p, filepath.ToSlash(rel), d)
		var problems Problems
		if errors.As(err, &problems) {
			s.problems = append(s.problems, problems...)
			return nil
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	if s.problems = append(s.problems, carrier.exposed()...); len(s.problems) > 0 {
		return nil, s.problems
	}
	t := s.tree
	t.Warnings = append(t.Warnings, carrier.warnings()...)
	// A directory that is not empty is implied by its entries.
	t.Files = slices.DeleteFunc(t.Files, func(f native.File) bool {
		return f.Type() == bundle.Dir && s.filled[strings.TrimSuffix(f.Path, "/")]
	})
	slices.SortFunc(t.Files, func(a, b native.File) int { return strings.Compare(a.Path, b.Path) })
	return t, nil
}

// scan is one Scan under way.
type scan struct {
	tree     *Tree
	limits   bundle.Limits
	carrier  *carrier
	problems Problems
	filled   map[string]bool // the directories that are not empty
}

// entry adds one path to the tree, or returns its Problems.
func (s *scan) entry(p, rel string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	problems, err := s.carrier.judge(p, rel, info)
	if err != nil {
		return err
	}
	if rel == "." {
		return problems.orNil()
	}
	s.filled[path.Dir(rel)] = true
	f, err := s.fileOf(p, rel, info)
	var more Problems
	if errors.As(err, &more) {
		return append(problems, more...)
	}
	if err == nil {
		s.tree.Files = append(s.tree.Files, f)
		err = problems.orNil()
	}
	return err
}

func (p Problems) orNil() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

func (s *scan) fileOf(p, rel string, info fs.FileInfo) (f native.File, err error) {
	if err := bundle.CheckPath(rel, s.limits); err != nil {
		return f, Problems{err.Error()}
	}
	switch typ := info.Mode().Type(); {
	case typ == fs.ModeDir:
		s.carrier.directory(rel, info.Mode())
		return native.File{Path: rel + "/"}, nil
	case typ == fs.ModeSymlink:
		target, err := os.Readlink(p)
		if err != nil {
			return f, err
		}
		if err := bundle.CheckTarget(rel, target, s.limits); err != nil {
			return f, Problems{err.Error()}
		}
		return native.File{Path: rel, Link: target}, nil
	case typ != 0:
		return f, Problems{fmt.Sprintf("%q is a %s: only files, directories and links can be packed", rel, typ)}
	case info.Size() > s.limits.File:
		return f, Problems{fmt.Sprintf("%q has %d bytes, more than the %d a file may have", rel, info.Size(), s.limits.File)}
	}
	return s.regular(p, rel, info)
}

func (s *scan) regular(p, rel string, info fs.FileInfo) (f native.File, err error) {
	in, err := os.Open(p)
	if err != nil {
		return f, err
	}
	defer in.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, in)
	if err != nil {
		return f, fmt.Errorf("read %s: %w", p, err)
	}
	caps, err := s.carrier.capabilities(p, rel)
	if err != nil {
		return f, err
	}
	perm := s.carrier.mode(rel, info.Mode())
	f = native.File{Path: rel, Mode: native.ModeText(perm, caps), Size: n}
	if n > 0 {
		f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	if perm&0o111 != 0 {
		return f, nil
	}
	if warning := warnProgram(rel, in); warning != "" {
		s.tree.Warnings = append(s.tree.Warnings, warning)
	}
	return f, problemProgram(rel, in)
}

// problemProgram refuses a program that cannot be started.
func problemProgram(rel string, in io.ReaderAt) error {
	script, program := looksLike(in)
	if program || script && strings.HasPrefix(rel, "bin/") {
		return Problems{fmt.Sprintf("%q is a program without its execute bit: chmod +x it", rel)}
	}
	return nil
}

func warnProgram(rel string, in io.ReaderAt) string {
	if script, _ := looksLike(in); script && !strings.HasPrefix(rel, "bin/") {
		return fmt.Sprintf("%q begins with #! and is not executable", rel)
	}
	return ""
}

// looksLike reports whether a file is a script, or an ELF program (with an interpreter,
// or static). A shared library is neither.
func looksLike(in io.ReaderAt) (script, program bool) {
	var head [4]byte
	if n, err := in.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) || n < 2 {
		return false, false
	}
	if bytes.HasPrefix(head[:], []byte("#!")) {
		return true, false
	}
	if string(head[:]) != elf.ELFMAG {
		return false, false
	}
	e, err := elf.NewFile(in)
	if err != nil {
		return false, false
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP {
			return false, true
		}
	}
	return false, e.Type == elf.ET_EXEC
}
