package versions

import (
	"errors"
)

// Names of the three pointers.
const (
	Current  = "current"
	Previous = "previous"
	Factory  = "factory"
)

// Pointers is where the pointers lead: versions without the "v", empty for a
// pointer that is absent.
type Pointers struct {
	Current  string `json:"current"`
	Previous string `json:"previous"`
	Factory  string `json:"factory"`
}

// State is what a version's directory turned out to be.
type State string

// A version is one of these.
const (
	// Missing: there is no such directory.
	Missing State = "missing"
	// Damaged: a directory is there, but its manifest cannot be read or does
	// not belong to it. It is never made current.
	Damaged State = "damaged"
	// Unverified: a directory without a manifest, made by hand, adopted as it is.
	Unverified State = "unverified"
	// Complete: published by the updater, with a readable manifest.
	Complete State = "complete"
)

// Usable reports whether a pointer may lead to a version in this state.
func (s State) Usable() bool { return s == Complete || s == Unverified }

// Errors callers branch on.
var (
	// ErrNotFound: no such version.
	ErrNotFound = errors.New("no such version")
	// ErrInUse: a pointer, or the open update, still needs the version.
	ErrInUse = errors.New("the version is in use")
	// ErrExists: a version of that name but of another digest is already there.
	ErrExists = errors.New("another release of that version is installed")
	// ErrNoManifest: the version was made by hand.
	ErrNoManifest = errors.New("the version has no manifest")
	// ErrDamaged: the version's directory is there but cannot be used.
	ErrDamaged = errors.New("the version is damaged")
	// ErrMismatch: a tree is not what its manifest says.
	ErrMismatch = errors.New("the files do not match the manifest")
	// ErrForeign: a pointer, marker or link was not made by the updater: it leads
	// where the updater would not make it lead, or is not a symlink. It is left alone.
	ErrForeign = errors.New("not made by the updater")
	// ErrFactorySet: there is a factory version, and replacing it was not asked for.
	ErrFactorySet = errors.New("a factory version is set already")
	// ErrCurrentSet: current leads to a version, which only an update or a rollback changes.
	ErrCurrentSet = errors.New("current leads to a version already")
	// ErrNotExecutable: programs of the version could not be started.
	ErrNotExecutable = errors.New("programs that cannot be started")
	// ErrSpecialBits: files of a version made by hand are setuid, setgid or sticky.
	ErrSpecialBits = errors.New("setuid, setgid or sticky bits, which no version has")
)
