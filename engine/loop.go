package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
)

// loop belongs to the goroutine of Run. Only its methods, and the calls that it
// lets in, see its fields. It alone moves the machine, starts the worker and
// journals the worker's results.
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

// call is a function that another goroutine has the loop run. Its error ends the
// loop.
type call func(ctx context.Context, l *loop) error

// errPark, returned by a call, puts the call off until the open update is closed.
var errPark = errors.New("wait for the clean-up")

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

// aliveDuring runs f, which takes time before the loop takes requests. f has a
// goroutine of its own; the loop answers Alive until f has returned.
func (l *loop) aliveDuring(f func()) {
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

// unpark runs the calls that were put off.
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

// makeRoom makes room for a new update. It refuses while another is under way,
// waits for the clean-up of one that is over, and supersedes one that waits in Ready.
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
