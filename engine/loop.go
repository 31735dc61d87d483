package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/steps"
)

// loop is what belongs to the goroutine of Run: only its methods, and the calls
// that it lets in, see any of it. It alone moves the machine, starts the worker,
// and writes what the worker brings back.
type loop struct {
	book     *book
	policy   policy
	programs programs
	worker   *worker
	keeper   Keeper
	clock    clock.Clock
	log      *slog.Logger

	attempts    int
	trustWindow time.Duration
	patience    Patience

	calls <-chan call
	pings <-chan struct{}

	errand  *errand       // the job at work; nil when there is none
	retryAt time.Duration // on the monotonic clock; 0 when no attempt is waiting
	parked  []call        // put off until the open update is closed
	// tidyTries counts clean-ups of the open update that failed.
	tidyTries int
	// reserved is what Exclusive runs; nothing is accepted meanwhile.
	reserved string
}

func newLoop(cfg Config, b *book, p policy) *loop {
	return &loop{
		book: b, policy: p, programs: programs{cfg.Program}, worker: newWorker(cfg, p), keeper: cfg.Keeper, clock: cfg.Clock, log: cfg.Log,
		attempts: cfg.Attempts, trustWindow: cfg.TrustWindow, patience: cfg.Patience,
	}
}

// call is something that others want done in the loop. An error ends the loop.
type call func(ctx context.Context, l *loop) error

// errPark, returned by a request, puts it off until the open update is closed.
var errPark = errors.New("wait for the clean-up")

// run is Run.
func (l *loop) run(ctx context.Context) (err error) {
	defer func() { l.stopWorker(errShutdown) }()
	if l.book.open() == nil {
		l.tidyIdle(ctx)
		if err := l.catchUp(); err != nil {
			return err
		}
	}
	for {
		if err := l.advance(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.pings:
		case call := <-l.calls:
			err = call(ctx, l)
		case r := <-l.errand.results():
			l.errand = nil
			err = l.take(ctx, r)
		case <-l.timer():
			err = l.due(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// advance looks at the open update and starts what its state calls for.
func (l *loop) advance(ctx context.Context) error {
	for {
		u := l.book.open()
		if u == nil || l.errand != nil || l.retryAt != 0 {
			return nil
		}
		trigger := Trigger("")
		switch {
		case u.State == Requested && u.Kind == Install:
			trigger = Fetch
		case u.State == Ready && !u.Hold:
			trigger = Proceed
		case u.State == Ready:
			return nil
		case StepOf(u.State) != "":
			return l.enter(ctx, u)
		default:
			l.start(ctx, job{update: u, state: u.State, meter: &steps.Meter{}})
			return nil
		}
		if err := l.book.fire(ctx, trigger, journal.Record{}); err != nil {
			return err
		}
	}
}

// enter starts the step of a state. The intent is on disk before the step
// runs: it was written with the transition, or, after a restart, is now.
func (l *loop) enter(ctx context.Context, u *journal.Update) error {
	attempt := max(u.Attempt, 1)
	if !l.book.fresh {
		next := stepRecord(u.State, attempt)
		if u.Step == next.Step {
			attempt++
		}
		if rowOf(u.State).bounded && attempt > l.attempts {
			return l.book.giveUp(ctx, stepRecord(u.State, attempt-1), neverFinished(u.State, attempt-1))
		}
		if err := l.book.append(intent(u, attempt)); err != nil {
			return err
		}
		u = l.book.open()
	}
	l.book.fresh = false
	// The meter is shown before the worker has it: only the loop writes the board.
	l.start(ctx, job{update: u, state: u.State, attempt: attempt, meter: l.book.board.meter(u.State)})
	return nil
}

// start gives the worker a job.
func (l *loop) start(ctx context.Context, j job) {
	var deadline time.Duration
	if bound := rowOf(j.state).deadline; bound != nil {
		deadline = bound(l.patience)
	}
	l.errand = l.worker.start(ctx, j, deadline)
}

// stopWorker ends the job at work and waits for it.
func (l *loop) stopWorker(cause error) {
	l.errand.stop(cause)
	l.errand = nil
}

// besides is for what the loop does before it takes requests: it runs f in a
// goroutine, and answers Alive until that has returned.
func (l *loop) besides(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for {
		select {
		case <-l.pings:
		case <-done:
			return
		}
	}
}

// unpark runs what was put off.
func (l *loop) unpark(ctx context.Context) error {
	calls := l.parked
	l.parked = nil
	for _, call := range calls {
		if err := call(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom makes room for a new update: it refuses while one is under way, waits
// for the clean-up of one that is over, and supersedes one that only waits.
func (l *loop) makeRoom(ctx context.Context) error {
	u := l.book.open()
	switch {
	case l.reserved != "":
		return errPark
	case u == nil:
		return nil
	case u.Terminal:
		return errPark
	case u.State == Ready && u.Hold:
		if err := l.book.fire(ctx, Supersede, journal.Record{Why: "a newer request took its place"}); err != nil {
			return err
		}
		return errPark
	}
	return &BusyError{u.ID, u.State}
}
