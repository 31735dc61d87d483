package bundle

import (
	"bytes"
	"io/fs"
)

// ModeOf returns the mode for a file: readable by its owner and read-only. A file is
// executable when the bundle says so. When the bundle does not say, it is executable
// if its content begins like a program.
func ModeOf(said fs.FileMode, head []byte) fs.FileMode {
	if said != 0 {
		return said&0o555 | 0o400
	}
	if bytes.HasPrefix(head, []byte("\x7fELF")) || bytes.HasPrefix(head, []byte("#!")) {
		return 0o555
	}
	return 0o444
}
