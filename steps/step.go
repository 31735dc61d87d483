package steps

import (
	"context"
	"encoding/json"

	"github.com/tope/updater/platform/versions"
)

// Reach is how far a probe found a step to have got.
type Reach string

// What Probe answers.
const (
	// NotStarted: nothing of this step's work is there.
	NotStarted Reach = "not started"
	// Partly: some of it is; Do goes on from there or begins again, as it sees fit.
	Partly Reach = "partly done"
	// Done: all of it is there and durable; Do would change nothing.
	Done Reach = "done"
)

// Step is one unit of work of an update. See the package comment.
type Step interface {
	Probe(ctx context.Context, t *Task) (Reach, error)
	Do(ctx context.Context, t *Task) (Outcome, error)
	Undo(ctx context.Context, t *Task) error
}

// Task is what the engine tells a step. It is made anew for each run; the step
// may read all of it and must not keep it.
type Task struct {
	// Update is the update's id: letters, digits and dashes.
	Update string
	Kind   Kind
	Source Source
	// Release is what earlier steps have learnt of the release.
	Release Release
	// Before is where the pointers were when the update was accepted.
	Before versions.Pointers
	// Target is where this run takes current and previous: forwards for an
	// update, to Before for Rollback, to the factory's version for Factory.
	Target versions.Pointers
	// Back is set for Rollback and Factory: current is set before previous, and the
	// gate asks for the baseline only.
	Back bool
	// Attempt counts from 1.
	Attempt int
	// WorkDir is the update's own directory below the state directory, as a
	// host path. It exists when a step before Switch is run, survives power
	// cuts, and goes with the update.
	WorkDir string
	// Facts are what the steps that succeeded have found out. They are shared
	// between runs: not to be written to.
	Facts Facts
	// Baseline is what the gate said of the version that ran before Switching.
	Baseline json.RawMessage
	// Since is the moment from which on a main process counts as started after
	// the flip. Any process of another boot does.
	Since Moment
	// EpochFloor is the highest epoch this device has committed: no release of a
	// lower one is installed, unless Force says so.
	EpochFloor int64
	Force      bool
	// Accept asks the engine whether a release that the step has learnt of, and
	// not returned yet, may go on: quarantine, already current. nil accepts all.
	Accept func(Release) error
	// Meter is where the step shows its progress. Never nil.
	Meter *Meter
	// Notes keeps a small checkpoint of this step durable. Never nil.
	Notes Notes
	// Units keeps, durably and for all steps of the update, which units ran
	// with the services (package running). nil keeps nothing.
	Units Notes
}

// Outcome is what Do leaves behind in the journal.
type Outcome struct {
	// Evidence is marshalled to JSON; nil for none. If it is a Fact, later steps
	// find that in Task.Facts.
	Evidence any
	// Release is merged into the update's.
	Release Release
}
