package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	// Check goes as far as the preflight and ends as Checked, or as an install
	// would fail. What it made on the device is removed again. Hold has no effect.
	Check bool
	// Supersede takes the place of an offer's update that waits: without it, only that of a
	// request of this device.
	Supersede bool
	// Origin is the offer that is carried out; nil for a request of this device. Reports
	// says that its source wants to be told. Patience is how long it may wait in Ready.
	Origin   *journal.Origin
	Reports  bool
	Patience time.Duration
	// Handed is a local file that the caller has opened; nil when the updater may open
	// the source by itself. Install closes it, or takes care that it is closed.
	Handed *steps.Handed
}

// Install accepts a bundle and returns the update's id once that is durable;
// the work goes on in the loop. An update that waits for its own install request or
// for the network is superseded; one that waits for the network and was asked for in
// the same words goes on, and the answer is its id; so it is when the update that is open
// carries out the same offer. Errors: ErrInvalid, ErrBusy, ErrQuarantined, ErrNothingToDo,
// ErrJournal.
func (e *Engine) Install(ctx context.Context, req InstallRequest) (id string, err error) {
	taken := false
	defer func() {
		if !taken {
			req.Handed.Close()
		}
	}()
	src, err := checkSource(req.Source)
	if err != nil {
		return "", err
	}
	var next *promised
	err = e.call(ctx, func(loop context.Context, l *loop) (err error) {
		if u := l.book.open(); u != nil && l.standsStill(u) && l.asks(u, src, req) {
			id = u.ID // asked again while it waits: it goes on with what it has
			return nil
		} else if u != nil && req.Origin != nil && u.Kind == Install && sameOrigin(u.Origin, req.Origin) {
			id = u.ID // an offer has one update, until that is closed
			return nil
		}
		err = l.makeRoom(loop, precedence{supersede: req.Supersede, source: sourceName(req.Origin)}, func() (err error) {
			if err = l.mayInstall(src, req); err == nil && (next == nil || l.promised != next) {
				next, err = l.promise(src, req.Handed)
			}
			return err
		})
		if errors.Is(err, errPark) {
			return err // what was promised waits, too
		}
		if err == nil {
			id, err = l.book.admit(loop, next.id, journal.Accept{Kind: Install, Source: next.source, To: src.Version, Hold: req.Hold || req.Check, Retry: req.Retry, Force: req.Force, Check: req.Check, Origin: req.Origin, Reports: req.Reports, Patience: req.Patience})
		}
		switch {
		case err == nil:
			l.promised = nil
			l.hold(id, req.Handed)
			taken = true
		case !errors.Is(err, ErrJournal): // else the update may have been accepted
			l.forget(next)
		}
		return err
	})
	return id, err
}

// mayInstall says what is against a bundle, as far as its declaration tells.
func (l *loop) mayInstall(src steps.Source, req InstallRequest) error {
	digest := ""
	if src.MD5 != "" {
		digest = "md5:" + src.MD5
	}
	if q := l.policy.inQuarantine(digest); q != nil && !req.Retry {
		return fmt.Errorf("%w: %s failed on this device before (%s); use --retry to try again all the same", ErrQuarantined, q.Version, codeOf(q.Reason))
	}
	if src.Version != "" && l.policy.isCurrent(src.Version, digest) {
		return fmt.Errorf("%w: version %s of the same digest is current", ErrNothingToDo, src.Version)
	}
	return nil
}

// asks reports whether a request asks for just what an update does.
func (l *loop) asks(u *journal.Update, src steps.Source, req InstallRequest) bool {
	has, err := wholeSource(l.keeper, u)
	return err == nil && has.Handed == nil && req.Handed == nil && same(has.Source, src) && u.Hold == (req.Hold || req.Check) && u.Check == req.Check && sameOrigin(u.Origin, req.Origin) && u.Retry == req.Retry && u.Force == req.Force
}

// Proceed is the install request for a held update in Ready. Errors:
// ErrNotFound, ErrExpired, ErrBusy, ErrJournal.
func (e *Engine) Proceed(ctx context.Context, version string) (id string, err error) {
	err = e.call(ctx, func(loop context.Context, l *loop) error {
		u := l.book.open()
		if u != nil && Busy(u.State) {
			return &BusyError{Update: u.ID, State: u.State}
		}
		if u == nil || u.State != Ready || u.To != version {
			return fmt.Errorf("%w: no package of version %s is ready to be installed", ErrNotFound, version)
		}
		id = u.ID
		age, ok := l.age(u)
		proceed := journal.Record{By: Asker(loop), Learn: &journal.Learn{Proceed: true}}
		switch {
		case !ok:
			proceed.Why = "the wall clock went backwards since the package was verified: verify it again"
			return l.book.fire(loop, Recheck, proceed)
		case age >= l.trustWindow && u.Origin != nil:
			proceed.Why = fmt.Sprintf("verified %s ago: verify it again", age.Round(time.Minute))
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
		id, err = l.cancel(loop, errCancel)
		return err
	})
	return id, err
}

// cancel ends the open update before it switches.
func (l *loop) cancel(ctx context.Context, why error) (id string, err error) {
	u := l.book.open()
	if u == nil || u.Terminal {
		return "", fmt.Errorf("%w: no update is in progress", ErrNotFound)
	}
	s := u.State
	if Switched(s) {
		return "", fmt.Errorf("%w: update %s is in %s", ErrTooLate, u.ID, s)
	}
	l.retryAt = 0
	l.stopWorker(errCancel)
	rec := stepRecord(s, 0)
	rec.By = Asker(ctx)
	rec.Error = asFailure(&steps.Error{Class: steps.Interrupted, Code: steps.CancelledByUser, Err: why})
	return u.ID, l.book.fire(ctx, Cancel, rec)
}

// Rollback goes to an installed version; the empty string means where previous
// leads. One of an epoch below the floor needs force. Errors: ErrNotFound,
// ErrNothingToDo, ErrEpoch, ErrBusy, ErrJournal.
func (e *Engine) Rollback(ctx context.Context, to string, how Turning) (id string, err error) {
	return e.turnTo(ctx, journal.Accept{Kind: ByHand, Force: how.Force}, how, versions.Previous, func(p versions.Pointers) string {
		if to != "" {
			return to
		}
		return p.Previous
	})
}

// RestoreFactory goes to the factory version. Errors as Rollback.
func (e *Engine) RestoreFactory(ctx context.Context, how Turning) (id string, err error) {
	return e.turnTo(ctx, journal.Accept{Kind: Restore}, how, versions.Factory, func(p versions.Pointers) string { return p.Factory })
}

// Turning is how the device is to go to an installed version.
type Turning struct {
	// Force goes to one of an epoch below the floor.
	Force bool
	// Supersede takes the place of an offer's update that waits.
	Supersede bool
}

func (e *Engine) turnTo(ctx context.Context, a journal.Accept, how Turning, pointer string, pick func(versions.Pointers) string) (id string, err error) {
	err = e.call(ctx, func(loop context.Context, l *loop) error {
		id, err = l.turn(loop, a, how, pointer, pick)
		return err
	})
	return id, err
}

// turn opens an update that goes to an installed version.
func (l *loop) turn(ctx context.Context, a journal.Accept, how Turning, pointer string, pick func(versions.Pointers) string) (string, error) {
	err := l.makeRoom(ctx, precedence{supersede: how.Supersede}, func() (err error) {
		a.To, err = l.mayTurn(a.Kind, how.Force, pointer, pick)
		return err
	})
	if err != nil {
		return "", err
	}
	return l.book.admit(ctx, l.book.newID(), a)
}

// mayTurn picks the version to go to, and says what is against it.
func (l *loop) mayTurn(kind journal.Kind, force bool, pointer string, pick func(versions.Pointers) string) (string, error) {
	p, err := l.book.versions.Pointers()
	if err != nil {
		return "", fmt.Errorf("cannot read the pointers: %w", err)
	}
	to := pick(p)
	if to == "" {
		return "", fmt.Errorf("%w: there is no %s version", ErrNotFound, pointer)
	}
	if to == p.Current {
		return "", fmt.Errorf("%w: %s is current", ErrNothingToDo, to)
	}
	is, err := l.book.versions.State(to)
	if err != nil {
		return "", fmt.Errorf("cannot look at version %s: %w", to, err)
	}
	if !is.Usable() {
		return "", fmt.Errorf("%w: version %s is %s", ErrNotFound, to, is)
	}
	return to, l.policy.mayGoBackTo(to, kind, force)
}

// BetweenUpdates runs f in the loop, between updates: it waits for what Exclusive runs
// and for the clean-up of an update that is over, and fails with ErrBusy while an update
// is in progress. So what f ends was not begun by anybody a moment before. f must be short.
func (e *Engine) BetweenUpdates(ctx context.Context, f func()) error {
	return e.call(ctx, func(_ context.Context, l *loop) error {
		u := l.book.open()
		switch {
		case l.reserved != "" || u != nil && u.Terminal:
			return errPark
		case u != nil && Busy(u.State):
			return &BusyError{Update: u.ID, State: u.State}
		}
		f()
		return nil
	})
}

// Exclusive runs f (pruning, changing factory) while no update is open and none
// can be accepted. It fails with ErrBusy when one is open. What somebody asks for
// (AskedBy) is journaled before f runs: if the power goes in f, the journal has who
// asked for what, and the versions directory how far it came.
func (e *Engine) Exclusive(ctx context.Context, what string, f func(context.Context) error) (err error) {
	err = e.call(ctx, func(loop context.Context, l *loop) error {
		if l.reserved != "" {
			return errPark
		}
		if u := l.book.open(); u != nil && !u.Terminal {
			return &BusyError{Update: u.ID, State: u.State}
		} else if u != nil {
			return errPark
		}
		if who := Asker(loop); who != nil {
			if err := l.book.append(journal.Record{Phase: journal.Intent, By: who, Upkeep: what}); err != nil {
				return err
			}
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
