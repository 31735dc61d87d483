package engine

import (
	"fmt"
	"log/slog"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/steps"
)

// policy decides which release may come onto the device, and which one has lost
// that right. It reads the journal's fold and the versions and changes neither,
// so the loop and the worker both ask it.
type policy struct {
	journal  interface{ State() *journal.Fold }
	versions Versions
	clock    clock.Clock
	log      *slog.Logger
}

// judge returns the reason for which a release that a step has just learnt of
// must not go on; nil when it may.
func (p policy) judge(u *journal.Update, r steps.Release) *steps.Error {
	version, digest := u.To, u.Digest
	if r.Version != "" {
		version = r.Version
	}
	if r.Digest != "" {
		digest = r.Digest
	}
	if q := p.inQuarantine(digest); q != nil && !u.Retry {
		return &steps.Error{
			Class: steps.Refused, Code: steps.Quarantined,
			Err:  fmt.Errorf("release %s (%s) failed on this device before: %s", q.Version, q.Digest, q.Reason),
			Hint: "install it with --retry to try again all the same",
		}
	}
	if r.Version != "" && p.isCurrent(version, digest) {
		return &steps.Error{Class: steps.Refused, Code: steps.AlreadyCurrent, Err: fmt.Errorf("version %s of the same digest is current already: nothing to do", version)}
	}
	return nil
}

// verdict returns the quarantine entry for a failure of the open update; nil
// when the release is not to blame for the failure.
func (p policy) verdict(u *journal.Update, err *steps.Error) *journal.Quarantined {
	if u.Kind != Install || u.Digest == "" || rowOf(u.State).back {
		return nil
	}
	if err.Class != steps.Unhealthy && err.Code != steps.BudgetSpent {
		return nil
	}
	return &journal.Quarantined{Version: u.To, Digest: u.Digest, Reason: string(err.Code) + ": " + err.Err.Error(), Update: u.ID, Time: p.clock.Now().UTC()}
}

// inQuarantine returns the entry of a release; nil when the release has none.
func (p policy) inQuarantine(digest string) *journal.Quarantined {
	for _, q := range p.journal.State().Quarantine {
		if digest != "" && q.Digest == digest {
			return &q
		}
	}
	return nil
}

// isCurrent reports whether current leads to version, and the version has this digest.
func (p policy) isCurrent(version, digest string) bool {
	at, err := p.versions.Pointers()
	if err != nil || at.Current != version || digest == "" {
		return false
	}
	got, err := p.versions.Digest(version)
	return err == nil && got == digest
}

// isUsable reports whether services can run from a version.
func (p policy) isUsable(version string) bool {
	is, err := p.versions.State(version)
	return version != "" && err == nil && is.Usable()
}
