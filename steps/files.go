package steps

import (
	"time"

	"github.com/tope/updater/platform/versions"
)

// Fetched is the part of Download's evidence that later steps rely on, so that
// nobody hashes the bundle twice. Download's evidence embeds it.
type Fetched struct {
	// Size is the bundle's size in bytes, as it is on disk.
	Size int64 `json:"size"`
	// MD5 is its digest, 32 lower-case hex digits.
	MD5 string `json:"md5"`
	// Digest names the release when its own head was proved rather than the
	// file's MD5; empty for a legacy package.
	Digest string `json:"digest,omitempty"`
	// At is when the digest was taken, by the wall clock.
	At time.Time `json:"at"`
}

// Wire is the part of Download's evidence that tells what a bundle cost, and
// what did not have to come because it was on the device. All sizes in bytes.
type Wire struct {
	// Head and Payload are what had to come, Whole what a device with nothing
	// to reuse downloads (head and solid member), Saved the difference.
	Head    int64 `json:"head"`
	Payload int64 `json:"payload"`
	Whole   int64 `json:"whole"`
	Saved   int64 `json:"saved"`
	// Local, Patched and Alone count contents: taken from the device, made by
	// patches, fetched as members of their own; with the bytes of the contents.
	Local        int   `json:"local,omitempty"`
	LocalBytes   int64 `json:"local_bytes,omitempty"`
	Patched      int   `json:"patched,omitempty"`
	PatchedBytes int64 `json:"patched_bytes,omitempty"`
	Alone        int   `json:"alone,omitempty"`
	AloneBytes   int64 `json:"alone_bytes,omitempty"`
	// Solid says that everything came as the solid member.
	Solid bool `json:"solid,omitempty"`
	// Lacking counts contents that were to come from the device and were not
	// what they should be: their own members were fetched instead.
	Lacking int `json:"lacking,omitempty"`
	// SignedBy is the key that signed the head; empty when nobody's signature
	// was asked for.
	SignedBy string `json:"signed_by,omitempty"`
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

// Halted is the part of Switch's evidence that Restart measures the downtime by.
type Halted struct {
	// StoppedAt is when the first service was told to stop.
	StoppedAt Moment `json:"stopped_at"`
}

// Prepared is the note that Switch keeps once it has done all that must come
// before the flip, for versions that ask for any of it (Owes). Until it is there
// recovery must not complete the switch by itself.
type Prepared struct {
	Prepared bool `json:"prepared"`
}
