package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// This file has the requests of users. Each method hands the loop a call and
// waits for its answer. The call runs in the loop's goroutine, and is given the loop.

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
	err = e.call(ctx, func(loop context.Context, l *loop) error {
		if err := l.makeRoom(loop); err != nil {
			return err
		}
		digest := ""
		if src.MD5 != "" {
			digest = "md5:" + src.MD5
		}
		if q := l.policy.inQuarantine(digest); q != nil && !req.Retry {
			return fmt.Errorf("%w: %s (%s) failed on this device before: %s; use --retry to try again all the same", ErrQuarantined, q.Version, q.Digest, q.Reason)
		}
		if src.Version != "" && l.policy.isCurrent(src.Version, digest) {
			return fmt.Errorf("%w: version %s of the same digest is current", ErrNothingToDo, src.Version)
		}
		raw, err := json.Marshal(src)
		if err != nil {
			return err
		}
		id, err = l.book.admit(loop, journal.Accept{Kind: Install, Source: raw, To: src.Version, Hold: req.Hold, Retry: req.Retry, Force: req.Force})
		return err
	})
	return id, err
}

// Proceed is the install request for a held update in Ready. Errors:
// ErrNotFound, ErrExpired, ErrBusy, ErrJournal.
func (e *Engine) Proceed(ctx context.Context, version string) (id string, err error) {
	err = e.call(ctx, func(loop context.Context, l *loop) error {
		u := l.book.open()
		if u != nil && Busy(u.State) {
			return &BusyError{u.ID, u.State}
		}
		if u == nil || u.State != Ready || u.To != version {
			return fmt.Errorf("%w: no package of version %s is ready to be installed", ErrNotFound, version)
		}
		id = u.ID
		age, ok := l.age(u)
		proceed := journal.Record{Learn: &journal.Learn{Proceed: true}}
		switch {
		case !ok:
			proceed.Why = "the wall clock went backwards since the package was verified: verify it again"
			return l.book.fire(loop, Recheck, proceed)
		case age >= l.trustWindow:
			if err := l.expire(loop, age); err != nil {
				return err
			}
			return fmt.Errorf("%w: version %s", ErrExpired, version)
		}
		return l.book.fire(loop, Proceed, proceed)
	})
	return id, err
}

// Cancel cancels the open update; it ends as Cancelled a moment later. Errors:
// ErrNotFound when none is open, ErrTooLate from Switching on.
func (e *Engine) Cancel(ctx context.Context) (id string, err error) {
	err = e.call(ctx, func(loop context.Context, l *loop) error {
		u := l.book.open()
		if u == nil || u.Terminal {
			return fmt.Errorf("%w: no update is in progress", ErrNotFound)
		}
		s := u.State
		if Switched(s) {
			return fmt.Errorf("%w: update %s is in %s", ErrTooLate, u.ID, s)
		}
		id = u.ID
		l.retryAt = 0
		l.stopWorker(errCancel)
		rec := stepRecord(s, 0)
		rec.Error = asFailure(&steps.Error{Class: steps.Interrupted, Code: steps.CancelledByUser, Err: errCancel})
		return l.book.fire(loop, Cancel, rec)
	})
	return id, err
}

// Rollback goes to an installed version; the empty string means where previous
// leads. One of an epoch below the floor needs force. Errors: ErrNotFound,
// ErrNothingToDo, ErrEpoch, ErrBusy, ErrJournal.
func (e *Engine) Rollback(ctx context.Context, to string, force bool) (id string, err error) {
	return e.turnTo(ctx, ByHand, force, versions.Previous, func(p versions.Pointers) string {
		if to != "" {
			return to
		}
		return p.Previous
	})
}

// RestoreFactory goes to the factory version. Errors as Rollback.
func (e *Engine) RestoreFactory(ctx context.Context) (id string, err error) {
	return e.turnTo(ctx, Restore, false, versions.Factory, func(p versions.Pointers) string { return p.Factory })
}

func (e *Engine) turnTo(ctx context.Context, kind journal.Kind, force bool, pointer string, pick func(versions.Pointers) string) (id string, err error) {
	err = e.call(ctx, func(loop context.Context, l *loop) error {
		if err := l.makeRoom(loop); err != nil {
			return err
		}
		p, err := e.versions.Pointers()
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
		is, err := e.versions.State(to)
		if err != nil {
			return fmt.Errorf("cannot look at version %s: %w", to, err)
		}
		if !is.Usable() {
			return fmt.Errorf("%w: version %s is %s", ErrNotFound, to, is)
		}
		if err := l.policy.mayGoBackTo(to, kind, force); err != nil {
			return err
		}
		id, err = l.book.admit(loop, journal.Accept{Kind: kind, To: to, Force: force})
		return err
	})
	return id, err
}

// Exclusive runs f (pruning, changing factory) while no update is open and none
// can be accepted. It fails with ErrBusy when one is open.
func (e *Engine) Exclusive(ctx context.Context, what string, f func(context.Context) error) (err error) {
	err = e.call(ctx, func(_ context.Context, l *loop) error {
		if l.reserved != "" {
			return errPark
		}
		if u := l.book.open(); u != nil && !u.Terminal {
			return &BusyError{u.ID, u.State}
		} else if u != nil {
			return errPark
		}
		l.reserved = what
		return nil
	})
	if err != nil {
		return err
	}
	// The reservation ends here, even when the caller has hung up meanwhile or f
	// panics. If the loop has ended, the reservation has ended with it.
	defer func() {
		release := e.call(context.WithoutCancel(ctx), func(loop context.Context, l *loop) error {
			l.reserved = ""
			if err := l.book.publish(); err != nil {
				return err
			}
			return l.unpark(loop)
		})
		if !errors.Is(release, errEnded) {
			err = errors.Join(err, release)
		}
	}()
	return f(ctx)
}
