package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"github.com/tope/updater/platform/filecaps"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Type is what an entry becomes on disk.
type Type uint8

// The types of an entry. Devices, pipes, sockets and hard links cannot be in a bundle.
const (
	File Type = iota
	Dir
	Link
)

// Entry is one path of the release.
type Entry struct {
	// Path is relative to the version's directory, with slashes.
	Path string
	Type Type
	// Mode has permission bits only; 0 when the bundle has no mode for the entry.
	Mode fs.FileMode
	// Capabilities are those that a file is to have.
	Capabilities filecaps.Set
	// Size is how many bytes Open yields; 0 for anything but a file.
	Size int64
	// SHA256 is the digest that a file's content must have, 64 hex digits; empty
	// when the format has none.
	SHA256 string
	// Spare is set for a content that is made of files on this device. When these
	// files are damaged or missing, the bundle's own copy can be fetched
	// (steps.Lacking).
	Spare bool
	// Target is a link's target.
	Target string
	// Open yields a file's content. The reader is for one goroutine and must be
	// closed; several may be open at once.
	Open func() (io.ReadCloser, error)
}

// Release is a bundle's description of its release, the same for all formats.
type Release struct {
	// Version is without "v" and fit to name a directory.
	Version string
	// Services have to be restarted. They are in the order in which they start.
	Services []string
	// Commands are shell commands the bundle wants run.
	Commands []steps.Command
	// Digest names the release, for formats that have a digest. It is empty for
	// others; then the file's MD5 names the release.
	Digest string
	// Epoch is compared with the device's floor. It is 0 in formats without epochs.
	Epoch int64
	// Expires is the time from which the release may not be installed; zero for no
	// limit.
	Expires time.Time
	// Dropped tells in one line what entries of the bundle have and the version will
	// not; empty for nothing.
	Dropped string
	// Brought is what the release brings besides its files.
	Brought versions.Brought
	// SignedBy is the key that signed the release; empty when the device requires
	// no signature.
	SignedBy string
}

// Totals counts the entries and bytes of an unpacked bundle.
type Totals struct {
	// Files counts files and links, Dirs directories, implied ones included.
	Files, Dirs int
	// Bytes is the sum of the files' sizes.
	Bytes int64
}

// Bundle is an opened, acceptable bundle. Methods other than Close may be called
// from several goroutines.
type Bundle interface {
	Release() Release
	Totals() Totals
	// Entries walks all entries in the order of the bundle. A directory may be
	// missing, or come after its contents, or come twice. The walk ends after an
	// error.
	Entries() iter.Seq2[Entry, error]
	// InOrder reports that the files come out of one stream: they can only be
	// opened in the order of Entries, and each has to be read before the next.
	InOrder() bool
	Close() error
}

// Format recognises and opens one kind of bundle. Implementations are values
// without state.
type Format interface {
	Name() string
	// Match reports whether a file that begins with head (up to 512 bytes) is of
	// this kind.
	Match(head []byte) bool
	// Open takes over f when it succeeds: closing the bundle closes f.
	Open(f *os.File, size int64, limits Limits) (Bundle, error)
}

// Open opens the bundle at path with the format that recognises it.
func Open(path string, limits Limits, formats ...Format) (Bundle, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, steps.FromOS(err, "cannot open the bundle")
	}
	b, err := open(f, limits.orDefaults(), formats)
	if err != nil {
		_ = f.Close() // read-only: the other error counts
		return nil, steps.FromOS(err, "bundle "+path)
	}
	return b, nil
}

func open(f *os.File, limits Limits, formats []Format) (Bundle, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, steps.FromOS(err, "cannot look at it")
	}
	if err := Regular(info); err != nil {
		return nil, err
	}
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, steps.FromOS(err, "cannot read it")
	}
	for _, format := range formats {
		if format.Match(head[:n]) {
			return format.Open(f, info.Size(), limits)
		}
	}
	return nil, Stranger(head[:n], info.Size())
}

// Invalid refuses a bundle for its bytes.
func Invalid(format string, args ...any) error {
	return &steps.Error{Class: steps.Refused, Code: steps.InvalidPackage, Err: fmt.Errorf(format, args...)}
}

// WithHint returns a refusal with what a person can do about it; a line that is too long
// for its place never loses its hint.
func WithHint(hint string, err error) error {
	e := *steps.AsError(err)
	e.Hint = hint
	return &e
}

// InvalidManifest refuses a bundle for its description of the release.
func InvalidManifest(format string, args ...any) error {
	return &steps.Error{Class: steps.Refused, Code: steps.InvalidManifest, Err: fmt.Errorf(format, args...)}
}
