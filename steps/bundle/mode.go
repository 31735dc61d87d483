package bundle

import (
	"bytes"
	"io/fs"
)

// ModeOf returns the mode for a file: what the bundle says, without write bits, and
// readable by its owner. When the bundle does not say, everybody may read the file, and
// execute it if its content begins like a program.
func ModeOf(said fs.FileMode, head []byte) fs.FileMode {
	if said != 0 {
		return said&0o555 | 0o400
	}
	if bytes.HasPrefix(head, []byte("\x7fELF")) || bytes.HasPrefix(head, []byte("#!")) {
		return 0o555
	}
	return 0o444
}
