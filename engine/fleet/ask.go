package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// stale is how old an answer may be for something to be installed by it.
const stale = 15 * time.Minute

// ask asks the source, keeps what it has to remember, and does at once what does not
// depend on the device: cancels, and tells the attributes. asked is why there is no
// answer; err is the engine's.
func (l *Loop) ask(ctx context.Context) (asked, err error) {
	f := l.cfg.Engine.Journal()
	q := Question{
		Version: l.cfg.Engine.Status().Pointers.Current, Facts: f.FactsOf(l.cfg.Source.Name()),
		Clock: l.cfg.Clock.Now(), Uptime: l.cfg.Clock.Monotonic(), Quarantined: map[string]string{},
	}
	for _, e := range f.Quarantine {
		q.Quarantined[e.Digest] = e.Reason
	}
	if _, mine := l.open(); mine != nil && !engine.Switched(mine.State) {
		q.Accepted = mine.Origin
	}
	a, asked := l.cfg.Source.Ask(ctx, q)
	if ctx.Err() != nil {
		return context.Cause(ctx), nil
	}
	l.asks++
	// If the power goes now, the question is asked again, of a source that tells nobody's
	// earlier answers apart; afterwards the device knows what it has seen before it acts.
	if a.Facts != nil && !bytes.Equal(a.Facts, q.Facts) {
		if err := l.cfg.Engine.Remember(ctx, l.cfg.Source.Name(), a.Facts); err != nil {
			return asked, err
		}
	}
	now, wall := l.cfg.Clock.Monotonic(), l.cfg.Clock.Now().UTC().Round(time.Second)
	l.tried = now
	switch {
	case asked == nil || errors.Is(asked, ErrHeard):
		l.unheard = 0
	case l.unheard == 0:
		l.unheard = now
	}
	if asked != nil {
		l.failed(now, wall, asked)
		return asked, nil
	}
	l.tries, l.heard, l.answer, l.at, l.taken = 0, true, a, now, false
	l.next = now + l.interval(a)
	if l.untold > 0 {
		l.untold, l.tell = 0, now // it is there again
	}
	l.set(func(s *Status) {
		l.spoken = now
		s.Asked, s.Heard, s.Failure, s.Tries = wall, wall, "", 0
		s.Alarm, s.Details, s.Due, s.Offer = a.Alarm, a.Details, a.Due, offerStatus(a.Offer)
	})
	if a.Alarm != "" {
		l.cfg.Log.Warn("the source needs somebody to look at it", "source", l.cfg.Source.Name(), "alarm", a.Alarm)
	}
	if err := l.reached(ctx); err != nil {
		return nil, err
	}
	if err := l.cancel(ctx, a); err != nil {
		return nil, err
	}
	return l.identify(ctx, a), nil
}

// failed notes a question without an answer, and when the next one is.
func (l *Loop) failed(now time.Duration, wall time.Time, why error) {
	l.tries++
	wait, wanted := l.backOff(l.tries, why)
	if wanted {
		l.tell = max(l.tell, now+wait)
	}
	l.next = now + wait
	if l.tries == 1 {
		l.cfg.Log.Warn("the source could not be asked", "source", l.cfg.Source.Name(), "err", why)
	}
	l.set(func(s *Status) { s.Asked, s.Failure, s.Tries = wall, why.Error(), l.tries })
}

// longest is the longest time for which a source is left alone because it wants to be:
// one that says years, by mistake, would have lost the device.
const longest = 7 * 24 * time.Hour

// backOff is how long the source is left alone after so many failures in a row. wanted: it
// asks for that.
func (l *Loop) backOff(tries int, why error) (wait time.Duration, wanted bool) {
	wait = BackOff(l.cfg.ID, tries, l.cfg.Poll)
	var asks *Wait
	if errors.As(why, &asks) && asks.For > 0 {
		return max(wait, AtLeast(l.cfg.ID, l.asks, asks.For)), true
	}
	return wait, false
}

// interval is the time to the next question after an answer.
func (l *Loop) interval(a Answer) time.Duration {
	every := l.cfg.Poll
	if a.Next > 0 && !l.cfg.Fixed {
		every = min(a.Next, longest)
	}
	return Later(l.cfg.ID, l.asks, every)
}

func offerStatus(o *Offer) *OfferStatus {
	if o == nil {
		return nil
	}
	return &OfferStatus{Action: o.Origin.Action, Version: o.Version, Digest: o.Origin.Digest, Text: o.Text, Do: o.Do, Forced: o.Forced}
}

// cancel does what the answer says of an offer that is not to be carried out any more.
func (l *Loop) cancel(ctx context.Context, a Answer) error {
	if a.Cancel == nil {
		return nil
	}
	who := l.as(ctx, a.Cancel.Action)
	why := a.CancelWhy
	if why == "" {
		why = l.cfg.Source.Name() + " has cancelled it"
	}
	err := l.cfg.Engine.CancelOffer(who, *a.Cancel, why)
	switch {
	case errors.Is(err, engine.ErrTooLate):
		// It runs on, and its end is told when it has one.
		if err := l.cfg.Source.Uncancel(ctx, *a.Cancel, err.Error()); err != nil {
			l.unsaid("that it is too late to cancel", err)
		}
		return nil
	case errors.Is(err, engine.ErrNotFound) && l.cfg.Source.Listens() && !l.owes(a.Cancel.Action):
		// Nothing of it is left here: it was never begun, or by an installation before this one.
		return l.cfg.Engine.RefuseOffer(who, engine.OfferRefusal{
			Origin: *a.Cancel, State: engine.Cancelled, Listens: true,
			Why: &steps.Error{Class: steps.Interrupted, Code: steps.CancelledByUser, Err: errors.New(why)},
		})
	case errors.Is(err, engine.ErrNotFound):
		return nil // its end stands in the outbox, or nobody wants to know
	}
	return err
}

// unsaid notes that something which is only worth telling now could not be told.
func (l *Loop) unsaid(what string, err error) {
	l.cfg.Log.Warn("the source could not be told "+what, "source", l.cfg.Source.Name(), "err", err)
}

// identify tells the attributes when the source wants to know, or they have changed.
func (l *Loop) identify(ctx context.Context, a Answer) error {
	if l.cfg.Attributes == nil || !l.cfg.Source.Listens() {
		return nil
	}
	all := l.cfg.Attributes()
	list := make([]string, 0, len(all))
	for k, v := range all {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	text := strings.Join(list, "\n")
	if !a.Identify && text == l.attributes {
		return nil
	}
	if err := l.cfg.Source.Identify(ctx, all); err != nil {
		return fmt.Errorf("the attributes could not be told: %w", err)
	}
	l.attributes = text
	return nil
}

// owes reports whether the end of an action still has to be told.
func (l *Loop) owes(action string) bool {
	return slices.ContainsFunc(l.owed(), func(n journal.Notice) bool { return n.End && n.Origin != nil && n.Origin.Action == action })
}
