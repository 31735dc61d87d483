package engine

import (
	"fmt"
	"log/slog"
	"strings"

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
	if err := offered(u, r); err != nil {
		return err
	}
	if q := p.inQuarantine(digest); q != nil && !u.Retry {
		return &steps.Error{
			Class: steps.Refused, Code: steps.Quarantined,
			Err:     fmt.Errorf("release %s failed on this device before (%s)", q.Version, codeOf(q.Reason)),
			Hint:    "install it with --retry to try again all the same",
			Details: "it failed for " + q.Reason + "\nits digest is " + q.Digest,
		}
	}
	if r.Version != "" && p.isCurrent(version, digest) {
		return &steps.Error{Class: steps.Refused, Code: steps.AlreadyCurrent, Err: fmt.Errorf("version %s of the same digest is current already: nothing to do", version)}
	}
	return nil
}

// offered refuses another release than the one that was offered: what an offer says of a
// release (who may have it, and when) says nothing of another. The release is not to
// blame, so it does not go into the quarantine.
//
// A step that knows no version has not looked into the bundle: the digest that it has
// found is the file's.
func offered(u *journal.Update, r steps.Release) *steps.Error {
	if r.Version == "" || r.Digest == "" {
		return nil
	}
	src, err := sourceOf(u)
	switch {
	case err != nil:
		return steps.AsError(err)
	case src.Digest == "" || src.Digest == r.Digest:
		return nil
	}
	return &steps.Error{
		Class: steps.Refused, Code: steps.OfferMismatch,
		Err:     fmt.Errorf("the bundle there is release %s, and the offer is of %s", shortDigest(r.Digest), shortDigest(src.Digest)),
		Hint:    "publish the release that is offered there, or offer the one that is there",
		Details: "the bundle's digest is " + r.Digest + "\nthe offer's digest is " + src.Digest,
		Outline: "the bundle is another release than the one that was offered",
	}
}

// shortDigest is enough of a digest for people to compare.
func shortDigest(digest string) string {
	const most = len(digestPrefix) + 12
	if len(digest) <= most {
		return digest
	}
	return digest[:most] + "…"
}

// longestReason bounds why a release is in quarantine, in bytes: the text is part of
// other lines. The update's own records have all of it.
const longestReason = 100

// verdict returns the quarantine entry for a failure of the open update; nil
// when the release is not to blame for the failure. Starts that its budget counts
// are evidence: the device or the release's own updater went down while it ran.
func (p policy) verdict(u *journal.Update, err *steps.Error) *journal.Quarantined {
	if u.Kind != Install || u.Digest == "" || rowOf(u.State).back {
		return nil
	}
	guilty, why := err.Class == steps.Unhealthy || err.Code == steps.BudgetSpent, err.Err.Error()
	if err.Class == steps.Late {
		guilty, why = outdone(u.Before.Current, figuresOf("", err.Late...), p.journal.State().Figures)
	}
	if !guilty {
		return nil
	}
	return p.entry(u, string(err.Code), why)
}

// belated is the verdict on a release that was late in a check, now that the version
// before has been judged by the same check: an entry for the quarantine, or, when it
// needs longer itself, why there is none. seen are the figures of going back to it.
func (p policy) belated(u *journal.Update, seen []journal.Figure) (q *journal.Quarantined, why string) {
	if u.Kind != Install || u.Digest == "" || u.Cause == nil || u.Cause.Class != string(steps.Late) || p.inQuarantine(u.Digest) != nil {
		return nil, ""
	}
	guilty, why := outdone(u.Before.Current, u.Cause.Late, seen)
	if !guilty {
		return nil, why
	}
	return p.entry(u, u.Cause.Code, why), ""
}

// entry is the open update's release, for the quarantine.
func (p policy) entry(u *journal.Update, code, why string) *journal.Quarantined {
	return &journal.Quarantined{Version: u.To, Digest: u.Digest, Reason: code + ": " + steps.Shorten(steps.OneLine(why), longestReason), Update: u.ID, Time: p.clock.Now().UTC()}
}

// codeOf is the code that a reason begins with.
func codeOf(reason string) string {
	code, _, _ := strings.Cut(reason, ":")
	return code
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
