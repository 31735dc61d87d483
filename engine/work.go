package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Why a worker's context ended.
var (
	errShutdown = errors.New("the updater is stopping")
	errCancel   = errors.New("cancelled by request")
	errDeadline = errors.New("the step took longer than its deadline")
)

// worker is the one goroutine beside the loop: it runs a state's step, or the
// clean-up of an update that is over.
type worker struct {
	cancel context.CancelCauseFunc
	done   chan result
}

func (w *worker) results() <-chan result {
	if w == nil {
		return nil
	}
	return w.done
}

// result is what a worker brings back. The loop journals it.
type result struct {
	state    State
	attempt  int
	skipped  bool // Probe found the work done
	out      steps.Outcome
	next     *Successor // who has to run the step instead
	adopted  bool       // the clean-up made another program the committed one
	owed     bool       // it could not
	baseline json.RawMessage
	removed  []string
	took     time.Duration
	err      error
}

// begin looks at the open update and starts what its state calls for.
func (e *Engine) begin(ctx context.Context) error {
	for {
		u := e.open()
		if u == nil || e.worker != nil || e.retryAt != 0 {
			return nil
		}
		s := u.State
		switch {
		case Terminal(s):
			e.start(ctx, s, func(ctx context.Context) result { return e.clean(ctx, u) })
			return nil
		case s == Requested && u.Kind == Install:
			if err := e.fire(ctx, Fetch, journal.Record{}); err != nil {
				return err
			}
		case s == Requested:
			e.start(ctx, s, func(ctx context.Context) result { return e.arm(ctx, u) })
			return nil
		case s == Ready && !u.Hold:
			if err := e.fire(ctx, Proceed, journal.Record{}); err != nil {
				return err
			}
		case s == Ready:
			return nil
		default:
			return e.enter(ctx, u, s)
		}
	}
}

// enter starts the step of a state. The intent is on disk before the step
// runs: it was written with the transition, or, after a restart, is now.
func (e *Engine) enter(ctx context.Context, u *journal.Update, s State) error {
	step := StepOf(s)
	attempt := max(u.Attempt, 1)
	if !e.intended {
		if u.Step == journal.Step(step) {
			attempt++
		}
		if attempt > e.cfg.Attempts && (step == steps.Verify || step == steps.Extract || step == steps.Stage) {
			err := &steps.Error{Class: steps.Unhealthy, Code: steps.BudgetSpent, Err: fmt.Errorf("%s was begun %d times and never finished", step, attempt-1)}
			return e.fail(ctx, journal.Record{Step: journal.Step(step), Attempt: attempt - 1}, err)
		}
		if err := e.append(intent(u, step, attempt)); err != nil {
			return err
		}
		u = e.open()
	}
	e.intended = false
	e.start(ctx, s, func(ctx context.Context) result { return e.run(ctx, u, s, attempt) })
	return nil
}

func (e *Engine) start(ctx context.Context, s State, f func(context.Context) result) {
	wctx, cancel := context.WithCancelCause(ctx)
	w := &worker{cancel: cancel, done: make(chan result, 1)}
	e.worker = w
	began := e.cfg.Clock.Monotonic()
	if d := e.cfg.Deadlines[StepOf(s)]; d > 0 {
		expired := e.cfg.Clock.After(d)
		go func() {
			select {
			case <-expired:
				cancel(errDeadline)
			case <-wctx.Done():
			}
		}()
	}
	go func() {
		// A thread of its own, so that hashing and copying make the work wait
		// its turn for the processor, and not the answers to whoever asks.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		r := f(wctx)
		cancel(nil)
		r.state, r.took = s, e.cfg.Clock.Monotonic()-began
		w.done <- r
	}()
}

// stopWorker cancels the worker and waits for it. What it did is found by the
// next probe.
func (e *Engine) stopWorker(cause error) {
	if e.worker == nil {
		return
	}
	e.worker.cancel(cause)
	<-e.worker.done
	e.worker = nil
}

// run is the worker of a state with a step: probe, and do what is left.
func (e *Engine) run(ctx context.Context, u *journal.Update, s State, attempt int) result {
	r := result{attempt: attempt}
	t, err := e.task(u, s, attempt)
	if err != nil {
		r.err = err
		return r
	}
	if why := e.cannotGoNow(u, t.Target.Current); why != nil {
		r.err = why
		return r
	}
	if !Switched(s) {
		if err := e.cfg.Keeper.MakeWorkDir(u.ID); err != nil {
			r.err = steps.FromOS(err, "make the work directory")
			return r
		}
	}
	if (s == RollingBack || s == FallingBack) && attempt > 1 {
		// The disk may be full, and the bundle is not needed any more.
		if err := e.cfg.Keeper.DropWorkDir(u.ID); err != nil {
			e.cfg.Log.Warn("cannot make room", "err", err)
		}
	}
	if r.next, err = e.successor(ctx, u, s); err != nil || r.next != nil {
		r.err = e.reason(ctx, err)
		return r
	}
	step := e.cfg.Steps[StepOf(s)]
	reach, err := step.Probe(ctx, t)
	if err == nil && reach == steps.Done {
		r.skipped = true
	} else if err == nil {
		r.out, err = step.Do(ctx, t)
	}
	if err != nil {
		r.err = e.reason(ctx, err)
		return r
	}
	if s == Staging {
		after := e.arm(ctx, u)
		r.baseline, r.err = after.baseline, after.err
	}
	return r
}

// reason replaces a context's error by why it ended.
func (e *Engine) reason(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil || errors.Is(cause, context.Canceled) && ctx.Err() == nil:
		return err
	case errors.Is(cause, errDeadline):
		return &steps.Error{Class: steps.Local, Code: steps.DeploymentFailed, Err: fmt.Errorf("%w: %w", errDeadline, err)}
	}
	return &steps.Error{Class: steps.Interrupted, Code: steps.CancelledByUser, Err: cause}
}

// arm prepares for Switching: the gate's word on what runs now, and the
// marker. Both are durable before the record that enters Switching. If the
// power goes in between, the marker stands with an update that has not switched:
// recovery goes on from the same state and arms again; the update's end removes it.
func (e *Engine) arm(ctx context.Context, u *journal.Update) result {
	var r result
	t, err := e.task(u, Switching, 1)
	if err != nil {
		return result{err: err}
	}
	if u.Before.Current != "" {
		if r.baseline, err = e.cfg.Gate.Baseline(ctx, t); err != nil {
			return result{err: e.reason(ctx, err)}
		}
	}
	if err := e.cfg.Versions.Mark(u.Before.Current); err != nil {
		return result{err: steps.FromOS(err, "set the marker")}
	}
	return r
}

// cannotGoNow refuses a target that is no whole version, or failed already,
// before a service is stopped for it.
func (e *Engine) cannotGoNow(u *journal.Update, version string) error {
	if !Switched(u.State) {
		return nil
	}
	is := versions.Missing
	if version != "" {
		var err error
		if is, err = e.cfg.Versions.State(version); err != nil {
			return steps.FromOS(err, "look at version "+version)
		}
	}
	if why := cannotGo(u, version, is); why != "" {
		return &steps.Error{Class: steps.Local, Code: steps.TargetUnusable, Err: errors.New(why)}
	}
	return nil
}

// task is what a step is told.
func (e *Engine) task(u *journal.Update, s State, attempt int) (*steps.Task, error) {
	at := *u
	at.State = s
	t := &steps.Task{
		Update: u.ID, Kind: steps.Kind(u.Kind), Before: u.Before, Target: reachable(target(&at), e.usable),
		Back:    s == RollingBack || s == FallingBack,
		Release: steps.Release{Version: u.To, Digest: u.Digest, Services: u.Services},
		Attempt: attempt, WorkDir: e.cfg.Keeper.WorkDir(u.ID), Baseline: u.Baseline,
		EpochFloor: e.epochFloor(), Force: u.Force,
		Accept: func(r steps.Release) error {
			if err := e.acceptable(u, r); err != nil {
				return err
			}
			return nil
		},
		Since: since(u, s),
		Meter: e.newMeter(u, s),
		Notes: notes{e.cfg.Journal, u.ID, string(StepOf(s))},
		Units: notes{e.cfg.Journal, u.ID, "units"},
	}
	var err error
	if t.Facts, err = e.facts(u, t.Back || Terminal(s)); err != nil {
		return nil, err
	}
	if len(u.Source) > 0 {
		if err := json.Unmarshal(u.Source, &t.Source); err != nil {
			return nil, fmt.Errorf("cannot read the source of update %s in the journal: %w", u.ID, err)
		}
	}
	return t, nil
}

func (e *Engine) usable(version string) bool {
	is, err := e.cfg.Versions.State(version)
	return version != "" && err == nil && is.Usable()
}

// since is the moment from which a main process counts as started after the
// flip: the record that followed it.
func since(u *journal.Update, s State) steps.Moment {
	from := s
	if s == CheckingHealth || s == Committing {
		from = Restarting
	}
	m := u.Entries[from]
	return steps.Moment{Boot: m.Boot, Mono: m.Mono}
}

// notes keeps a step's checkpoint in the journal.
type notes struct {
	j            Journal
	update, step string
}

func (n notes) Load(v any) (bool, error) {
	b, err := n.j.ReadNote(n.update, n.step)
	if err != nil || b == nil {
		return false, err
	}
	return true, json.Unmarshal(b, v)
}

func (n notes) Save(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return n.j.Note(n.update, n.step, b)
}
