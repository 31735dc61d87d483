package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// InstallRequest asks for a bundle to be installed.
type InstallRequest struct {
	Source steps.Source
	// Hold makes the update wait in Ready for Proceed.
	Hold bool
	// Retry installs a release that is in quarantine.
	Retry bool
	// Force installs a release of an epoch below the floor, or an expired one.
	Force bool
}

// Install accepts a bundle and returns the update's id once that is durable;
// the work goes on in the loop. Errors: ErrInvalid, ErrBusy, ErrQuarantined,
// ErrNothingToDo, ErrJournal.
func (e *Engine) Install(ctx context.Context, req InstallRequest) (id string, err error) {
	src, err := checkSource(req.Source)
	if err != nil {
		return "", err
	}
	err = e.call(ctx, func(loop context.Context) error {
		if err := e.free(loop); err != nil {
			return err
		}
		digest := ""
		if src.MD5 != "" {
			digest = "md5:" + src.MD5
		}
		if q := e.quarantined(digest); q != nil && !req.Retry {
			return fmt.Errorf("%w: %s (%s) failed on this device before: %s; use --retry to try again all the same", ErrQuarantined, q.Version, q.Digest, q.Reason)
		}
		if src.Version != "" && e.isCurrent(src.Version, digest) {
			return fmt.Errorf("%w: version %s of the same digest is current", ErrNothingToDo, src.Version)
		}
		raw, err := json.Marshal(src)
		if err != nil {
			return err
		}
		id, err = e.begins(loop, journal.Accept{Kind: string(steps.Install), Source: raw, To: src.Version, Hold: req.Hold, Retry: req.Retry, Force: req.Force})
		return err
	})
	return id, err
}

// Proceed is the install request for a held update in Ready. Errors:
// ErrNotFound, ErrExpired, ErrBusy, ErrJournal.
func (e *Engine) Proceed(ctx context.Context, version string) (id string, err error) {
	err = e.call(ctx, func(loop context.Context) error {
		u := e.open()
		if u != nil && State(u.State).Busy() {
			return &BusyError{u.ID, State(u.State)}
		}
		if u == nil || State(u.State) != Ready || u.To != version {
			return fmt.Errorf("%w: no package of version %s is ready to be installed", ErrNotFound, version)
		}
		id = u.ID
		age, ok := e.age(u)
		proceed := journal.Record{Learn: &journal.Learn{Go: true}}
		switch {
		case !ok:
			proceed.Why = "the wall clock went backwards since the package was verified: verify it again"
			return e.fire(loop, Recheck, proceed)
		case age >= e.cfg.TrustWindow:
			if err := e.expire(loop, age); err != nil {
				return err
			}
			return fmt.Errorf("%w: version %s", ErrExpired, version)
		}
		return e.fire(loop, Proceed, proceed)
	})
	return id, err
}

// Cancel cancels the open update; it ends as Cancelled a moment later. Errors:
// ErrNotFound when none is open, ErrTooLate from Switching on.
func (e *Engine) Cancel(ctx context.Context) (id string, err error) {
	err = e.call(ctx, func(loop context.Context) error {
		u := e.open()
		if u == nil || u.Terminal {
			return fmt.Errorf("%w: no update is in progress", ErrNotFound)
		}
		s := State(u.State)
		if s.Switched() {
			return fmt.Errorf("%w: update %s is in %s", ErrTooLate, u.ID, s)
		}
		id = u.ID
		e.retryAt = 0
		e.stopWorker(errCancel)
		return e.fire(loop, Cancel, journal.Record{
			Step:  string(StepOf(s)),
			Error: failure(&steps.Error{Class: steps.Interrupted, Code: steps.CancelledByUser, Err: errCancel}),
		})
	})
	return id, err
}

// Rollback goes to an installed version; the empty string means where previous
// leads. One of an epoch below the floor needs force. Errors: ErrNotFound,
// ErrNothingToDo, ErrEpoch, ErrBusy, ErrJournal.
func (e *Engine) Rollback(ctx context.Context, to string, force bool) (id string, err error) {
	return e.turnTo(ctx, steps.ByHand, force, versions.Previous, func(p versions.Pointers) string {
		if to != "" {
			return to
		}
		return p.Previous
	})
}

// RestoreFactory goes to the factory version. Errors as Rollback.
func (e *Engine) RestoreFactory(ctx context.Context) (id string, err error) {
	return e.turnTo(ctx, steps.Restore, false, versions.Factory, func(p versions.Pointers) string { return p.Factory })
}

func (e *Engine) turnTo(ctx context.Context, kind steps.Kind, force bool, pointer string, pick func(versions.Pointers) string) (id string, err error) {
	err = e.call(ctx, func(loop context.Context) error {
		if err := e.free(loop); err != nil {
			return err
		}
		p, err := e.cfg.Versions.Pointers()
		if err != nil {
			return fmt.Errorf("cannot read the pointers: %w", err)
		}
		to := pick(p)
		if to == "" {
			return fmt.Errorf("%w: there is no %s version", ErrNotFound, pointer)
		}
		if to == p.Current {
			return fmt.Errorf("%w: %s is current", ErrNothingToDo, to)
		}
		is, err := e.cfg.Versions.State(to)
		if err != nil {
			return fmt.Errorf("cannot look at version %s: %w", to, err)
		}
		if !is.Usable() {
			return fmt.Errorf("%w: version %s is %s", ErrNotFound, to, is)
		}
		if err := e.mayGoBackTo(to, kind, force); err != nil {
			return err
		}
		id, err = e.begins(loop, journal.Accept{Kind: string(kind), To: to, Force: force})
		return err
	})
	return id, err
}

// Exclusive runs f while no update is open and none can be accepted: pruning,
// changing factory. It fails with ErrBusy when one is open.
func (e *Engine) Exclusive(ctx context.Context, what string, f func(context.Context) error) error {
	err := e.call(ctx, func(context.Context) error {
		if e.reserved != "" {
			return errPark
		}
		if u := e.open(); u != nil && !u.Terminal {
			return &BusyError{u.ID, State(u.State)}
		} else if u != nil {
			return errPark
		}
		e.reserved = what
		return nil
	})
	if err != nil {
		return err
	}
	ferr := f(ctx)
	// The reservation must go even when the caller's patience has ended.
	err = e.call(context.WithoutCancel(ctx), func(loop context.Context) error {
		e.reserved = ""
		if err := e.publish(); err != nil {
			return err
		}
		return e.unpark(loop)
	})
	return errors.Join(ferr, err)
}

// free makes room for a new update: it refuses while one is under way, waits
// for the clean-up of one that is over, and supersedes one that only waits.
func (e *Engine) free(ctx context.Context) error {
	u := e.open()
	switch {
	case e.reserved != "":
		return errPark
	case u == nil:
		return nil
	case u.Terminal:
		return errPark
	case State(u.State) == Ready && u.Hold:
		if err := e.fire(ctx, Supersede, journal.Record{Why: "a newer request took its place"}); err != nil {
			return err
		}
		return errPark
	}
	return &BusyError{u.ID, State(u.State)}
}

// begins opens an update with the pointers as they are now.
func (e *Engine) begins(ctx context.Context, a journal.Accept) (string, error) {
	p, err := e.cfg.Versions.Pointers()
	if err != nil {
		return "", fmt.Errorf("cannot read the pointers: %w", err)
	}
	a.Before, a.From = p, p.Current
	rec := journal.Record{Update: e.newID(), Phase: journal.Outcome, Accept: &a}
	if a.Kind == string(steps.Restore) {
		rec.Why = e.exempt("", a.To)
	}
	return rec.Update, e.accept(ctx, rec)
}

// accept opens the update of rec. Its acceptance is durable when this returns.
func (e *Engine) accept(ctx context.Context, rec journal.Record) error {
	rec.From, rec.Trigger = string(Idle), string(Accept)
	return e.machine.fire(ctx, Accept, change{update: &journal.Update{ID: rec.Update, Kind: rec.Accept.Kind, To: rec.Accept.To}, move: rec})
}

// newID names an update so that names sort by time; the journal's sequence
// number makes it unique even where the clock stands still.
func (e *Engine) newID() string {
	return fmt.Sprintf("%s-%d", e.cfg.Clock.Now().UTC().Format("20060102-150405"), e.cfg.Journal.State().Seq+1)
}

// isCurrent reports whether version is current already, of this very digest.
func (e *Engine) isCurrent(version, digest string) bool {
	p, err := e.cfg.Versions.Pointers()
	if err != nil || p.Current != version || digest == "" {
		return false
	}
	got, err := e.cfg.Versions.Digest(version)
	return err == nil && got == digest
}

// checkSource refuses what no step could fetch, before anything is journaled.
func checkSource(s steps.Source) (steps.Source, error) {
	if _, err := source.Parse(s.URL); err != nil {
		return s, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if s.Size < 0 {
		return s, fmt.Errorf("%w: the size is negative", ErrInvalid)
	}
	if s.Version != "" {
		if err := versions.ValidVersion(s.Version); err != nil {
			return s, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return s, nil
}
