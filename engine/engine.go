package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Config is what an Engine is made of. All fields without a default must be set.
type Config struct {
	Journal  Journal
	Versions Versions
	// Data may be nil: then no version asks for anything to be done with it.
	Data    Data
	Keeper  Keeper
	Gate    Gate
	Starter Starter
	Steps   map[steps.Name]steps.Step
	Clock   clock.Clock
	Log     *slog.Logger
	// Program may be nil: then no version carries an updater.
	Program Program
	// Budget is how many boots and daemon starts a state from Switching on may
	// cost; default 2.
	Budget int
	// Attempts is how often Verify, Extract and Stage are begun, restarts after
	// a cut included, before the update fails; default 5. Download is not
	// bounded: it makes progress each time.
	Attempts int
	// TrustWindow is how long a verified bundle may wait for its install
	// request; default 24 h.
	TrustWindow time.Duration
	// Deadlines bound each step's run; a step without one may take for ever.
	Deadlines map[steps.Name]time.Duration
	// Trust is the status line that says whom the device trusts; it reads memory
	// only. nil says nothing.
	Trust func() string
}

// Engine runs updates, one at a time. Create it with New, call Recover, then
// Run. All other methods are safe for concurrent use while Run runs; those that
// change something wait for the loop.
type Engine struct {
	cfg     Config
	machine *machine
	calls   chan func(context.Context) error
	pings   chan struct{} // see Alive

	// What follows belongs to the loop's goroutine.
	worker   *worker
	intended bool          // the newest intent was written by this process and not yet acted on
	retryAt  time.Duration // on the monotonic clock; 0 when no attempt is waiting
	parked   []func(context.Context) error
	cleaning int    // clean-ups of the open update that failed
	reserved string // what Exclusive runs; nothing is accepted meanwhile

	status  atomic.Pointer[snapshot]
	changed atomic.Pointer[chan struct{}]
}

// New makes an engine. It reads the pointers once and changes nothing.
func New(cfg Config) (*Engine, error) {
	if cfg.Budget <= 0 {
		cfg.Budget = 2
	}
	if cfg.Attempts <= 0 {
		cfg.Attempts = 5
	}
	if cfg.Trust == nil {
		cfg.Trust = func() string { return "" }
	}
	if cfg.TrustWindow <= 0 {
		cfg.TrustWindow = 24 * time.Hour
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{cfg: cfg, calls: make(chan func(context.Context) error), pings: make(chan struct{})}
	e.machine = newMachine(e.state, e.write)
	ch := make(chan struct{})
	e.changed.Store(&ch)
	if err := e.publish(); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Engine) open() *journal.Update { return e.cfg.Journal.State().Open }

// state is the machine's: Idle when no update is open.
func (e *Engine) state() (State, *journal.Update) {
	u := e.open()
	if u == nil {
		return Idle, nil
	}
	return u.State, u
}

// change is one transition to be journaled: the record that moves the state,
// and records that go into the same transaction before and after it.
type change struct {
	update *journal.Update
	first  []journal.Record
	move   journal.Record
	then   []journal.Record
}

// write is the state mutator: the outcome, the state it leads to and the next
// intent become one transaction. If the power goes before it is durable the
// old state stands and the step is entered again; afterwards the new one does.
func (e *Engine) write(_ context.Context, to State, c change) error {
	m := c.move
	m.To, m.Terminal = to, Terminal(to)
	m.Update = c.update.ID
	recs := slices.Concat(c.first, []journal.Record{m}, c.then)
	if step := StepOf(to); step != "" {
		next := *c.update
		next.State = to
		if m.Learn != nil && m.Learn.To != "" {
			next.To = m.Learn.To
		}
		recs = append(recs, intent(&next, step, 1))
	}
	return e.append(recs...)
}

// append journals, and publishes the new state to those who poll.
func (e *Engine) append(recs ...journal.Record) error {
	for _, r := range recs {
		if r.Phase == journal.Intent && r.Step != "" {
			e.intended = true
		}
	}
	if _, err := e.cfg.Journal.Append(recs...); err != nil {
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	for _, r := range recs {
		e.log(r)
	}
	return e.publish()
}

// intent announces a step: the pointers as they are to become, where it moves them.
func intent(u *journal.Update, step steps.Name, attempt int) journal.Record {
	r := journal.Record{Update: u.ID, Phase: journal.Intent, Step: journal.Step(step), Attempt: attempt}
	switch u.State {
	case Switching, RollingBack, FallingBack:
		r.Evidence = evidence(struct {
			Target versions.Pointers `json:"target"`
		}{target(u)})
	}
	return r
}

// fire moves the open update.
func (e *Engine) fire(ctx context.Context, t Trigger, move journal.Record, then ...journal.Record) error {
	s, u := e.state()
	move.From, move.Trigger = s, t
	if t == Fail && Switched(s) {
		move.Why = e.exempt(move.Why, wayBack(u, s))
	}
	if move.Phase == "" {
		move.Phase = journal.Outcome
	}
	return e.machine.fire(ctx, t, change{update: u, move: move, then: then})
}

// Run is the loop. It returns nil when ctx ends, with the worker stopped, and
// an error that wraps ErrJournal when the journal failed: then everything about
// the last write is unknown, and the caller must open the journal anew, make a
// new engine and recover. A *TakeOver means that another program has to go on.
func (e *Engine) Run(ctx context.Context) (err error) {
	defer func() { e.stopWorker(errShutdown) }()
	if e.open() == nil {
		if err := e.tidyIdle(ctx); err != nil {
			return err
		}
		if err := e.catchUp(); err != nil {
			return err
		}
	}
	for {
		if err := e.begin(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.pings:
		case call := <-e.calls:
			err = call(ctx)
		case r := <-e.worker.results():
			e.worker = nil
			err = e.finish(ctx, r)
		case <-e.timer():
			err = e.due(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// errPark, returned by a call, puts it off until the open update is closed.
var errPark = errors.New("wait for the clean-up")

// call runs f in the loop and returns its answer. An error of f that wraps
// ErrJournal also ends the loop.
func (e *Engine) call(ctx context.Context, f func(context.Context) error) error {
	done := make(chan error, 1)
	var run func(context.Context) error
	run = func(loop context.Context) error {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // nobody waits for it any more
		}
		err := f(loop)
		if errors.Is(err, errPark) {
			e.parked = append(e.parked, run)
			return nil
		}
		done <- err
		if errors.Is(err, ErrJournal) {
			return err
		}
		return nil
	}
	select {
	case e.calls <- run:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// unpark runs what was put off.
func (e *Engine) unpark(ctx context.Context) error {
	calls := e.parked
	e.parked = nil
	for _, run := range calls {
		if err := run(ctx); err != nil {
			return err
		}
	}
	return nil
}
