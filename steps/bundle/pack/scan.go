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

// Scan reads a directory. Its Problems are the entries that every device would refuse:
// a special file, a link that leads out of the tree, a program that cannot be executed,
// a file over the size limit.
func Scan(dir string, limits bundle.Limits) (*Tree, error) {
	t := &Tree{Dir: dir}
	var problems Problems
	filled := map[string]bool{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil || rel == "." || rel == versions.ManifestName {
			return err
		}
		filled[filepath.Dir(rel)] = true
		f, warning, err := scanOne(p, filepath.ToSlash(rel), d, limits)
		var problem Problems
		if errors.As(err, &problem) {
			problems = append(problems, problem...)
			return nil
		}
		if err != nil {
			return err
		}
		if warning != "" {
			t.Warnings = append(t.Warnings, warning)
		}
		t.Files = append(t.Files, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	// A directory that is not empty is implied by its entries.
	t.Files = slices.DeleteFunc(t.Files, func(f native.File) bool {
		return f.Type() == bundle.Dir && filled[filepath.FromSlash(strings.TrimSuffix(f.Path, "/"))]
	})
	slices.SortFunc(t.Files, func(a, b native.File) int { return strings.Compare(a.Path, b.Path) })
	return t, nil
}

func scanOne(p, rel string, d fs.DirEntry, limits bundle.Limits) (f native.File, warning string, err error) {
	info, err := d.Info()
	if err != nil {
		return f, "", err
	}
	if err := bundle.CheckPath(rel, limits); err != nil {
		return f, "", Problems{err.Error()}
	}
	switch typ := info.Mode().Type(); {
	case typ == fs.ModeDir:
		return native.File{Path: rel + "/"}, "", nil
	case typ == fs.ModeSymlink:
		target, err := os.Readlink(p)
		if err != nil {
			return f, "", err
		}
		if err := bundle.CheckTarget(rel, target, limits); err != nil {
			return f, "", Problems{err.Error()}
		}
		return native.File{Path: rel, Link: target}, "", nil
	case typ != 0:
		return f, "", Problems{fmt.Sprintf("%q is a %s: only files, directories and links can be packed", rel, typ)}
	case info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0:
		return f, "", Problems{fmt.Sprintf("%q has setuid, setgid or sticky bits (%s): chmod them away", rel, info.Mode())}
	case info.Size() > limits.File:
		return f, "", Problems{fmt.Sprintf("%q has %d bytes, more than the %d a file may have", rel, info.Size(), limits.File)}
	}
	return scanFile(p, rel, info)
}

func scanFile(p, rel string, info fs.FileInfo) (f native.File, warning string, err error) {
	in, err := os.Open(p)
	if err != nil {
		return f, "", err
	}
	defer in.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, in)
	if err != nil {
		return f, "", fmt.Errorf("read %s: %w", p, err)
	}
	// A device clears the write bits and needs the owner's read bit. With these
	// modes one tree gives one bundle, whatever umask the tree was made under.
	mode := "0644"
	if info.Mode()&0o111 != 0 {
		mode = "0755"
	}
	f = native.File{Path: rel, Mode: mode, Size: n}
	if n > 0 {
		f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	if mode == "0755" {
		return f, "", nil
	}
	return f, warnProgram(rel, in), problemProgram(rel, in)
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
