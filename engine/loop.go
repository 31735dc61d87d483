package engine

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/steps"
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
	// probation and reached are Config's.
	probation time.Duration
	reached   func(source string) bool

	calls <-chan call
	pings <-chan struct{}

	errand  *errand       // the job at work; nil when there is none
	retryAt time.Duration // on the monotonic clock; 0 when no attempt is waiting
	parked  []call        // put off until the open update is closed
	// handed is the file that was handed over for the update handedTo; nil for none.
	handed   *steps.Handed
	handedTo string
	// promised is the update of a request that is carried out, or is parked until the update
	// that gives way to it is closed; nil for none.
	promised *promised
	// tidyTries counts clean-ups of the open update that failed.
	tidyTries int
	// reserved is what Exclusive runs; nothing is accepted meanwhile.
	reserved string
}

func newLoop(cfg Config, b *book, p policy) *loop {
	return &loop{
		book: b, policy: p, programs: programs{cfg.Program}, worker: newWorker(cfg, p), keeper: cfg.Keeper, clock: cfg.Clock, log: cfg.Log,
		attempts: cfg.Attempts, trustWindow: cfg.TrustWindow, patience: cfg.Patience, probation: cfg.Probation, reached: cfg.Reached,
	}
}

// hold keeps a file that was handed over for an update, and lets go of the one before.
func (l *loop) hold(update string, h *steps.Handed) {
	l.handed.Close()
	l.handed, l.handedTo = h, update
}

// promised is an update that is not accepted yet, with all that it needs on disk: it may
// wait for the clean-up of the update that gives way to it.
type promised struct {
	id     string
	source json.RawMessage
}

// promise names the next update, and keeps the secrets of its source. It comes before
// anything is taken away for that update: a full disk refuses the request, and nothing else
// has changed. The name stays the update's own while it waits: the record that makes
// another update give way moves the journal's number on.
//
// If the power goes before the update is accepted, the next clean-up finds a directory of
// no update, and removes it.
//
// What was promised before belongs to a request that was withdrawn: those that are parked
// are asked again in the order in which they came.
func (l *loop) promise(src steps.Source, h *steps.Handed) (p *promised, err error) {
	l.forget(l.promised)
	p = &promised{id: l.book.newID()}
	l.promised = p
	p.source, err = record(l.keeper, p.id, src, h)
	return p, err
}

// forget removes what was kept for an update that is not accepted after all; nil for none.
func (l *loop) forget(p *promised) {
	if p == nil || l.promised != p {
		return
	}
	l.promised = nil
	if err := l.keeper.DropWorkDir(p.id); err != nil {
		l.log.Warn("cannot remove what was kept for a request", "update", p.id, "err", err)
	}
}

// next is the id of the update that was promised; empty for none.
func (l *loop) next() string {
	if l.promised == nil {
		return ""
	}
	return l.promised.id
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
	switch {
	case l.handedTo != j.update.ID:
	case j.state == Downloading:
		j.handed = l.handed
	default:
		l.hold("", nil) // it was copied: the medium that it is on may go
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
	// The request that an update was replaced for is accepted now, or was withdrawn.
	if len(l.parked) == 0 {
		l.forget(l.promised)
	}
	l.book.board.replacing.Store(false)
	return nil
}

// makeRoom makes room for a new update, after may has found nothing against it. It
// refuses while another is under way, waits for the clean-up of one that is over, and
// supersedes one that only waits.
func (l *loop) makeRoom(ctx context.Context, p precedence, may func() error) error {
	u := l.book.open()
	switch {
	case l.reserved != "":
		return errPark
	case u == nil:
		return may()
	case u.Terminal:
		return errPark
	case !l.givesWay(u):
		return &BusyError{Update: u.ID, State: u.State}
	case !p.before(u):
		return &BusyError{Update: u.ID, State: u.State, Offer: sourceName(u.Origin)}
	}
	// A request that is refused changes nothing.
	if err := may(); err != nil {
		return err
	}
	l.retryAt = 0
	l.stopWorker(errReplaced)
	l.book.board.replacing.Store(true) // before anybody can see the update cancelled
	if err := l.book.fire(ctx, Supersede, superseded(ctx, u)); err != nil {
		l.book.board.replacing.Store(false)
		return err
	}
	return errPark
}

// superseded is the record of an update that gives way. Whoever made the offer that it
// carries out is told why it has come to nothing.
func superseded(ctx context.Context, u *journal.Update) journal.Record {
	rec := journal.Record{By: Asker(ctx), Why: "a newer request took its place"}
	if u.Origin != nil {
		rec.Error = asFailure(&steps.Error{Class: steps.Interrupted, Code: steps.CancelledByUser, Err: errors.New(rec.Why)})
	}
	return rec
}

// precedence is what a request has over an update that waits.
type precedence struct {
	// supersede: the request says that it takes an offer's place.
	supersede bool
	// source is the one whose offer the request carries out; empty for a request of this
	// device.
	source string
}

// before reports whether the request may take the place of u, which gives way: a request
// of this device that of another such request, and a source's that of its own older offer.
// An offer gives way to anything else only when that is asked for: somebody has decided
// that this device gets it.
func (p precedence) before(u *journal.Update) bool {
	of := sourceName(u.Origin)
	return p.supersede || of == p.source
}

// givesWay reports whether a newer request may take the place of an update: it waits
// for its install request, or for a network that may never come. Its clients may know
// of no way to cancel it.
func (l *loop) givesWay(u *journal.Update) bool {
	return u.State == Ready && holds(u) || l.standsStill(u)
}

// standsStill reports whether an update has failed to get on with its download, and
// waits for the next try or makes one.
func (l *loop) standsStill(u *journal.Update) bool {
	return u.State == Downloading && (l.retryAt != 0 || l.book.board.meter().Pause() != nil)
}
