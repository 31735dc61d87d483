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

// The reasons why a job's context ends.
var (
	errShutdown = errors.New("the updater is stopping")
	errCancel   = errors.New("cancelled by request")
	errReplaced = errors.New("replaced by a newer request")
	errDeadline = errors.New("the step took longer than its deadline")
)

// worker does the work that takes time, in the only goroutine that the engine has
// besides the loop's: a state's step, or the clean-up of an update that is over.
// All its methods but start run there.
//
// A worker is never written to once it is made, and has nothing that belongs to
// the loop. It cannot move the machine, write a record, or change what is
// shown. It hands over a result, and the loop journals that.
type worker struct {
	versions Versions
	keeper   Keeper
	gate     Gate
	starter  Starter
	steps    map[steps.Name]steps.Step
	notes    notebook
	policy   policy
	programs programs
	clock    clock.Clock
	log      *slog.Logger
}

func newWorker(cfg Config, p policy) *worker {
	return &worker{
		versions: cfg.Versions, keeper: cfg.Keeper, gate: cfg.Gate, starter: cfg.Starter, steps: cfg.Steps,
		notes: cfg.Journal, policy: p, programs: programs{cfg.Program}, clock: cfg.Clock, log: cfg.Log,
	}
}

// job is what the worker has to do. The loop makes it and does not change it
// afterwards. The update is part of a fold, and folds never change.
type job struct {
	update *journal.Update
	// state is the one the update is in.
	state   State
	attempt int
	// next is the update that waits for this one's clean-up; empty for none.
	next string
	// handed is the file that this process was handed for the update; nil for none.
	handed *steps.Handed
	// meter counts the progress. The loop has made it, and shows it on the board
	// when it is to be seen.
	meter *steps.Meter
}

// result is the outcome of a worker's job. The loop journals it.
type result struct {
	state   State
	attempt int
	skipped bool // Probe found the work done
	out     steps.Outcome
	next    *Successor // who has to run the step instead
	adopted bool       // the clean-up made another program the committed one
	owed    bool       // the clean-up could not do that
	// preflight is what the arming found, also when it is why it failed.
	preflight steps.Preflight
	removed   []string
	took      time.Duration
	err       error
}

// errand is the loop's hold on a job that runs; nil when none does.
type errand struct {
	cancel context.CancelCauseFunc
	done   chan result
}

// results is the channel on which the result arrives. Without a job it is nil, and
// nothing ever arrives.
func (r *errand) results() <-chan result {
	if r == nil {
		return nil
	}
	return r.done
}

// stop ends the job and waits for it. The next probe finds how far the job came.
func (r *errand) stop(cause error) {
	if r == nil {
		return
	}
	r.cancel(cause)
	<-r.done
}
