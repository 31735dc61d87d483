package engine

import (
	"context"
	"encoding/json"
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

// backAttempts is how often going back is tried when this device itself is in
// the way (a full disk, an I/O error): what comes next is a version further
// back, or none.
const backAttempts = 4

// finish journals what a worker brought back, and moves on.
func (e *Engine) finish(ctx context.Context, r result) error {
	u := e.open()
	if Terminal(r.state) {
		return e.closeUpdate(ctx, u, r)
	}
	step := StepOf(r.state)
	rec := journal.Record{Step: journal.Step(step), Attempt: r.attempt, Took: r.took, Evidence: evidence(r.out.Evidence)}
	if r.err != nil {
		return e.failed(ctx, rec, steps.AsError(r.err))
	}
	if r.next != nil {
		return e.handOver(ctx, u, rec, r.next)
	}
	if r.skipped {
		rec.Why = "the probe found it done"
	}
	rec.Baseline = r.baseline
	if learn := learnt(r.out.Release); learn != nil {
		rec.Learn = learn
		if err := e.acceptable(u, r.out.Release); err != nil {
			// The step did its work; it is what it learnt that is refused.
			rec.Update, rec.Phase = u.ID, journal.Outcome
			return e.machine.fire(ctx, Fail, change{update: u, first: []journal.Record{rec}, move: journal.Record{
				From: u.State, Trigger: Fail, Phase: journal.Outcome, Error: failure(err),
			}})
		}
	}
	if r.state == Committing {
		// The floor rises with the record that commits: a cut leaves both or neither.
		rec.EpochFloor = e.committedEpoch(u.To)
	}
	t := Succeed
	if r.state == Requested {
		t = Turn
	}
	var then []journal.Record
	if r.state == Committing && u.Retry && u.Digest != "" {
		// It was tried again by request and is healthy: it leaves the quarantine
		// with the record that commits it.
		then = append(then, journal.Record{Update: u.ID, Phase: journal.Outcome, Unquarantine: u.Digest, Why: "committed after a retry"})
	}
	return e.fire(ctx, t, rec, then...)
}

// failed decides between another attempt, waiting, and the failure edge.
func (e *Engine) failed(ctx context.Context, rec journal.Record, err *steps.Error) error {
	u := e.open()
	s := u.State
	switch {
	case errors.Is(err, errCancel):
		rec.Error = failure(err)
		return e.fire(ctx, Cancel, rec)
	case err.Class == steps.Interrupted && ctx.Err() != nil:
		return nil //nolint:nilerr // shutting down: the next start goes on
	case err.Class == steps.Interrupted:
		// The system is stopping: no verdict. Look again later; if the power
		// goes meanwhile, that is just another cut.
		e.again(2 * time.Second)
		return nil
	case s == Extracting && err.Class == steps.Lacking:
		rec.Error = failure(err)
		return e.fire(ctx, Lack, rec)
	case e.worthAnother(s, rec.Attempt, err):
		rec.Error, rec.Update, rec.Phase = failure(err), u.ID, journal.Outcome
		if err := e.append(rec, intent(u, StepOf(s), rec.Attempt+1)); err != nil {
			return err
		}
		e.again(min(retryDelay<<(2*min(rec.Attempt-1, 8)), maxRetryDelay))
		return nil
	}
	return e.fail(ctx, rec, err)
}

// worthAnother reports whether a step that failed is to be tried again.
func (e *Engine) worthAnother(s State, attempt int, err *steps.Error) bool {
	if err.Class == steps.Transient && StepOf(s) != "" {
		return attempt < e.cfg.Attempts
	}
	back := s == RollingBack || s == FallingBack
	return back && err.Class == steps.Local && err.Code != steps.TargetUnusable && attempt < backAttempts
}

// fail takes the state's failure edge. A release whose gate failed, or whose
// budget is spent, goes into quarantine in the same transaction.
func (e *Engine) fail(ctx context.Context, rec journal.Record, err *steps.Error) error {
	u := e.open()
	rec.Error = failure(err)
	var then []journal.Record
	if q := e.quarantine(u, err); q != nil {
		then = append(then, journal.Record{Update: u.ID, Phase: journal.Outcome, Quarantine: q})
	}
	return e.fire(ctx, Fail, rec, then...)
}

// quarantine says whether this failure is the release's own fault.
func (e *Engine) quarantine(u *journal.Update, err *steps.Error) *journal.Quarantined {
	s := u.State
	if u.Kind != Install || u.Digest == "" || s == RollingBack || s == FallingBack {
		return nil
	}
	if err.Class != steps.Unhealthy && err.Code != steps.BudgetSpent {
		return nil
	}
	return &journal.Quarantined{Version: u.To, Digest: u.Digest, Reason: string(err.Code) + ": " + err.Err.Error(), Update: u.ID, Time: e.cfg.Clock.Now().UTC()}
}

// acceptable judges what a step has just learnt of the release.
func (e *Engine) acceptable(u *journal.Update, r steps.Release) *steps.Error {
	version, digest := u.To, u.Digest
	if r.Version != "" {
		version = r.Version
	}
	if r.Digest != "" {
		digest = r.Digest
	}
	if q := e.quarantined(digest); q != nil && !u.Retry {
		return &steps.Error{
			Class: steps.Refused, Code: steps.Quarantined,
			Err:  fmt.Errorf("release %s (%s) failed on this device before: %s", q.Version, q.Digest, q.Reason),
			Hint: "install it with --retry to try again all the same",
		}
	}
	if r.Version != "" && e.isCurrent(version, digest) {
		return &steps.Error{Class: steps.Refused, Code: steps.AlreadyCurrent, Err: fmt.Errorf("version %s of the same digest is current already: nothing to do", version)}
	}
	return nil
}

func (e *Engine) quarantined(digest string) *journal.Quarantined {
	for _, q := range e.cfg.Journal.State().Quarantine {
		if digest != "" && q.Digest == digest {
			return &q
		}
	}
	return nil
}

// again puts the present step off for d.
func (e *Engine) again(d time.Duration) { e.retryAt = e.cfg.Clock.Monotonic() + d }

// timer returns a channel for the next thing that is due: another attempt, or
// the end of the trust window.
func (e *Engine) timer() <-chan time.Time {
	switch u := e.open(); {
	case e.retryAt != 0:
		return e.cfg.Clock.After(max(e.retryAt-e.cfg.Clock.Monotonic(), 0))
	case u != nil && u.State == Ready && u.Hold:
		left := e.cfg.TrustWindow
		if age, ok := e.age(u); ok {
			left -= age
		}
		return e.cfg.Clock.After(max(left, 0))
	}
	return nil
}

// due does what the timer was for.
func (e *Engine) due(ctx context.Context) error {
	if e.retryAt != 0 {
		e.retryAt = 0
		return nil
	}
	if u := e.open(); u != nil && u.State == Ready && u.Hold {
		if age, ok := e.age(u); ok && age >= e.cfg.TrustWindow {
			return e.expire(ctx, age)
		}
	}
	return nil
}

func (e *Engine) expire(ctx context.Context, age time.Duration) error {
	return e.fire(ctx, Expire, journal.Record{Error: failure(&steps.Error{
		Class: steps.Refused, Code: steps.PackageExpired,
		Err:  fmt.Errorf("verified %s ago, %s allowed", age.Round(time.Minute), e.cfg.TrustWindow),
		Hint: "request the download again",
	})})
}

// age is how long the update has been in its state; not ok when the wall clock
// went backwards over a reboot, so that nobody can tell.
func (e *Engine) age(u *journal.Update) (time.Duration, bool) {
	if u.EnteredBoot == e.cfg.Clock.Boot() {
		return e.cfg.Clock.Monotonic() - u.EnteredMono, true
	}
	d := e.cfg.Clock.Now().Sub(u.Entered)
	return d, d >= 0
}

func learnt(r steps.Release) *journal.Learn {
	if r.Version == "" && r.Digest == "" && len(r.Services) == 0 {
		return nil
	}
	return &journal.Learn{To: r.Version, Digest: r.Digest, Services: r.Services}
}

func failure(err *steps.Error) *journal.Failure {
	return &journal.Failure{Code: string(err.Code), Class: string(err.Class), Text: err.Error()}
}

// evidence marshals a step's evidence. What cannot be marshalled says so: an
// outcome must never be lost over it.
func evidence(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		b, _ = json.Marshal(map[string]string{"unreadable": err.Error()})
	}
	return b
}
