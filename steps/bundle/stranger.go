package bundle

import (
	"bytes"
	"os"
	"strings"

	"github.com/tope/updater/steps"
)

// What to do about a file that is not a bundle.
const (
	fetchAgain = "copy or download it again"
	address    = "check that the address leads to the bundle itself"
	unpackIt   = "unpack it, and make a bundle of the directory with tope-bundle pack"
	zipIt      = "make a ZIP file of its contents, or a bundle with tope-bundle pack"
	packIt     = "make a bundle of a directory with tope-bundle pack"
)

// stranger is a kind of file that people and servers give in a bundle's place.
type stranger struct {
	at              int
	magic, is, hint string
}

// strangers lists them by the bytes that they have at an offset.
func strangers() []stranger {
	return []stranger{
		{0, "\x28\xb5\x2f\xfd", "it is compressed with zstd", unpackIt},
		{0, "\x1f\x8b", "it is compressed with gzip", unpackIt},
		{0, "\xfd7zXZ\x00", "it is compressed with xz", unpackIt},
		{0, "BZh", "it is compressed with bzip2", unpackIt},
		{257, "ustar", "it is a tar archive", unpackIt},
		{0, "!<arch>", "it is a Debian package or a library", unpackIt},
		{0, "7z\xbc\xaf\x27\x1c", "it is a 7z archive", zipIt},
		{0, "Rar!\x1a\x07", "it is a RAR archive", zipIt},
		{0, "PK\x07\x08", "it is the first part of a split ZIP file", "make the package as one file"},
		{0, "MZ", "it is a program for Windows, perhaps one that unpacks itself", zipIt},
		{0, "#!", "it is a script, perhaps one that unpacks itself", zipIt},
		{0, "\x7fELF", "it is a program", packIt},
		{0, "{", "it is JSON, perhaps a server's answer", address},
		{0, "<?xml", "it is XML, perhaps a server's answer", address},
		{0, "<Error", "it is XML, perhaps a server's answer", address},
	}
}

// Stranger refuses a file that no format takes for its own, and says what it is instead
// and what to do. head is how the file begins, up to 512 bytes; size is in bytes.
func Stranger(head []byte, size int64) error {
	unknown := func(is, hint string) error {
		return ofNoFormat(WithHint(hint, Invalid("the file is of no known bundle format: %s", is)))
	}
	if size == 0 {
		return unknown("it is empty", fetchAgain)
	}
	for _, s := range strangers() {
		if len(head) >= s.at && bytes.HasPrefix(head[s.at:], []byte(s.magic)) {
			return unknown(s.is, s.hint)
		}
	}
	text := strings.ToLower(string(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))))
	for _, tag := range []string{"<!doctype html", "<html", "<head", "<script"} {
		if strings.HasPrefix(text, tag) {
			return unknown("it is a web page, perhaps one to log in", address)
		}
	}
	if len(bytes.Trim(head, "\x00")) == 0 {
		return unknown("it begins with zeros, as a file does that was never written out", fetchAgain)
	}
	return ofNoFormat(WithHint("a bundle is what tope-bundle made (.tope), or a package (.zip)",
		Invalid("the file is of no known bundle format (%d bytes, beginning with %q)", size, head[:min(len(head), 8)])))
}

// ofNoFormat adds what those may know of the file who could not read it themselves.
func ofNoFormat(err error) error {
	e := *steps.AsError(err)
	e.Outline = "the file is of no known bundle format; " + address
	return &e
}

// Regular refuses what is not a file.
func Regular(info os.FileInfo) error {
	switch {
	case info.IsDir():
		return WithHint("name a bundle; tope-bundle pack makes one of a directory", Invalid("it is a directory"))
	case !info.Mode().IsRegular():
		return WithHint("name a bundle", Invalid("it is not a regular file"))
	}
	return nil
}
