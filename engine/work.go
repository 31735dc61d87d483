package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// start begins a job. A deadline of zero never comes.
func (w *worker) start(ctx context.Context, j job, deadline time.Duration) *errand {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &errand{cancel: cancel, done: make(chan result, 1)}
	began := w.clock.Monotonic()
	if deadline > 0 {
		expired := w.clock.After(deadline)
		go func() {
			select {
			case <-expired:
				cancel(errDeadline)
			case <-ctx.Done():
			}
		}()
	}
	go func() {
		// The job has a thread of its own. Hashing and copying then wait their
		// turn for the processor, and requests are answered meanwhile.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		got := w.do(ctx, j)
		cancel(nil)
		got.state, got.attempt, got.took = j.state, j.attempt, w.clock.Monotonic()-began
		r.done <- got
	}()
	return r
}

// do does a job: the step of its state, and then the arming.
func (w *worker) do(ctx context.Context, j job) result {
	at := rowOf(j.state)
	if at.over {
		return w.cleanUp(ctx, j)
	}
	var r result
	if at.step != "" {
		r = w.step(ctx, j)
	}
	if at.arms && r.err == nil && r.next == nil {
		r.preflight, r.err = w.arm(ctx, j)
	}
	return r
}

// step probes a state's step, and does the rest of the step's work.
func (w *worker) step(ctx context.Context, j job) (r result) {
	t, err := w.task(j)
	if err != nil {
		return result{err: err}
	}
	if why := w.refuseTarget(j.update, t.Target.Current); why != nil {
		return result{err: why}
	}
	if err := w.room(j); err != nil {
		return result{err: err}
	}
	if next, err := w.programs.rightOne(ctx, j.update, j.state); err != nil || next != nil {
		return result{next: next, err: reason(ctx, err)}
	}
	step := w.steps[StepOf(j.state)]
	reach, err := step.Probe(ctx, t)
	if err == nil && reach == steps.Done {
		return result{skipped: true}
	}
	if err == nil {
		r.out, err = step.Do(ctx, t)
	}
	if err != nil {
		r.err = reason(ctx, err)
	}
	return r
}

// room makes the update's own directory before Switching. Once going back has
// failed, room removes the directory: the disk may be full, and the bundle is
// not needed any more.
func (w *worker) room(j job) error {
	at := rowOf(j.state)
	if !at.switched {
		if err := w.keeper.MakeWorkDir(j.update.ID); err != nil {
			return steps.FromOS(err, "make the work directory")
		}
	}
	if at.back && j.attempt > 1 {
		if err := w.keeper.DropWorkDir(j.update.ID); err != nil {
			w.log.Warn("cannot make room", "err", err)
		}
	}
	return nil
}

// arm prepares for Switching: the preflight, and the marker. Both are durable before
// the record that enters Switching. If the power goes in between, the marker stands
// with an update that has not switched: recovery goes on from the same state and arms
// again; the update's end removes it. A check of a release needs no marker.
func (w *worker) arm(ctx context.Context, j job) (found steps.Preflight, err error) {
	t, err := w.task(j.as(Switching))
	if err != nil {
		return found, err
	}
	if found, err = w.gate.Preflight(ctx, t); err != nil {
		return found, reason(ctx, err)
	}
	if err := steps.Refusal(found.Findings); err != nil || j.update.Check {
		return found, err
	}
	if err := w.versions.Mark(j.update.Before.Current); err != nil {
		return found, steps.FromOS(err, "set the marker")
	}
	return found, nil
}

// refuseTarget says why a job from Switching on must not go to a version: the
// version is not whole, or failed already. It is asked before a service is stopped.
func (w *worker) refuseTarget(u *journal.Update, version string) error {
	if !Switched(u.State) {
		return nil
	}
	is := versions.Missing
	if version != "" {
		var err error
		if is, err = w.versions.State(version); err != nil {
			return steps.FromOS(err, "look at version "+version)
		}
	}
	if why := cannotGo(u, version, is); why != "" {
		return &steps.Error{Class: steps.Local, Code: steps.TargetUnusable, Err: errors.New(why)}
	}
	return nil
}

// reason replaces a context's error by the reason why the context ended.
func reason(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil || errors.Is(cause, context.Canceled) && ctx.Err() == nil:
		return err
	case errors.Is(cause, errDeadline):
		return &steps.Error{Class: steps.Local, Code: steps.DeploymentFailed, Err: fmt.Errorf("%w: %w", errDeadline, err)}
	}
	return &steps.Error{Class: steps.Interrupted, Code: steps.CancelledByUser, Err: cause}
}
