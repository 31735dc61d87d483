package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// This file has the requests of whoever carries out the offers of a source. What they
// journal is durable when they return, and is in the fold: see Engine.Journal.

// Journal is what the journal tells, as of the newest change that was shown. It is
// immutable.
func (e *Engine) Journal() *journal.Fold { return e.board.shown.Load().fold }

// Remember keeps what a source has to remember. Errors: ErrJournal.
func (e *Engine) Remember(ctx context.Context, source string, facts json.RawMessage) error {
	return e.note(ctx, journal.Record{Phase: journal.Observed, Remember: &journal.Remembered{Source: source, Facts: facts}})
}

// Told takes a notice out of the outbox: it was delivered, or never is why it will not
// be. If the power goes before this is durable, the notice is told once more, which its
// recipient must understand. Errors: ErrJournal.
func (e *Engine) Told(ctx context.Context, n journal.Notice, never string) error {
	return e.note(ctx, journal.Record{Update: n.Update, Phase: journal.Outcome, Told: &journal.Told{Notice: n.ID, To: n.To, Never: never}})
}

// OfferRefusal is an offer that no update is opened for.
type OfferRefusal struct {
	Origin  journal.Origin
	Version string
	// State is what it counts as: Failed, Cancelled, or Committed for one that was carried
	// out before, as its source does not know.
	State State
	Why   *steps.Error
	// Listens: its source wants to be told.
	Listens bool
}

// RefuseOffer ends an offer without an update. When its source listens, the end is owed to
// it with the record. Errors: ErrJournal.
func (e *Engine) RefuseOffer(ctx context.Context, r OfferRefusal) error {
	rec := journal.Record{Phase: journal.Outcome, Refuse: &journal.Refusal{Origin: r.Origin, State: r.State}}
	if r.Why != nil {
		rec.Error = asFailure(r.Why)
	}
	if r.Listens {
		at := e.board.pointers().Current
		rec.Owed = []journal.Notice{{
			To: r.Origin.Source, Origin: &r.Origin, State: r.State, End: true, From: at, Version: r.Version, Running: at, Error: brief(rec.Error), By: Asker(ctx),
		}}
	}
	return e.note(ctx, rec)
}

// Hold keeps offers from being installed, until its end or Unhold. Requests of this device
// are not meant. It takes the place of a hold before. Errors: ErrJournal.
func (e *Engine) Hold(ctx context.Context, h journal.Hold) error {
	return e.note(ctx, journal.Record{Phase: journal.Outcome, Hold: &h, Why: h.Why})
}

// Unhold ends a Hold. Errors: ErrNothingToDo when there is none, ErrJournal.
func (e *Engine) Unhold(ctx context.Context) error {
	return e.call(ctx, func(loop context.Context, l *loop) error {
		if l.book.journal.State().Held == nil {
			return fmt.Errorf("%w: offers are not held back", ErrNothingToDo)
		}
		return l.book.append(journal.Record{Phase: journal.Outcome, By: Asker(loop), Unhold: true})
	})
}

// note journals a record about the device.
func (e *Engine) note(ctx context.Context, rec journal.Record) error {
	return e.call(ctx, func(loop context.Context, l *loop) error {
		rec.By = Asker(loop)
		return l.book.append(rec)
	})
}

// Waits notes why an offer's update that is ready to be installed waits. The same reason
// again is not noted. It is for the people of this device: nobody is told. Errors:
// ErrNotFound when it does not wait, ErrJournal.
func (e *Engine) Waits(ctx context.Context, id string, w journal.Wait) error {
	return e.call(ctx, func(_ context.Context, l *loop) error {
		u, err := l.waiting(id)
		if err != nil {
			return err
		}
		if u.Wait != nil && u.Wait.Reason == w.Reason && u.Wait.Until.Equal(w.Until) {
			return nil
		}
		return l.book.append(journal.Record{Update: u.ID, Phase: journal.Observed, Wait: &w, Why: w.Text})
	})
}

// waiting is the offer's update that waits in Ready.
func (l *loop) waiting(id string) (*journal.Update, error) {
	u := l.book.open()
	if u == nil || u.ID != id || u.State != Ready || !holds(u) || u.Origin == nil {
		return nil, fmt.Errorf("%w: no update %s waits to be installed", ErrNotFound, id)
	}
	return u, nil
}

// ProceedOffer installs an offer's update that waits. One that has waited for longer than
// the trust window is verified again first, and then installed. A Hold is looked at here,
// so that one that was granted a moment before holds. Errors: ErrNotFound when it does not
// wait, or offers are held back, ErrJournal.
func (e *Engine) ProceedOffer(ctx context.Context, id string) error {
	return e.call(ctx, func(loop context.Context, l *loop) error {
		u, err := l.waiting(id)
		if err != nil {
			return err
		}
		if l.book.journal.State().Held.Binds(l.clock.Now()) {
			return fmt.Errorf("%w: offers are held back", ErrNotFound)
		}
		rec := journal.Record{By: Asker(loop), Learn: &journal.Learn{Proceed: true}}
		if age, ok := l.age(u); !ok || age >= l.trustWindow {
			rec.Why = "verified long ago: verify it again"
			return l.book.fire(loop, Recheck, rec)
		}
		return l.book.fire(loop, Proceed, rec)
	})
}

// CancelOffer cancels the update of an offer, as far as it is open and names the same
// action: why is told. Errors: ErrNotFound when there is none, ErrTooLate from Switching
// on, ErrJournal.
func (e *Engine) CancelOffer(ctx context.Context, o journal.Origin, why string) error {
	return e.call(ctx, func(loop context.Context, l *loop) error {
		u := l.book.open()
		if u == nil || u.Origin == nil || u.Kind != Install || u.Origin.Source != o.Source || u.Origin.Action != o.Action {
			return fmt.Errorf("%w: no update carries out %s of %s", ErrNotFound, o.Action, o.Source)
		}
		_, err := l.cancel(loop, errors.New(why))
		return err
	})
}

// Probed notes how far the probation of the version that runs is, or that it is over.
// Errors: ErrJournal.
func (e *Engine) Probed(ctx context.Context, p journal.Probed, why string) error {
	return e.note(ctx, journal.Record{Phase: journal.Observed, Probed: &p, Why: why})
}

// GoBack goes back from the version on probation to the one before, by an update of kind
// probation. reason is what speaks against it; reach says that this is only that its
// source cannot be reached. The release goes into quarantine with the record that commits
// the version before; for reach alone when that version has reached the source (Convict).
// Errors: ErrNothingToDo when nothing is on probation or another version runs, ErrNotFound
// when there is nowhere to go back to, ErrBusy, ErrJournal.
func (e *Engine) GoBack(ctx context.Context, reason string, reach bool) (id string, err error) {
	err = e.call(ctx, func(loop context.Context, l *loop) error {
		// Asked each time: another version may be committed while the request is put off.
		p := l.book.journal.State().Probation
		if at, err := l.book.versions.Pointers(); err != nil || p == nil || at.Current != p.Version {
			return errors.Join(fmt.Errorf("%w: no version is on probation", ErrNothingToDo), err)
		}
		a := journal.Accept{
			Kind: Probation, Origin: p.Origin, Reports: p.Reports, Reach: reach,
			Evicts: &journal.Quarantined{Version: p.Version, Digest: p.Digest, Reason: reason, Update: p.Update, Time: l.clock.Now().UTC()},
		}
		// An offer that waits is younger than this evidence: its release has to wait.
		id, err = l.turn(loop, a, Turning{Force: true, Supersede: true}, versions.Previous, func(versions.Pointers) string { return p.Back })
		return err
	})
	return id, err
}

// Convict puts the suspect into quarantine: the version before has reached the source.
// Errors: ErrNothingToDo, ErrJournal.
func (e *Engine) Convict(ctx context.Context) error {
	return e.call(ctx, func(_ context.Context, l *loop) error {
		s := l.book.journal.State().Suspect
		if s == nil {
			return fmt.Errorf("%w: nothing is suspected", ErrNothingToDo)
		}
		q := s.Quarantined
		return l.book.append(journal.Record{Phase: journal.Outcome, Quarantine: &q, Why: "the version before reaches the source"})
	})
}

// Acquit lets go of the suspect; why says what speaks for it. Errors: ErrJournal.
func (e *Engine) Acquit(ctx context.Context, why string) error {
	return e.note(ctx, journal.Record{Phase: journal.Observed, Acquit: true, Why: why})
}

// Age is how long ago something was journaled, by the clock that can tell: see
// journal.Instant.Until.
func (e *Engine) Age(i journal.Instant) (d time.Duration, sure bool) {
	return i.Until(instant(e.board.clock))
}
