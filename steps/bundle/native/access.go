package native

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/tope/updater/platform/filecaps"
)

// everybody is the right to read, for all users.
const everybody = 0o444

// ModeText is the mode of a file as a release file has it.
func ModeText(perm fs.FileMode, caps filecaps.Set) string {
	digits := "0" + strconv.FormatUint(uint64(perm&fs.ModePerm|1<<9), 8)[1:]
	if caps.None() {
		return digits
	}
	return digits + " " + caps.String()
}

// access reads the mode.
func (f *File) access() (fs.FileMode, filecaps.Set, error) {
	digits, text, more := strings.Cut(f.Mode, " ")
	mode, err := strconv.ParseUint(digits, 8, 32)
	if err != nil || len(digits) != 4 || mode&^0o777 != 0 {
		return 0, filecaps.Set{}, errors.New("not four octal digits up to 0777: no setuid, setgid or sticky bits")
	}
	var caps filecaps.Set
	if more {
		caps, err = filecaps.Parse(text)
	}
	return fs.FileMode(mode), caps, err
}

// Perm is a file's mode as it was packed.
func (f *File) Perm() fs.FileMode {
	mode, _, err := f.access()
	if err != nil {
		return everybody
	}
	return mode
}

// Capabilities are those that a file of the list is to have.
func (f *File) Capabilities() filecaps.Set {
	_, caps, err := f.access()
	if err != nil {
		return filecaps.Set{}
	}
	return caps
}

// Capable counts the files that are to have capabilities. first is the path of one of
// them.
func (r *Release) Capable() (n int, first string) {
	for i := range r.Files {
		if r.Files[i].Capabilities().None() {
			continue
		}
		if n == 0 {
			first = r.Files[i].Path
		}
		n++
	}
	return n, first
}

// PermOf is the mode that a file of the release gets on a device, write bits aside.
func (r *Release) PermOf(f *File) fs.FileMode {
	if r.Schema == schemaOne {
		return f.Perm() | everybody
	}
	return f.Perm()
}

// LeastSchema is the oldest schema that says all of the release. An updater that does
// not know a later one refuses the release, before it would let everybody read a file
// or leave capabilities out.
func (r *Release) LeastSchema() int {
	for i := range r.Files {
		f := &r.Files[i]
		if f.Mode != "" && (f.Perm()&everybody != everybody || !f.Capabilities().None()) {
			return Schema
		}
	}
	return schemaOne
}
