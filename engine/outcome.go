package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// retryDelay is how long a step that failed for a passing reason waits for its
// next attempt; each further one waits four times as long, up to maxRetryDelay.
const (
	retryDelay    = 250 * time.Millisecond
	maxRetryDelay = time.Minute
)

// backAttempts is how often going back is tried when the device itself is the
// cause of the failure (a full disk, an I/O error). After that comes a version
// further back, or none.
const backAttempts = 4

// take journals the worker's result, and moves the update on.
func (l *loop) take(ctx context.Context, r result) error {
	u := l.book.open()
	if Terminal(r.state) {
		return l.closeUpdate(ctx, u, r)
	}
	rec := stepRecord(r.state, r.attempt)
	rec.Took, rec.Evidence = r.took, evidence(r.out.Evidence)
	rec.Baseline = r.preflight.Baseline
	if len(r.preflight.Findings) > 0 {
		rec.Findings = evidence(r.preflight.Findings)
	}
	if r.err != nil {
		return l.respond(ctx, rec, steps.AsError(r.err))
	}
	if r.next != nil {
		return l.handOver(ctx, u, rec, r.next)
	}
	if r.skipped {
		rec.Why = "the probe found it done"
	}
	rec.Figures = l.figures(u, r)
	if learn := learnt(r.out.Release); learn != nil {
		rec.Learn = learn
		if err := l.policy.judge(u, r.out.Release); err != nil {
			return l.book.refuse(ctx, rec, err)
		}
	}
	return l.succeed(ctx, u, r.state, rec)
}

// succeed moves the update on after a job that went well.
func (l *loop) succeed(ctx context.Context, u *journal.Update, s State, rec journal.Record) error {
	switch s {
	case Requested:
		return l.book.fire(ctx, Turn, rec)
	case RollingBack:
		q, why := l.policy.belated(u, rec.Figures)
		if q != nil {
			return l.book.fire(ctx, Succeed, rec, journal.Record{Update: u.ID, Phase: journal.Outcome, Quarantine: q})
		}
		rec.Why = why
	case Staging:
		if u.Check {
			return l.book.fire(ctx, Fit, rec)
		}
	case Committing:
		// The floor rises with the record that commits: a cut leaves both or neither.
		// The same holds of the key: a device that has lost its keys knows of it.
		rec.EpochFloor, rec.SignedBy = l.policy.committedEpoch(u.To), signer(u)
		rec.Trial = l.trial(u)
		if u.Kind == Probation && u.Evicts != nil && !u.Reach {
			// Only now is it certain that the version before is better.
			return l.book.fire(ctx, Succeed, rec, journal.Record{Update: u.ID, Phase: journal.Outcome, Quarantine: u.Evicts})
		}
		if u.Retry && u.Digest != "" {
			// It was tried again by request and is healthy: it leaves the quarantine
			// with the record that commits it.
			return l.book.fire(ctx, Succeed, rec, journal.Record{Update: u.ID, Phase: journal.Outcome, Unquarantine: u.Digest, Why: "committed after a retry"})
		}
	}
	return l.book.fire(ctx, Succeed, rec)
}

// trial puts a version that came by an offer on probation, with the record that commits
// it; nil when it is not watched. That its source cannot be reached any more says nothing
// of a version from which the device has gone back for that before: it does not go to and
// fro.
func (l *loop) trial(u *journal.Update) *journal.Trial {
	if u.Kind != Install || u.Origin == nil || l.probation <= 0 || u.From == "" {
		return nil
	}
	// What was accepted within a day was offered then. The program that commits may be the
	// release's own, which has asked nobody yet.
	lately := !u.TookUnsure && u.Took < 24*time.Hour
	t := &journal.Trial{Lasts: l.probation, Reach: lately || l.reached(u.Origin.Source), Reports: u.Reports}
	for _, e := range l.book.journal.State().Offers {
		if e.Code == string(steps.FailedProbation) && e.Source == u.Origin.Source && e.Digest == u.Origin.Digest {
			t.Reach = false
		}
	}
	return t
}

// signer is the key that signed the release of an install; empty when no signature was
// checked. Verify's word has been read before: Stage fails without it.
func signer(u *journal.Update) string {
	if facts, _ := steps.ReadFacts(u.Found); facts.Verify != nil {
		return facts.Verify.SignedBy
	}
	return ""
}

// figures are what the end of a healthy update teaches of how long its version takes:
// the one that is committed, or the one that the device has gone back to. A release that
// failed teaches nothing.
func (l *loop) figures(u *journal.Update, r result) []journal.Figure {
	switch {
	case rowOf(r.state).back:
		return figuresOf(target(u).Current, r.out.Figures...)
	case r.state != Committing:
		return nil
	}
	facts, err := steps.ReadFacts(u.Found)
	if err != nil {
		l.log.Warn("cannot tell how long the version took", "update", u.ID, "err", err)
	}
	var all []steps.Figure
	if facts.Restart != nil {
		all = append(all, facts.Restart.Figures...)
	}
	if facts.Health != nil {
		all = append(all, facts.Health.Figures...)
	}
	return figuresOf(u.To, append(all, r.out.Figures...)...)
}

// respond decides between another attempt, waiting, and the failure edge.
func (l *loop) respond(ctx context.Context, rec journal.Record, err *steps.Error) error {
	u := l.book.open()
	switch {
	case errors.Is(err, errCancel):
		rec.Error = asFailure(err)
		return l.book.fire(ctx, Cancel, rec)
	case err.Class == steps.Interrupted && ctx.Err() != nil:
		return nil //nolint:nilerr // shutting down: the next start goes on
	case err.Class == steps.Interrupted:
		// The system is stopping, so the step has no verdict. Look again later;
		// if the power goes meanwhile, that is just another cut.
		l.putOff(lookAgain)
		return nil
	case u.State == Extracting && err.Class == steps.Lacking:
		rec.Error = asFailure(err)
		return l.book.fire(ctx, Lack, rec)
	case l.worthAnother(u.State, rec.Attempt, err):
		rec.Error, rec.Update, rec.Phase = asFailure(err), u.ID, journal.Outcome
		if err := l.book.append(rec, intent(u, rec.Attempt+1)); err != nil {
			return err
		}
		l.putOff(min(retryDelay<<(2*min(rec.Attempt-1, 8)), maxRetryDelay))
		return nil
	}
	return l.book.giveUp(ctx, rec, err)
}

// worthAnother reports whether a step that failed is to be tried again.
func (l *loop) worthAnother(s State, attempt int, err *steps.Error) bool {
	if err.Class == steps.Transient && StepOf(s) != "" {
		return attempt < l.attempts
	}
	return rowOf(s).back && err.Class == steps.Local && err.Code != steps.TargetUnusable && attempt < backAttempts
}

// neverFinished is the failure of a step that was begun again and again. It is
// before Switching: the release has not been given anything to run on, and is not
// to blame.
func neverFinished(s State, attempts int) *steps.Error {
	return &steps.Error{
		Class: steps.Local, Code: steps.InterruptedTooOften,
		Err: fmt.Errorf("%s was begun %d times and never finished", StepOf(s), attempts),
	}
}

// learnt returns the findings of a step about the release; nil when there are none.
func learnt(r steps.Release) *journal.Learn {
	if r.Version == "" && r.Digest == "" && len(r.Services) == 0 {
		return nil
	}
	return &journal.Learn{To: r.Version, Digest: r.Digest, Services: r.Services}
}
