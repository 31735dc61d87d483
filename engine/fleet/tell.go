package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
)

// owed is what is still to be told to the source, oldest first.
func (l *Loop) owed() []journal.Notice {
	var list []journal.Notice
	for _, n := range l.cfg.Engine.Journal().Outbox {
		if n.To == l.cfg.Source.Name() {
			list = append(list, n)
		}
	}
	return list
}

// tellAll tells what is in the outbox, in order, until the source does not take it for
// now. Its error is the engine's.
//
// If the power goes after a notice was told and before that is journaled, it is told once
// more: a source knows that it has heard it, or counts an end once.
func (l *Loop) tellAll(ctx context.Context) error {
	if l.cfg.Clock.Monotonic() < l.tell {
		return nil
	}
	for _, n := range l.owed() {
		err := l.cfg.Source.Tell(ctx, n)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		never := ""
		switch {
		case errors.Is(err, ErrNever):
			never = err.Error()
			l.cfg.Log.Warn("the source will not be told", "source", l.cfg.Source.Name(), "update", n.Update, "state", string(n.State), "err", err)
		case err != nil:
			l.untold++
			wait, wanted := l.backOff(l.untold, err)
			if wanted {
				l.next = max(l.next, l.cfg.Clock.Monotonic()+wait)
			}
			l.tell = l.cfg.Clock.Monotonic() + wait
			l.set(func(s *Status) { s.Untold = err.Error() })
			return nil
		}
		if o := l.answer.Offer; n.End && n.Origin != nil && o != nil && o.Origin == *n.Origin {
			l.taken = true // the answer is from before the source knew of the end
		}
		l.untold = 0
		l.set(func(s *Status) { s.Untold = "" })
		if err := l.cfg.Engine.Told(ctx, n, never); err != nil {
			return err
		}
	}
	return nil
}

// forgetOthers drops what is owed to sources that are not configured any more: nobody
// could tell them. An offer of theirs that waits would never be let go on.
func (l *Loop) forgetOthers(ctx context.Context) error {
	if err := abandon(ctx, l.cfg.Engine, l.cfg.Source.Name(), "its source is not configured any more"); err != nil {
		return err
	}
	for _, n := range l.cfg.Engine.Journal().Outbox {
		if n.Origin == nil || n.To == l.cfg.Source.Name() {
			continue
		}
		l.cfg.Log.Warn("a notice is dropped: its recipient is not configured any more", "to", n.To, "update", n.Update, "state", string(n.State))
		if err := l.cfg.Engine.Told(ctx, n, n.To+" is not configured any more"); err != nil {
			return err
		}
	}
	return nil
}

// Abandon is for a device that asks nobody any more. An offer that waits would never be let
// go on, and keep others from being installed: it is cancelled. What is to be told stays,
// for the day on which its source is asked again. Errors: engine.ErrJournal.
func Abandon(ctx context.Context, e Engine) error {
	return abandon(ctx, e, "", "this device asks nobody any more")
}

// abandon cancels the offer of another source than the one of this name: why.
func abandon(ctx context.Context, e Engine, name, why string) error {
	u := e.Journal().Open
	if u == nil || u.Terminal || u.Origin == nil || u.Origin.Source == name || u.Kind != engine.Install {
		return nil
	}
	who := engine.AskedBy(ctx, &journal.Asker{Kind: journal.ByUpdater})
	err := e.CancelOffer(who, *u.Origin, why)
	if errors.Is(err, engine.ErrTooLate) || errors.Is(err, engine.ErrNotFound) {
		err = nil
	}
	return err
}

// lately reports whether an offer has come to a bad end so short a time ago that it is not
// tried again yet: the longer, the more often. It returns when it is.
func (l *Loop) lately(o journal.Origin) (until time.Duration, end *journal.OfferEnd) {
	e := l.cfg.Engine.Journal().EndOf(o)
	if e == nil || e.Times == 0 {
		return 0, nil
	}
	wait := firstRetry
	for n := 1; n < e.Times && wait < lastRetry; n++ {
		wait *= 4
	}
	// Where a clock cannot tell how long the device was without power, less is passed.
	passed, _ := l.cfg.Engine.Age(e.Ended)
	return min(wait, lastRetry) - passed, e
}

// An offer that has failed is tried again after an hour, four hours, sixteen, and then
// each day, while its source goes on offering it.
const (
	firstRetry = time.Hour
	lastRetry  = 24 * time.Hour
)
