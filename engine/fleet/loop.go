package fleet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
)

// Loop asks a source and carries out what it offers. Make it with New, and call Run once.
type Loop struct {
	cfg   Config
	kicks chan chan error
	// ended is closed when Run has returned.
	ended chan struct{}

	// The fields below belong to the goroutine of Run.

	// next is when the source is asked, on the monotonic clock. asks counts questions,
	// tries those that have failed in a row; unheard is when the first of those was that
	// nobody has answered, 0 for none, and heard that the source has answered since Run
	// began.
	next    time.Duration
	asks    uint64
	tries   int
	unheard time.Duration
	heard   bool
	// tried is when the newest question was.
	tried time.Duration
	// answer is the newest answer, and at when it came. taken: its offer was begun, or
	// answered, since. insists: somebody has asked for it, so that an offer that has failed
	// is tried at once.
	answer  Answer
	at      time.Duration
	taken   bool
	insists bool
	// attributes are those that were told last.
	attributes string
	// denied is the action whose confirmation was denied last, and the reason; agreed is the
	// offer to which the device has agreed last.
	denied string
	agreed journal.Origin
	// tell is when the outbox is told, and untold how often that has failed in a row.
	tell   time.Duration
	untold int
	// opening is when an offer may go on in the window that shuts at shuts, so that a fleet
	// does not go on in one moment.
	opening time.Duration
	shuts   time.Time
	watch   watch
	reasons reasons

	mu    sync.Mutex
	shown Status
	// spoken is when the source answered last; 0 for never.
	spoken time.Duration
}

// New makes a loop. It asks nothing yet.
func New(cfg Config) *Loop {
	cfg = cfg.withDefaults()
	return &Loop{
		cfg: cfg, kicks: make(chan chan error), ended: make(chan struct{}),
		shown: Status{Schema: 1, Source: cfg.Source.Name(), Place: cfg.Source.Place(), Policy: cfg.Policy, Text: notAsked},
	}
}

// Run goes on until ctx ends, or the journal fails: then it returns an error that wraps
// engine.ErrJournal. Everything else that goes wrong is tried again.
func (l *Loop) Run(ctx context.Context) error {
	defer close(l.ended)
	now := l.cfg.Clock.Monotonic()
	l.next, l.tell = now+FirstPoll(l.cfg.ID, l.cfg.Poll), now
	if l.waits() != nil {
		l.next = now + FirstPoll(l.cfg.ID, time.Minute) // what waits has to know whether it still may
	}
	if err := l.forgetOthers(ctx); err != nil {
		return err
	}
	var kick chan error
	for {
		changed := l.cfg.Engine.Changed() // before anything is looked at, so that no change is missed
		pause, err := l.round(ctx, kick)
		kick = nil
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, engine.ErrJournal) {
			return err
		}
		if err != nil {
			l.cfg.Log.Warn("the fleet's loop tries again", "err", err)
			pause = min(pause, lookAgain)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case kick = <-l.kicks:
		case <-l.cfg.Clock.After(pause):
		}
	}
}

// lookAgain is the pause after something unforeseen, and of a look at what is on probation
// or may be vetoed.
const lookAgain = time.Minute

// Check asks the source now, and returns what came of that. It does not wait for what is
// begun. Errors are those of the question, or of ctx, and context.Canceled when Run ends.
func (l *Loop) Check(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case l.kicks <- done:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.ended:
		return errEnded
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.ended:
		return errEnded
	}
}

var errEnded = fmt.Errorf("the updater is stopping: %w", context.Canceled)

// round does all that is due, shows how that has left the device, and returns how long
// nothing is due. kick is the channel of somebody who waits for an answer of the source; nil
// for nobody. He is told last, so that the status which he looks at next is that of the answer.
func (l *Loop) round(ctx context.Context, kick chan error) (pause time.Duration, err error) {
	if kick != nil {
		now := l.cfg.Clock.Monotonic()
		l.next, l.tell, l.insists = now, now, true
	}
	pause, asked, err := l.due(ctx)
	l.show()
	if kick != nil {
		kick <- errors.Join(asked, err)
	}
	return pause, err
}

// due is round's work. asked is why the source has not answered.
func (l *Loop) due(ctx context.Context) (pause time.Duration, asked, err error) {
	now := l.cfg.Clock.Monotonic()
	if err := l.tellAll(ctx); err != nil {
		return lookAgain, nil, err
	}
	if now >= l.next {
		asked, err = l.ask(ctx)
	}
	if err != nil {
		return lookAgain, asked, err
	}
	pause = time.Duration(math.MaxInt64)
	for _, due := range []func(context.Context) (time.Duration, error){l.begin, l.goOn, l.probe, l.unhold} {
		d, err := due(ctx)
		if err != nil {
			return lookAgain, asked, err
		}
		if d > 0 {
			pause = min(pause, d)
		}
	}
	// They may have asked, or may want to. What has been begun may owe something already.
	pause = min(pause, l.next-l.cfg.Clock.Monotonic())
	if len(l.owed()) > 0 {
		pause = min(pause, l.tell-l.cfg.Clock.Monotonic())
	}
	l.insists = false
	return max(pause, time.Millisecond), asked, nil
}

// open is the update that is open and not over; nil for none. mine is the same when it
// carries out an offer of this source.
func (l *Loop) open() (open, mine *journal.Update) {
	u := l.cfg.Engine.Journal().Open
	if u == nil || u.Terminal {
		return nil, nil
	}
	if u.Origin != nil && u.Origin.Source == l.cfg.Source.Name() && u.Kind == engine.Install {
		return u, u
	}
	return u, nil
}

// waits is the update of an offer that is ready and waits; nil for none.
func (l *Loop) waits() *journal.Update {
	if _, u := l.open(); u != nil && u.State == engine.Ready && u.Hold {
		return u
	}
	return nil
}

// as is the context for requests that the source's answer has brought about.
func (l *Loop) as(ctx context.Context, action string) context.Context {
	return engine.AskedBy(ctx, &journal.Asker{Kind: journal.BySource, Source: l.cfg.Source.Name(), Action: action})
}

// set changes what is shown.
func (l *Loop) set(change func(*Status)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.shown)
}

// show brings the times and the summary up to date.
func (l *Loop) show() {
	now := l.cfg.Clock.Monotonic()
	wall := l.cfg.Clock.Now()
	l.set(func(s *Status) {
		s.Next = wall.Add(l.next - now).UTC().Round(time.Second)
		if o := l.answer.Offer; o != nil && l.done(o) { // the source has not been asked since
			s.Offer = nil
		}
		s.Text = l.summary(s)
	})
}

// notAsked is the status of a loop that has only begun.
const notAsked = "the source has not been asked yet"

// summary is the status in one line.
func (l *Loop) summary(s *Status) string {
	_, mine := l.open()
	switch {
	case mine != nil && mine.State == engine.Ready && s.Wait != nil:
		return "version " + mine.To + " is ready and waits: " + s.Wait.Text
	case mine != nil && mine.State == engine.Ready && l.asks == 0:
		return "version " + mine.To + " is ready, and waits until its source was asked, at " + stamp(s.Next)
	case mine != nil && mine.To != "":
		return "version " + mine.To + " is being installed (" + string(mine.State) + ")"
	case mine != nil: // its head has not been read
		return "offer " + mine.Origin.Action + " is being installed (" + string(mine.State) + ")"
	case s.Wait != nil:
		return s.Wait.Text
	case s.Failure != "":
		return "the source could not be asked: " + s.Failure
	case s.Heard.IsZero():
		return notAsked
	case l.answer.Offer != nil && l.done(l.answer.Offer):
		return "version " + l.cfg.Engine.Status().Pointers.Current + " of " + l.cfg.Source.Name() + " is installed"
	}
	return l.answer.Text
}
