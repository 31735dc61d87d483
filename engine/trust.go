package engine

import (
	"context"
	"fmt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
)

// Witness is what tells of a signed release when the journal does not: the manifest of
// the version that was committed last.
type Witness interface {
	Marker() (old string, ok bool, err error)
	Pointers() (versions.Pointers, error)
	// SignedBy is the key in a version's manifest; empty when no signature was checked.
	SignedBy(version string) (string, error)
}

// SignedRelease names the newest signed release that a device has committed. It is
// empty when there is none, or root has let go of it. While it is not empty, a device
// without keys takes no release.
//
// The journal has it. A journal that knows of none may have been lost, or be older than
// this record: then the version that was committed last has it in its manifest. One that
// cannot be read says nothing, as with the epoch. w may be nil.
func SignedRelease(f *journal.Fold, w Witness) string {
	switch {
	case f.Signed != nil:
		return described(f.Signed.Version)
	case f.Forgotten != nil:
		return ""
	}
	if w == nil {
		return ""
	}
	version, marked, err := w.Marker()
	if err == nil && !marked {
		var at versions.Pointers
		at, err = w.Pointers()
		version = at.Current
	}
	if err != nil || version == "" {
		return ""
	}
	key, err := w.SignedBy(version)
	if err != nil || key == "" {
		return ""
	}
	return described(version)
}

func described(version string) string { return "signed release " + version }

// ForgetTrust lets go of the signed releases that were committed, and returns the newest
// as SignedRelease does: from then on a device without keys takes any release again, until
// another signed one is committed. The highest epoch that was committed remains the floor
// of releases to come. It is durable when it returns; why goes into the journal. Errors:
// ErrNothingToDo when there is none, ErrJournal.
func (e *Engine) ForgetTrust(ctx context.Context, why string) (was string, floor int64, err error) {
	err = e.call(ctx, func(loop context.Context, l *loop) error {
		if was = SignedRelease(l.book.journal.State(), l.book.versions); was == "" {
			return fmt.Errorf("%w: no signed release has been committed on this device, or it has been let go of already", ErrNothingToDo)
		}
		floor = l.policy.epochFloor()
		// One transaction: if the power goes before it is durable, the device goes on
		// refusing.
		return l.book.append(journal.Record{Phase: journal.Outcome, By: Asker(loop), TrustForgotten: true, Why: why})
	})
	if err != nil {
		return "", 0, err
	}
	return was, floor, nil
}
