package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Engine runs updates, one at a time. Create it with New, call Recover, then Run.
// Recover, the Note… methods and Run belong to one goroutine. All other methods are
// safe for concurrent use while Run runs: they read what the board shows, or hand
// the loop a call and wait for it.
type Engine struct {
	versions Versions
	board    *board
	calls    chan<- call
	pings    chan<- struct{} // see Alive
	ended    chan struct{}   // closed when Run has returned
	// own belongs to the goroutine of Recover, the Note… methods and Run.
	own struct {
		book     *book
		recovery *recovery
		loop     *loop
	}
}

// New makes an engine. It reads the pointers once and changes nothing.
func New(cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	calls, pings := make(chan call), make(chan struct{})
	p := policy{journal: cfg.Journal, versions: cfg.Versions, clock: cfg.Clock, log: cfg.Log}
	e := &Engine{versions: cfg.Versions, board: newBoard(cfg), calls: calls, pings: pings, ended: make(chan struct{})}
	e.own.book = newBook(cfg, p, e.board)
	e.own.recovery = newRecovery(cfg, e.own.book)
	e.own.loop = newLoop(cfg, e.own.book, p)
	e.own.loop.calls, e.own.loop.pings = calls, pings
	if err := e.own.book.publish(); err != nil {
		return nil, err
	}
	return e, nil
}

// Recover looks at the journal and the world and makes them agree. By Oneshot
// it sets pointers and links and counts the boot; by Daemon it leaves to the
// loop what a step does with its services stopped. It may be cut anywhere and
// run again; a second run in the same boot finds nothing to do.
//
// Call it before Run, in the same goroutine.
func (e *Engine) Recover(ctx context.Context, by By) (Report, error) {
	return e.own.recovery.agree(ctx, by)
}

// Unfinished returns an error that wraps ErrBusy while there is an update to go on
// with, or the gate of one whose journal was lost: a request would be refused. An
// update that waits for its install request is not meant; a request supersedes it.
// Unfinished changes nothing and costs nothing. Call it before Recover.
func (e *Engine) Unfinished() error { return e.own.recovery.unfinished() }

// NoteJournalLost journals that the journal has begun anew on a device that has
// been updated before, so that what was recorded is lost. Call it before Recover.
func (e *Engine) NoteJournalLost() error { return e.own.recovery.noteJournalLost() }

// NoteUnits journals that unit files did not agree with the version that current
// leads to, and what was changed about them, marshalled to JSON. Call it after
// Recover and before Run.
func (e *Engine) NoteUnits(version string, changes any) error {
	return e.own.recovery.noteUnits(version, changes)
}

// Run is the loop. It returns nil when ctx ends, with the worker stopped, and
// an error that wraps ErrJournal when the journal failed: then everything about
// the last write is unknown, and the caller must open the journal anew, make a
// new engine and recover. A *TakeOver means that another program has to go on.
// Call it once.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.ended)
	return e.own.loop.serve(ctx)
}

// Status tells where the device stands. It reads memory only.
func (e *Engine) Status() Status { return e.board.status() }

// Changed returns a channel that is closed at the next change of state, and when the step
// at work stands still for another reason than before or gets on again.
func (e *Engine) Changed() <-chan struct{} { return *e.board.changed.Load() }

// Alive returns nil once the loop has answered: the proof of life that a
// watchdog is fed with. A step at work in the worker does not delay it, nor does
// tidying before the loop takes requests.
func (e *Engine) Alive(ctx context.Context) error {
	select {
	case e.pings <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// call runs f in the loop and returns its answer. When ctx ends before f has
// run, f never will; once f has an answer, that answer is returned even if the
// client has hung up. An error of f that wraps ErrJournal also ends the loop.
// When the loop has ended, the error wraps context.Canceled. The context that f is
// given is the loop's, with the asker of ctx.
func (e *Engine) call(ctx context.Context, f call) error {
	who := Asker(ctx)
	run := func(loop context.Context, l *loop) error { return f(AskedBy(loop, who), l) }
	q := &request{run: run, done: make(chan error, 1)}
	select {
	case e.calls <- q.ask:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.ended:
		return errEnded
	}
	select {
	case err := <-q.done:
		return err
	case <-ctx.Done():
		return q.withdraw(context.Cause(ctx))
	case <-e.ended:
		return q.withdraw(errEnded)
	}
}

// errEnded is the answer of a loop that has ended.
var errEnded = fmt.Errorf("%w: %w", errShutdown, context.Canceled)

// request is a call whose caller waits for the answer, unless it was withdrawn.
type request struct {
	run  call
	done chan error // has room for the answer
	// mu is held while the loop runs the call, so that withdraw finds it not begun,
	// parked or answered, and never in between.
	mu        sync.Mutex
	withdrawn bool
}

// ask is the function that the loop runs for the request.
func (q *request) ask(ctx context.Context, l *loop) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.withdrawn {
		return nil
	}
	err := q.run(ctx, l)
	if errors.Is(err, errPark) {
		l.parked = append(l.parked, q.ask)
		return nil
	}
	q.done <- err
	if errors.Is(err, ErrJournal) {
		return err
	}
	return nil
}

// withdraw takes back a request that the loop has not answered, and returns
// why. When the loop has answered, the request stands, and withdraw returns
// that answer.
func (q *request) withdraw(why error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.withdrawn = true
	select {
	case err := <-q.done:
		return err
	default:
		return why
	}
}
