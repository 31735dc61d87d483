package channel

import (
	"fmt"
	"slices"
	"time"

	"github.com/tope/updater/steps/bundle/trust"
)

// maxMarks bounds a memory. A device has a handful of channel keys in all its life.
const maxMarks = 8

// Memory is what a device remembers of one channel: the newest file that each key has
// signed. It only ever has what was signed, never the device's own clock, so that a clock
// that was wrong for a day leaves nothing behind. The zero Memory is a new device's.
// A Memory is not changed by its methods.
type Memory struct {
	Marks []Mark `json:"marks,omitempty"`
}

// Mark is the newest file that a key has signed.
type Mark struct {
	// Key is the public key: trust.Key.Public.
	Key    string    `json:"key"`
	Serial int64     `json:"serial"`
	Issued time.Time `json:"issued"`
	Digest string    `json:"digest"`
}

// Newest is the mark with the highest serial; ok is false for a new device.
func (m Memory) Newest() (newest Mark, ok bool) {
	for _, k := range m.Marks {
		if k.Serial > newest.Serial {
			newest, ok = k, true
		}
	}
	return newest, ok
}

// Issued is the latest time that a remembered key has signed; zero for a new device.
func (m Memory) Issued() (latest time.Time) {
	for _, k := range m.Marks {
		if k.Issued.After(latest) {
			latest = k.Issued
		}
	}
	return latest
}

// Time is the time by which channels are judged: the latest of the device's clock, the
// build time of its updater, and what was signed. A device without a clock may give as its
// clock the time that it has last seen signed and the time that it has been running since.
func (m Memory) Time(clock, build time.Time) time.Time {
	latest := m.Issued()
	for _, t := range []time.Time{clock, build} {
		if t.After(latest) {
			latest = t
		}
	}
	return latest.UTC()
}

// Without lets go of what keys have said that may not sign channels any more: a thief who
// signed the highest serial, or a time in the far future, has no say once his key is
// revoked. What the other keys have signed stays. Keys that are merely out of date stay,
// too, and while no key may sign channels at all nothing is let go of: then the directory
// of the keys may be unreadable.
func (m Memory) Without(keys []trust.Key) Memory {
	may := func(public string) bool {
		return slices.ContainsFunc(keys, func(k trust.Key) bool {
			return k.Use == trust.Channel && k.State != trust.Revoked && (public == "" || k.Public == public)
		})
	}
	if !may("") {
		return m
	}
	kept := Memory{}
	for _, k := range m.Marks {
		if may(k.Key) {
			kept.Marks = append(kept.Marks, k)
		}
	}
	return kept
}

// Judge refuses a channel that is older than what is remembered (ErrRollback), or has a
// remembered serial and another content (ErrForked).
func (m Memory) Judge(s *Signed) error {
	newest, ok := m.Newest()
	switch latest := m.Issued(); {
	case !ok:
		return nil
	case s.Serial < newest.Serial:
		return fmt.Errorf("%w: serial %d, where %d was signed by %.8s…; is the server stale, or a cache in between?",
			ErrRollback, s.Serial, newest.Serial, newest.Key)
	case s.Serial == newest.Serial && s.Digest != newest.Digest:
		return fmt.Errorf("%w: serial %d is %s here and was %s before; compare this device with others, and sign one with a higher serial",
			ErrForked, s.Serial, s.Digest, newest.Digest)
	case s.Issued.Before(latest):
		return fmt.Errorf("%w: issued at %s, where %s was signed before; sign it with a clock that is right",
			ErrRollback, s.Issued.Format(time.RFC3339), latest.Format(time.RFC3339))
	}
	return nil
}

// Advance remembers a channel that Judge took, for each of its signers.
func (m Memory) Advance(s *Signed) Memory {
	next := Memory{slices.Clone(m.Marks)}
	for _, key := range s.Signers {
		mark := Mark{key.Public, s.Serial, s.Issued, s.Digest}
		if i := slices.IndexFunc(next.Marks, func(k Mark) bool { return k.Key == key.Public }); i >= 0 {
			next.Marks[i] = mark
			continue
		}
		next.Marks = append(next.Marks, mark)
	}
	for len(next.Marks) > maxMarks {
		lowest := 0
		for i, k := range next.Marks {
			if k.Serial < next.Marks[lowest].Serial {
				lowest = i
			}
		}
		next.Marks = slices.Delete(next.Marks, lowest, lowest+1)
	}
	return next
}
