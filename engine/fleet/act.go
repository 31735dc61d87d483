package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// begin accepts what is offered, when it may be fetched. It returns when to look again; 0
// for no time of its own.
func (l *Loop) begin(ctx context.Context) (again time.Duration, err error) {
	o := l.answer.Offer
	if o == nil {
		l.clear()
		return 0, nil
	}
	open, mine := l.open()
	if mine != nil && *mine.Origin == o.Origin {
		l.taken = true // it is being carried out; what comes after its end, a newer answer says
		return 0, nil
	}
	if left, err := l.left(ctx, o); left || err != nil {
		return 0, err
	}
	if l.taken {
		return l.afterwards(o)
	}
	if o.Unfit != "" {
		return 0, l.refuse(ctx, o, &steps.Error{Class: steps.Refused, Code: steps.InvalidPackage, Err: errors.New(o.Unfit)})
	}
	if l.owes(o.Origin.Action) {
		l.taken = true // the source did not know yet what became of it
		return 0, nil
	}
	if l.done(o) {
		return 0, l.again(ctx, o)
	}
	if w, until := l.mayBegin(ctx, o, open, mine); w != nil {
		l.wait(w)
		return until, nil
	}
	if o.Do == Ask {
		return l.confirm(ctx, o)
	}
	if !l.fresh(o) {
		return 0, nil
	}
	l.clear()
	if mine != nil {
		// A newer offer of the same source: the older one is over as soon as it may be.
		err := l.cfg.Engine.CancelOffer(l.as(ctx, o.Origin.Action), *mine.Origin, l.cfg.Source.Name()+" offers "+o.Origin.Action+" in its place")
		if err != nil && !errors.Is(err, engine.ErrTooLate) && !errors.Is(err, engine.ErrNotFound) {
			return 0, err
		}
		return 0, nil // its end changes the engine, and this is looked at again
	}
	if q := l.known(o); q != nil {
		return 0, l.refuse(ctx, o, &steps.Error{
			Class: steps.Refused, Code: steps.Quarantined, Err: fmt.Errorf("release %s failed on this device before (%s)", q.Version, q.Reason),
		})
	}
	if err := l.placed(ctx); err != nil {
		return 0, err
	}
	src := o.Source
	src.Sparing = !o.Forced && l.cfg.Thrift != nil
	_, err = l.cfg.Engine.Install(l.as(ctx, o.Origin.Action), engine.InstallRequest{
		Source: src, Hold: true, Origin: &o.Origin, Reports: l.cfg.Source.Listens(), Patience: l.cfg.Patience,
	})
	switch {
	case err == nil:
		l.taken = true
		return 0, nil
	case errors.Is(err, engine.ErrBusy):
		return lookAgain, nil
	case errors.Is(err, engine.ErrNothingToDo):
		return 0, l.refuse(ctx, o, &steps.Error{Class: steps.Refused, Code: steps.AlreadyCurrent, Err: err})
	case errors.Is(err, engine.ErrQuarantined):
		return 0, l.refuse(ctx, o, &steps.Error{Class: steps.Refused, Code: steps.Quarantined, Err: err})
	case errors.Is(err, engine.ErrInvalid):
		return 0, l.refuse(ctx, o, &steps.Error{Class: steps.Refused, Code: steps.InvalidPackage, Err: err})
	}
	return 0, err
}

// left reports whether somebody has gone back by hand from what an offer had brought. It is
// not installed again until somebody asks for it (Check), whatever its source goes on
// offering: the word of who stands before the device would count for an hour otherwise. A
// device that was reset to its factory version is not meant: it starts anew.
func (l *Loop) left(ctx context.Context, o *Offer) (bool, error) {
	f := l.cfg.Engine.Journal()
	end := f.EndOf(o.Origin)
	switch u := f.Last; {
	case end == nil || l.insists:
		return false, nil
	case end.Code == string(steps.LeftByHand):
		l.wait(&journal.Wait{Reason: string(Failed), Text: o.Text + "; " + end.Text})
		return true, nil
	case end.State != engine.Committed || u == nil || u.Kind != engine.ByHand || u.State != engine.Committed || u.From != o.Version || o.Version == "":
		return false, nil
	}
	who := engine.AskedBy(ctx, &journal.Asker{Kind: journal.ByUpdater})
	return true, l.cfg.Engine.RefuseOffer(who, engine.OfferRefusal{
		Origin: o.Origin, Version: o.Version, State: engine.Cancelled, Why: &steps.Error{
			Class: steps.Interrupted, Code: steps.LeftByHand,
			Err: errors.New("somebody has gone back from it by hand: it is not installed again unless asked for (\"tope-updater fleet check\")"),
		},
	})
}

// known is the entry in quarantine of what is offered, when an offer of the same file has
// led to it: a server knows files, the quarantine releases, and nothing need be fetched to
// tell. nil: it has to be fetched to know.
func (l *Loop) known(o *Offer) *journal.Quarantined {
	f := l.cfg.Engine.Journal()
	for i := range f.Quarantine {
		for _, e := range f.Offers {
			if e.Update == f.Quarantine[i].Update && o.Origin.Digest != "" && e.Digest == o.Origin.Digest && e.Source == o.Origin.Source {
				return &f.Quarantine[i]
			}
		}
	}
	return nil
}

// afterwards looks at an offer that was begun or answered. One that has failed is tried
// again, once its source has said anew that it offers it. It returns when that is.
func (l *Loop) afterwards(o *Offer) (time.Duration, error) {
	left, end := l.lately(o.Origin)
	switch {
	case end == nil:
		l.clear()
		return 0, nil
	case left > 0:
		l.wait(l.failing(o, end, left))
		return left, nil
	case l.tries == 0 && !l.owes(o.Origin.Action): // else the source is asked soon enough
		l.next = min(l.next, l.at+lookAgain)
	}
	return 0, nil
}

// failing is the wait for the time at which an offer that has failed is tried again. One in
// quarantine is not: its source is asked for another.
func (l *Loop) failing(o *Offer, end *journal.OfferEnd, left time.Duration) *journal.Wait {
	if l.known(o) != nil || slices.ContainsFunc(l.cfg.Engine.Journal().Quarantine, func(q journal.Quarantined) bool { return q.Digest == o.Origin.Digest }) {
		return &journal.Wait{
			Reason: string(Failed),
			Text:   fmt.Sprintf("%s; it has failed here (%s), and is in quarantine: it is not tried again before \"tope-updater quarantine clear\"", o.Text, end.Code),
		}
	}
	what := "has failed " + times(end.Times) + " here (" + end.Code + ")"
	if end.State == engine.Cancelled {
		what = "was cancelled here"
	}
	until := l.in(left)
	return &journal.Wait{
		Reason: string(Failed), Until: until,
		Text: fmt.Sprintf("%s; it %s, and is tried again at %s, if it is still offered then", o.Text, what, stamp(until)),
	}
}

// done reports whether an offer is what the newest update has brought, so that its source
// has missed its end, or has forgotten it.
func (l *Loop) done(o *Offer) bool {
	f := l.cfg.Engine.Journal()
	u := f.Last
	return u != nil && u.Kind == engine.Install && u.State == engine.Committed && u.Origin != nil && *u.Origin == o.Origin && f.EndOf(o.Origin) != nil
}

// again tells the good end of an offer once more, an hour after the last time.
func (l *Loop) again(ctx context.Context, o *Offer) error {
	l.taken = true
	ago, _ := l.cfg.Engine.Age(l.cfg.Engine.Journal().EndOf(o.Origin).Ended)
	if !l.cfg.Source.Listens() || ago < firstRetry {
		return nil
	}
	return l.cfg.Engine.RefuseOffer(l.as(ctx, o.Origin.Action), engine.OfferRefusal{
		Origin: o.Origin, Version: l.cfg.Engine.Status().Pointers.Current, State: engine.Committed, Listens: true,
	})
}

// refuse answers an offer that cannot be carried out, once for each time that it is made.
func (l *Loop) refuse(ctx context.Context, o *Offer, why *steps.Error) error {
	if l.owes(o.Origin.Action) {
		return nil
	}
	if left, end := l.lately(o.Origin); end != nil && left > 0 && !l.cfg.Source.Listens() {
		return nil // it is known, and nobody else wants to know
	}
	l.taken = true
	return l.cfg.Engine.RefuseOffer(l.as(ctx, o.Origin.Action), engine.OfferRefusal{
		Origin: o.Origin, Version: o.Version, State: engine.Failed, Why: why, Listens: l.cfg.Source.Listens(),
	})
}

// mayBegin says why an offer is not fetched now, and how long that is so as far as is known.
func (l *Loop) mayBegin(ctx context.Context, o *Offer, open, mine *journal.Update) (*journal.Wait, time.Duration) {
	if l.cfg.Policy != Download && l.cfg.Policy != Auto {
		return &journal.Wait{Reason: string(ByPolicy), Text: o.Text + ", and this device only looks (policy \"check\"); it is at " + o.Source.URL.String()}, 0
	}
	if open != nil && mine == nil {
		return &journal.Wait{Reason: string(Another), Text: fmt.Sprintf("%s; update %s is in progress (%s)", o.Text, open.ID, open.State)}, 0
	}
	if left, end := l.lately(o.Origin); end != nil && left > 0 && !l.insists {
		return l.failing(o, end, left), left
	}
	if l.cfg.Thrift != nil && !o.Forced && o.Do != Ask {
		if why, until := l.cfg.Thrift(ctx); why != "" {
			return &journal.Wait{Reason: string(Thrifty), Text: o.Text + "; " + why, Until: until}, lookAgain
		}
	}
	return nil, 0
}

// fresh reports whether something may be begun by the newest answer. What was offered long
// ago may have been stopped since, or have expired: its source is asked first, and as long
// as it does not answer nothing is begun.
func (l *Loop) fresh(o *Offer) bool {
	now := l.cfg.Clock.Monotonic()
	if now-l.at <= stale {
		return true
	}
	if l.tries == 0 && l.untold == 0 { // else it is left alone for now
		l.next = min(l.next, now)
	}
	l.wait(&journal.Wait{Reason: string(Unheard), Text: o.Text + "; " + l.cfg.Source.Name() + " was heard long ago, and may have stopped that since: it is asked first"})
	return false
}

// confirm answers a source that waits for a word: yes when the offer would be installed
// now, and otherwise why not, once for each reason.
func (l *Loop) confirm(ctx context.Context, o *Offer) (time.Duration, error) {
	put, known := l.asked(o)
	w, again := l.mayInstall(ctx, o, put)
	if w == nil {
		if !l.fresh(o) {
			return 0, nil
		}
		l.denied = ""
		l.clear()
		if err := l.cfg.Source.Confirm(ctx, o.Origin, true, ""); err != nil {
			l.unsaid("that the offer is welcome", err)
			return 0, nil
		}
		l.taken = true
		if l.agreed == o.Origin { // a server that goes on asking is not asked any sooner
			return 0, nil
		}
		l.agreed, l.next = o.Origin, l.cfg.Clock.Monotonic()+confirmed
		return confirmed, nil
	}
	l.wait(w)
	if !known {
		if err := l.noteAsked(ctx, o); err != nil {
			return 0, err
		}
	}
	said := o.Origin.Action + " " + w.Reason
	if l.denied == said {
		return again, nil
	}
	l.denied = said
	if err := l.cfg.Source.Confirm(ctx, o.Origin, false, w.Text); err != nil {
		l.unsaid("why the offer has to wait", err)
	}
	return again, nil
}

// unconfirmed is since when a source waits for a word on an offer. There is no update yet
// whose time would tell for how long windows and veto have put it off.
type unconfirmed struct {
	Origin journal.Origin  `json:"origin"`
	Since  journal.Instant `json:"since"`
}

// asked is how long a source has waited for a word on an offer, as far as the clocks can
// tell; known says that this was noted.
func (l *Loop) asked(o *Offer) (put time.Duration, known bool) {
	var was unconfirmed
	if json.Unmarshal(l.cfg.Engine.Journal().FactsOf(l.confirming()), &was) != nil || was.Origin != o.Origin {
		return 0, false
	}
	put, _ = l.cfg.Engine.Age(was.Since)
	return put, true
}

// noteAsked journals that a source waits for a word from now on.
func (l *Loop) noteAsked(ctx context.Context, o *Offer) error {
	text, _ := json.Marshal(unconfirmed{o.Origin, journal.Instant{
		Time: l.cfg.Clock.Now().UTC(), Mono: l.cfg.Clock.Monotonic(), Boot: l.cfg.Clock.Boot(),
	}}) // texts and numbers
	return l.cfg.Engine.Remember(ctx, l.confirming(), text)
}

// confirming is the name under which the loop remembers that.
func (l *Loop) confirming() string { return l.cfg.Source.Name() + ", unconfirmed" }

// confirmed is how long after a word the source is asked for what it offers then.
const confirmed = 5 * time.Second

// wait shows why an offer waits.
func (l *Loop) wait(w *journal.Wait) { l.set(func(s *Status) { s.Wait = w }) }

// clear shows that nothing waits, as far as no update does.
func (l *Loop) clear() {
	if l.waits() == nil {
		l.wait(nil)
	}
}

// in is the wall clock's time after a while.
func (l *Loop) in(d time.Duration) time.Time {
	return l.cfg.Clock.Now().Add(d).UTC().Round(time.Second)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
