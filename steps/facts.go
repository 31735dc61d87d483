package steps

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
)

// Facts are the findings that successful steps hand on to later ones. A pointer is
// nil when its step has not succeeded in this update, or has left no fact. Facts
// are for reading only.
//
// A step hands its fact on by embedding it in its Evidence: the journal has no
// second copy, and this file is the only place that names the JSON keys. Journals in
// the field contain these keys, so the keys never change (TestTheKeysInTheJournal).
type Facts struct {
	Download *Downloaded
	Verify   *Verified
	Switch   *Switched
	Restart  *Begun
	Health   *Judged
}

// Fact is evidence that embeds one of the facts. A step that leaves one asserts
// it: var _ steps.Fact = Evidence{}.
type Fact interface{ tell(f *Facts) }

func (d Downloaded) tell(f *Facts) { f.Download = &d }
func (v Verified) tell(f *Facts)   { f.Verify = &v }
func (s Switched) tell(f *Facts)   { f.Switch = &s }
func (b Begun) tell(f *Facts)      { f.Restart = &b }
func (j Judged) tell(f *Facts)     { f.Health = &j }

// ReadFacts reads the facts out of the journal's evidence; found maps a step's name
// to its evidence. ReadFacts returns every fact that it can read, and the error names
// the steps whose evidence is unreadable.
func ReadFacts[N ~string](found map[N]json.RawMessage) (Facts, error) {
	var f Facts
	return f, errors.Join(
		read(found, Download, &f.Download),
		read(found, Verify, &f.Verify),
		read(found, Switch, &f.Switch),
		read(found, Restart, &f.Restart),
		read(found, HealthCheck, &f.Health),
	)
}

func read[N ~string, F any](found map[N]json.RawMessage, step Name, fact **F) error {
	raw := found[N(step)]
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, fact); err != nil {
		*fact = nil
		return fmt.Errorf("cannot read what %s left in the journal: %w", step, err)
	}
	return nil
}

// Downloaded is what Download leaves.
type Downloaded struct {
	Fetched
	// Wire is nil for a bundle that was fetched whole, also when the device had
	// parts of it.
	Wire *Wire `json:"wire,omitempty"`
}

// Fetched is the proof of the bundle's bytes, so that no step hashes them twice.
// Verify's evidence also has one, with Verify's own findings.
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

// Fresh reports whether the digest still counts at now. It counts for the length of
// window; a window of zero or less never ends. If the clock went backwards since the
// digest was taken, the digest does not count, whatever the window.
func (f Fetched) Fresh(now time.Time, window time.Duration) bool {
	if f.At.IsZero() || now.Before(f.At) {
		return false
	}
	return window <= 0 || now.Sub(f.At) <= window
}

// Wire tells how much of a bundle was downloaded, and how much was on the device
// already. All sizes are in bytes.
type Wire struct {
	// Head and Payload are the sizes that had to be downloaded. Whole is the size for
	// a device that has nothing to reuse (head and solid member). Saved is the
	// difference.
	Head    int64 `json:"head"`
	Payload int64 `json:"payload"`
	Whole   int64 `json:"whole"`
	Saved   int64 `json:"saved"`
	// Local counts the contents taken from the device, Patched those made by
	// patches, and Alone those fetched as members of their own. LocalBytes,
	// PatchedBytes and AloneBytes are the sizes of these contents.
	Local        int   `json:"local,omitempty"`
	LocalBytes   int64 `json:"local_bytes,omitempty"`
	Patched      int   `json:"patched,omitempty"`
	PatchedBytes int64 `json:"patched_bytes,omitempty"`
	Alone        int   `json:"alone,omitempty"`
	AloneBytes   int64 `json:"alone_bytes,omitempty"`
	// Solid says that everything came as the solid member.
	Solid bool `json:"solid,omitempty"`
	// Lacking counts contents that were planned to come from the device and turned
	// out damaged or missing: their own members were fetched instead.
	Lacking int `json:"lacking,omitempty"`
	// SignedBy is the key that signed the head; empty when the device required no
	// signature.
	SignedBy string `json:"signed_by,omitempty"`
}

// Verified is what Verify leaves.
type Verified struct {
	// Commands are for Restart to run.
	Commands []Command `json:"commands,omitempty"`
	// Epoch and Brought are what a signed release brings besides its files. Extract
	// makes the links for the release's writable directories. Stage writes both
	// fields into the version's manifest, where later steps find them, also in a
	// later rollback to this version.
	Epoch   int64            `json:"epoch,omitempty"`
	Brought versions.Brought `json:"brought,omitzero"`
	// SignedBy is the key that signed the release; empty when no signature was checked.
	// The record that commits has it, too, and the version's manifest.
	SignedBy string `json:"signed_by,omitempty"`
}

// Command is a shell command that a release asks to have run after it was
// installed, before its services start. It is in Verify's evidence only when
// the configuration allows it. It may run twice.
type Command struct {
	Module string `json:"module"`
	Shell  string `json:"shell"`
}

// Switched is what Switch leaves.
type Switched struct {
	// StoppedAt is when the first service was told to stop, the beginning of the
	// downtime.
	StoppedAt Moment `json:"stopped_at"`
	// Units lists the changes to unit files; nil when all of them were right.
	Units *unitfiles.Changes `json:"units,omitempty"`
}

// Prepared is the note (Task.Notes) that Switch saves once the hook and the snapshots
// that must come before the flip are done, for versions that ask for any of them.
// Without the note, recovery must not complete the switch by itself.
type Prepared struct {
	Prepared bool `json:"prepared"`
}

// Moment is a point in time. It can be compared with another moment of the same boot.
type Moment struct {
	Boot string        `json:"boot"`
	Mono time.Duration `json:"mono_ns"`
}
