package steps

import (
	"time"

	"github.com/tope/updater/platform/versions"
)

// BundleFile is the bundle's name in Task.WorkDir: Download leaves it there,
// whole and synced, and the steps after it read it there.
const BundleFile = "bundle"

// Fetched is the part of Download's evidence that later steps rely on, so that
// nobody hashes the bundle twice. Download's evidence embeds it.
type Fetched struct {
	// Size is the bundle's size in bytes, as it is on disk.
	Size int64 `json:"size"`
	// MD5 is its digest, 32 lower-case hex digits.
	MD5 string `json:"md5"`
	// At is when the digest was taken, by the wall clock.
	At time.Time `json:"at"`
}

// Commanded is the part of Verify's evidence that Restart acts on.
type Commanded struct {
	Commands []Command `json:"commands,omitempty"`
}

// Brought is the part of Verify's evidence that says what a signed release
// brings beside its files; Stage writes it into the version's manifest, where
// the steps after it find it, also when the version is gone back to later.
type Brought struct {
	Epoch   int64            `json:"epoch,omitempty"`
	Brought versions.Brought `json:"brought,omitzero"`
}

// Command is a shell command that a release asks to have run after it was
// installed, before its services start. It is in Verify's evidence only when
// the configuration allows it. It may run twice.
type Command struct {
	Module string `json:"module"`
	Shell  string `json:"shell"`
}

// Fresh reports whether something proved at a time still counts now: it does
// for as long as window, and not at all when the clock went backwards since. A
// window of zero or less never ends, but a clock that went backwards still counts.
func Fresh(at, now time.Time, window time.Duration) bool {
	if at.IsZero() || now.Before(at) {
		return false
	}
	return window <= 0 || now.Sub(at) <= window
}
