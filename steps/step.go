package steps

import (
	"context"
	"encoding/json"

	"github.com/tope/updater/platform/versions"
)

// Reach is how far a step has got, as its Probe finds it.
type Reach string

// The answers of Probe.
const (
	// NotStarted: nothing of this step's work is there.
	NotStarted Reach = "not started"
	// Partly: some of the work is there; Do goes on from there or begins again, as
	// it sees fit.
	Partly Reach = "partly done"
	// Done: all of the work is there and durable; Do would change nothing. Probe has
	// synced what it found, since a killed process may not have.
	Done Reach = "done"
)

// Step is one unit of work of an update. See the package comment.
type Step interface {
	Probe(ctx context.Context, t *Task) (Reach, error)
	Do(ctx context.Context, t *Task) (Outcome, error)
	Undo(ctx context.Context, t *Task) error
}

// Task is the engine's input for a step. The engine makes a new Task for each run; a
// step may read all of it and must not keep it after the run.
type Task struct {
	// Update is the update's id: letters, digits and dashes.
	Update string
	Kind   Kind
	Source Source
	// Handed is the source's file when somebody has handed it over; nil when the updater
	// opens the source by itself.
	Handed *Handed
	// Release has the findings of earlier steps about the release.
	Release Release
	// Carried are services beyond those of the release, whose units the versions carry.
	// Their units say in which order they start. The engine leaves it empty.
	Carried []string
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
	// cuts, and is removed with the update.
	WorkDir string
	// Facts are the findings of the steps that succeeded. Runs share them, so a
	// step must not write to them.
	Facts Facts
	// History is how long starts and checks took on this device.
	History History
	// Baseline is the gate's verdict on the version that ran before Switching.
	Baseline json.RawMessage
	// Since is the moment from which on a main process counts as started after
	// the flip. A process of another boot always counts as started after it.
	Since Moment
	// EpochFloor is the highest epoch this device has committed. A release of a
	// lower epoch is refused, unless Force is set.
	EpochFloor int64
	Force      bool
	// Accept asks the engine whether the update may go on with a release that the
	// step has found and not returned yet. The engine refuses a release that is in
	// quarantine or already current. A nil Accept accepts all.
	Accept func(Release) error
	// Meter is where the step shows its progress. Never nil.
	Meter *Meter
	// Notes keeps a small checkpoint of this step durable. Never nil.
	Notes Notes
	// Units keeps, durably and for all steps of the update, which units ran
	// with the services (package running). nil keeps nothing.
	Units Notes
}

// Outcome is the result of Do for the journal.
type Outcome struct {
	// Evidence is marshalled to JSON; nil for none. If the evidence is a Fact, later
	// steps find that fact in Task.Facts.
	Evidence any
	// Figures are how long starts and checks took, of a step that went well.
	Figures []Figure
	// Release is merged into the update's release.
	Release Release
}
