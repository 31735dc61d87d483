package engine

import (
	"slices"
	"time"

	"github.com/tope/updater/steps"
)

// row is all that the engine knows of a state but the way out of it (Table).
// A new state, or a new step, is a row here.
type row struct {
	state State
	// step is what the state runs; empty when it runs none.
	step steps.Name
	// over: the update has ended.
	over bool
	// switched: pointers may have moved. The state may not be cancelled any more,
	// and boots and daemon starts in it are counted against its budget.
	switched bool
	// back: the step leads away from the new version.
	back bool
	// bounded: the step is begun Config.Attempts times at most, those included
	// that were cut. A step that is not bounded makes progress each time, or has a
	// budget of starts.
	bounded bool
	// undone: what the step made is removed when the update ends and the new
	// version was not committed.
	undone bool
	// arms: once the step is done, the marker is set and the gate's word on the
	// running version kept, both durable before the state is left.
	arms bool
	// deadline bounds one run of the step; without one it may take any time.
	deadline func(p Patience) time.Duration
}

// Patience is how long the things that steps wait for may take on this device.
// Zero for all of them means that no step has a deadline.
type Patience struct {
	// Stop is for stopping the services, Start for starting them, Health for one
	// judgement of the gate.
	Stop, Start, Health time.Duration
	// Copy is for a snapshot of what services wrote.
	Copy time.Duration
}

func (p Patience) stopAndCopy() time.Duration { return p.Stop + p.Copy }
func (p Patience) start() time.Duration       { return p.Start }
func (p Patience) health() time.Duration      { return p.Health }
func (p Patience) all() time.Duration         { return p.Stop + p.Start + p.Health }

// rows returns a row for each state of an update, in the order of the story.
func rows() [18]row {
	return [...]row{
		{state: Requested, arms: true}, // what brings a bundle arms in Staging
		{state: Downloading, step: steps.Download, undone: true},
		{state: Verifying, step: steps.Verify, bounded: true, undone: true},
		{state: Ready},
		{state: Extracting, step: steps.Extract, bounded: true, undone: true},
		{state: Staging, step: steps.Stage, bounded: true, undone: true, arms: true},
		{state: Switching, step: steps.Switch, switched: true, deadline: Patience.stopAndCopy},
		{state: Restarting, step: steps.Restart, switched: true, deadline: Patience.start},
		{state: CheckingHealth, step: steps.HealthCheck, switched: true, deadline: Patience.health},
		{state: Committing, step: steps.Commit, switched: true, deadline: Patience.health},
		{state: Committed, over: true},
		{state: Failed, over: true},
		{state: Cancelled, over: true},
		{state: RollingBack, step: steps.Rollback, switched: true, back: true, deadline: Patience.all},
		{state: RolledBack, over: true},
		{state: FallingBack, step: steps.Factory, switched: true, back: true, deadline: Patience.all},
		{state: FellBack, over: true},
		{state: NeedsAttention, over: true},
	}
}

// rowOf is the row of a state; the zero row for Idle, and for a state that only
// a newer program knows.
func rowOf(s State) row {
	for _, r := range rows() {
		if r.state == s {
			return r
		}
	}
	return row{}
}

// States returns every state of an update, in the order of the story.
func States() []State {
	var list []State
	for _, r := range rows() {
		list = append(list, r.state)
	}
	return list
}

// Terminal reports whether an update in this state is over.
func Terminal(s State) bool { return rowOf(s).over }

// Busy reports whether an update in this state refuses another: all but the
// terminal ones, and Ready, which a new request supersedes.
func Busy(s State) bool { return s != Idle && s != Ready && !Terminal(s) }

// Switched reports whether pointers may have moved: the states from Switching
// on, whose boots and daemon starts are counted against their budget.
func Switched(s State) bool { return rowOf(s).switched }

// StepOf is the step that a state runs; empty for one that runs none.
func StepOf(s State) steps.Name { return rowOf(s).step }

// undoOrder is the steps whose work is removed when an update ends without
// having committed, the last one first.
func undoOrder() []steps.Name {
	var list []steps.Name
	for _, r := range rows() {
		if r.undone {
			list = append(list, r.step)
		}
	}
	slices.Reverse(list)
	return list
}
