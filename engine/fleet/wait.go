package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
)

// goOn installs the offer that waits, when nobody has anything against it, and journals
// why it waits otherwise.
func (l *Loop) goOn(ctx context.Context) (again time.Duration, err error) {
	u := l.waits()
	if u == nil {
		return 0, nil
	}
	w, again := l.mayInstall(ctx, l.offerOf(u), l.deferred(u))
	// Somebody may have stopped it since: before anything is switched, the source is asked
	// once more. One that does not answer does not hold up what it has let go, and is left
	// alone for as long as it would be otherwise.
	switch now := l.cfg.Clock.Monotonic(); {
	case w != nil || l.tries > 0:
	case l.asks == 0: // it is asked in a moment, by Run
		until := l.in(l.next - now)
		l.wait(&journal.Wait{Reason: string(Unheard), Text: l.cfg.Source.Name() + " is asked first, at " + stamp(until), Until: until})
		return max(l.next-now, time.Millisecond), nil
	case now-l.at > stale:
		if _, err := l.ask(ctx); err != nil {
			return 0, err
		}
		if l.tries == 0 {
			return time.Millisecond, nil // begin may know of something better
		}
	}
	if w != nil {
		l.wait(w)
		return again, l.note(ctx, u, w)
	}
	l.wait(nil)
	err = l.cfg.Engine.ProceedOffer(l.as(ctx, u.Origin.Action), u.ID)
	if errors.Is(err, engine.ErrNotFound) {
		err = nil
	}
	return 0, err
}

// Reasons for which an update waits are journaled as they change, so many times. From then on
// an hour lies between two of them: the records of an open update are not pruned, and a
// source that opens and shuts its window with each answer must not fill the journal.
const (
	manyReasons = 32
	reasonPause = time.Hour
)

// note journals why an update waits, when that is another reason than the journal has.
func (l *Loop) note(ctx context.Context, u *journal.Update, w *journal.Wait) error {
	if u.Wait != nil && u.Wait.Reason == w.Reason && u.Wait.Until.Equal(w.Until) {
		return nil
	}
	now := l.cfg.Clock.Monotonic()
	if l.reasons.update != u.ID {
		l.reasons = reasons{update: u.ID}
	}
	if l.reasons.times >= manyReasons && now-l.reasons.at < reasonPause {
		return nil
	}
	err := l.cfg.Engine.Waits(ctx, u.ID, *w)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return nil // it has moved on meanwhile
	case err == nil:
		l.reasons.times, l.reasons.at = l.reasons.times+1, now
	}
	return err
}

// reasons counts the reasons that this process has journaled for an update, at which the
// newest was.
type reasons struct {
	update string
	times  int
	at     time.Duration
}

// offerOf is the offer that an update carries out, as the newest answer has it; nil when it
// does not.
func (l *Loop) offerOf(u *journal.Update) *Offer {
	if o := l.answer.Offer; o != nil && o.Origin == *u.Origin {
		return o
	}
	return nil
}

// mayInstall says why an offer is not installed now, and when to look again. put is how
// long it has been put off already; o is nil when the newest answer does not have it.
func (l *Loop) mayInstall(ctx context.Context, o *Offer, put time.Duration) (*journal.Wait, time.Duration) {
	now := l.cfg.Clock.Now()
	if h := l.held(); h != nil {
		w := &journal.Wait{Reason: string(Held), Text: "offers are held back: " + h.Why, Until: h.Until}
		if h.Until.IsZero() {
			return w, 0
		}
		w.Text += ", until " + stamp(h.Until)
		return w, max(h.Until.Sub(now), time.Second)
	}
	if o != nil && o.Do == Fetch {
		text := l.cfg.Source.Name() + " wants it to be fetched, and not installed yet"
		if o.Window {
			text = "the maintenance window of " + l.cfg.Source.Name() + " is shut"
		}
		return &journal.Wait{Reason: string(BySource), Text: text}, 0
	}
	if l.cfg.Policy != Auto {
		return &journal.Wait{Reason: string(ByPolicy), Text: "this device only downloads (policy \"download\"): \"tope-updater fleet install\" installs it"}, 0
	}
	if o == nil && l.cfg.Source.Listens() && !l.heard {
		return &journal.Wait{Reason: string(Unheard), Text: l.cfg.Source.Name() + " has not been heard since the updater was started: it may have shut its window, or stopped the offer"}, 0
	}
	left := l.cfg.MaxDefer - put
	if o != nil && o.Forced || left <= 0 {
		return nil, 0
	}
	w, again := l.inTime(ctx, now)
	if w != nil && (again == 0 || again > left) {
		w.Until, again = l.in(left), left
	}
	return w, again
}

// deferred is how long an update has been put off since it was accepted, as far as the
// clocks can tell.
func (l *Loop) deferred(u *journal.Update) time.Duration {
	d, _ := l.cfg.Engine.Age(u.Newest)
	return u.Took + d
}

// inTime asks the windows, and then the device.
func (l *Loop) inTime(ctx context.Context, now time.Time) (*journal.Wait, time.Duration) {
	if len(l.cfg.Windows.list) > 0 {
		if now.Before(l.cfg.Build) {
			return &journal.Wait{Reason: string(NoClock), Text: "the clock is not set (it is " + stamp(now) + "), so that no window can be told"}, lookAgain
		}
		open, until := l.cfg.Windows.Open(now)
		if !open {
			next, ok := l.cfg.Windows.Next(now)
			if !ok {
				return &journal.Wait{Reason: string(OutsideWindow), Text: "no maintenance window ever opens"}, 0
			}
			return &journal.Wait{Reason: string(OutsideWindow), Text: "the next maintenance window opens at " + stamp(next), Until: next}, max(next.Sub(now), time.Second)
		}
		if left := l.spread(now, until); left > 0 {
			at := l.in(left)
			return &journal.Wait{Reason: string(OutsideWindow), Text: "the maintenance window is open; this device's turn in it is at " + stamp(at), Until: at}, left
		}
	}
	if l.cfg.Veto != nil {
		if v := l.cfg.Veto(ctx); v.Busy {
			return &journal.Wait{Reason: string(Busy), Text: fmt.Sprintf("the device is busy: %s", v.Why)}, lookAgain
		}
	}
	return nil, 0
}

// widest is the longest time over which a fleet begins in a window.
const widest = time.Hour

// spread is how long this device still waits in a window that is open: a fleet whose
// windows open in one moment begins over a quarter of it, an hour at most. One that never
// shuts, which is the zero until as shuts is at first, opens in no moment.
func (l *Loop) spread(now, until time.Time) time.Duration {
	mono := l.cfg.Clock.Monotonic()
	if !l.shuts.Equal(until) {
		l.shuts = until
		l.opening = mono + part(min(until.Sub(now)/4, widest), draw("window", l.cfg.ID, 0))
	}
	return l.opening - mono
}

// held is who holds offers back now; nil for nobody.
func (l *Loop) held() *journal.Held {
	h := l.cfg.Engine.Journal().Held
	if !h.Binds(l.cfg.Clock.Now()) {
		return nil
	}
	return h
}

// unhold ends a hold whose time is over.
func (l *Loop) unhold(ctx context.Context) (time.Duration, error) {
	h := l.cfg.Engine.Journal().Held
	switch {
	case h == nil || h.Until.IsZero():
		return 0, nil
	case l.held() != nil:
		return max(h.Until.Sub(l.cfg.Clock.Now()), time.Second), nil
	}
	err := l.cfg.Engine.Unhold(engine.AskedBy(ctx, &journal.Asker{Kind: journal.ByUpdater}))
	if errors.Is(err, engine.ErrNothingToDo) {
		err = nil
	}
	return time.Second, err
}
