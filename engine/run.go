package engine

import (
	"context"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// serve is what Run does: it drives the open update until ctx ends, and leaves
// the device in order.
func (l *loop) serve(ctx context.Context) error {
	err := l.drive(ctx)
	l.stopWorker(errShutdown)
	l.hold("", nil)
	if err != nil {
		return err
	}
	return l.leaveInOrder(ctx)
}

// drive answers calls and drives the open update until ctx ends.
func (l *loop) drive(ctx context.Context) (err error) {
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
		if err != nil || ctx.Err() != nil {
			// A step that the end of ctx interrupted is not begun again: each attempt
			// counts.
			return err
		}
	}
}

// advance looks at the open update and starts the work of its state. It moves
// the update on until there is work to start or something to wait for.
func (l *loop) advance(ctx context.Context) error {
	for {
		u := l.book.open()
		if u == nil || l.errand != nil || l.retryAt != 0 {
			return nil
		}
		var err error
		switch {
		case u.State == Requested && u.Kind == Install:
			err = l.book.fire(ctx, Fetch, journal.Record{})
		case u.State == Ready && !holds(u):
			err = l.book.fire(ctx, Proceed, journal.Record{})
		case u.State == Ready:
			return nil
		case StepOf(u.State) != "":
			err = l.enter(ctx, u)
		default:
			l.start(ctx, job{update: u, state: u.State, next: l.next(), meter: &steps.Meter{}})
		}
		if err != nil {
			return err
		}
	}
}

// enter starts the step of a state, or gives the update up when that step has
// been begun too often. The intent is on disk before the step runs: it was
// written with the transition, or, after a restart, is written now.
func (l *loop) enter(ctx context.Context, u *journal.Update) error {
	attempt := max(u.Attempt, 1)
	if !l.book.fresh {
		next := stepRecord(u.State, attempt)
		if u.Step == next.Step && !u.Stopped {
			attempt++ // the attempt before was cut short; one that ended in order does not count
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
	// The meter is shown already: only the loop writes the board.
	l.start(ctx, job{update: u, state: u.State, attempt: attempt, meter: l.book.board.meter()})
	return nil
}
