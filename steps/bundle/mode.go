package bundle

import (
	"bytes"
	"io/fs"
)

// ModeOf is the mode a file gets: readable by its owner, written by nobody,
// executable as the bundle says or, when it says nothing, if its content begins
// as a program's does.
func ModeOf(said fs.FileMode, head []byte) fs.FileMode {
	if said != 0 {
		return said&0o555 | 0o400
	}
	if bytes.HasPrefix(head, []byte("\x7fELF")) || bytes.HasPrefix(head, []byte("#!")) {
		return 0o555
	}
	return 0o444
}
