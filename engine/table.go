package engine

import (
	"slices"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// State is where an update stands. This file has all there is to know of one: its
// name, its row, and in Table the ways out of it.
type State = journal.State

// The states of an update. Idle is what the status says when there is
// no update.
const (
	Idle           State = "Idle"
	Requested      State = "Requested"
	Downloading    State = "Downloading"
	Verifying      State = "Verifying"
	Ready          State = "Ready"
	Extracting     State = "Extracting"
	Staging        State = "Staging"
	Switching      State = "Switching"
	Restarting     State = "Restarting"
	CheckingHealth State = "CheckingHealth"
	Committing     State = "Committing"
	Committed      State = "Committed"
	Failed         State = "Failed"
	Cancelled      State = "Cancelled"
	Checked        State = "Checked"
	RollingBack    State = "RollingBack"
	RolledBack     State = "RolledBack"
	FallingBack    State = "FallingBack"
	FellBack       State = "FellBack"
	Returning      State = "Returning"
	NeedsAttention State = "NeedsAttention"
)

// row is all that the engine knows of a state, except the ways out of it
// (Table). A new state, or a new step, is a row here.
type row struct {
	state State
	// step is the step that the state runs; empty when it runs none.
	step steps.Name
	// over: the update has ended.
	over bool
	// switched: pointers may have moved. The state may not be cancelled any more,
	// and boots and daemon starts in it are counted against its budget.
	switched bool
	// stops: services may be stopped while the state lasts. They are started again
	// when the updater ends in order.
	stops bool
	// back: the step leads away from the new version.
	back bool
	// bounded: the step is begun Config.Attempts times at most, interrupted
	// attempts included. A step that is not bounded makes progress each time, or has a
	// budget of starts.
	bounded bool
	// undone: what the step made is removed when the update ends and the new
	// version was not committed.
	undone bool
	// arms: once the step is done, the preflight is asked, its verdict on the running
	// version is kept, and the marker is set. Both are durable before the state is left.
	arms bool
	// told: whoever made the offer is told when the state is entered. The ends are told in
	// any case.
	told bool
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
func (p Patience) stop() time.Duration        { return p.Stop }
func (p Patience) start() time.Duration       { return p.Start }
func (p Patience) health() time.Duration      { return p.Health }
func (p Patience) all() time.Duration         { return p.Stop + p.Start + p.Health }

// rows returns a row for each state of an update, in the order of the story.
func rows() [20]row {
	return [...]row{
		{state: Requested, arms: true}, // an update that brings a bundle arms in Staging
		{state: Downloading, step: steps.Download, undone: true, told: true},
		{state: Verifying, step: steps.Verify, bounded: true, undone: true},
		{state: Ready, told: true},
		{state: Extracting, step: steps.Extract, bounded: true, undone: true},
		{state: Staging, step: steps.Stage, bounded: true, undone: true, arms: true},
		{state: Switching, step: steps.Switch, switched: true, stops: true, told: true, deadline: Patience.stopAndCopy},
		{state: Restarting, step: steps.Restart, switched: true, stops: true, deadline: Patience.start},
		{state: CheckingHealth, step: steps.HealthCheck, switched: true, deadline: Patience.health},
		{state: Committing, step: steps.Commit, switched: true, deadline: Patience.health},
		{state: Committed, over: true},
		{state: Failed, over: true},
		{state: Cancelled, over: true},
		{state: Checked, over: true},
		{state: RollingBack, step: steps.Rollback, switched: true, stops: true, back: true, told: true, deadline: Patience.all},
		{state: RolledBack, over: true},
		{state: FallingBack, step: steps.Factory, switched: true, stops: true, back: true, told: true, deadline: Patience.all},
		{state: FellBack, over: true},
		{state: Returning, step: steps.Return, switched: true, stops: true, back: true, deadline: Patience.stop},
		{state: NeedsAttention, over: true, stops: true}, // until its clean-up has started them
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

// Success reports whether an update that ended in this state did what was asked.
func Success(s State) bool { return s == Committed || s == Checked }

// Busy reports whether an update in this state refuses another one. All states
// do except Ready, which a new request supersedes, and the terminal ones. An update
// in Downloading gives way too, as long as it only waits for the network.
func Busy(s State) bool { return s != Idle && s != Ready && !Terminal(s) }

// holds reports whether an update waits in Ready for the install request.
func holds(u *journal.Update) bool { return u.Hold && !u.Check }

// Switched reports whether pointers may have moved: the states from Switching
// on, whose boots and daemon starts are counted against their budget (spendFor).
func Switched(s State) bool { return rowOf(s).switched }

// StepOf is the step that a state runs; empty for one that runs none.
func StepOf(s State) steps.Name { return rowOf(s).step }

// StateOf is the state that runs a step; empty for a step that none runs.
func StateOf(n steps.Name) State {
	for _, r := range rows() {
		if n != "" && r.step == n {
			return r.state
		}
	}
	return ""
}

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

// The kinds of update, as the journal writes them; package steps explains them.
const (
	Install   = journal.Kind(steps.Install)
	ByHand    = journal.Kind(steps.ByHand)
	Restore   = journal.Kind(steps.Restore)
	Probation = journal.Kind(steps.Probation)
	Recovered = journal.Kind(steps.Recovered)
)

// Trigger is what moves an update from one state to the next.
type Trigger = journal.Trigger

// The triggers.
const (
	Accept    Trigger = "accept"    // a request was accepted
	Fetch     Trigger = "fetch"     // a bundle is to be installed
	Turn      Trigger = "turn"      // an installed version is to be switched to
	GateOwed  Trigger = "gate-owed" // the journal was lost in mid-update
	Succeed   Trigger = "succeed"   // the state's step succeeded
	Fail      Trigger = "fail"      // it failed, or its budget is spent
	Cancel    Trigger = "cancel"    // the user cancelled
	Proceed   Trigger = "proceed"   // the install request is there
	Fit       Trigger = "fit"       // the release fits, and no more was asked
	Recheck   Trigger = "recheck"   // the wall clock went backwards
	Expire    Trigger = "expire"    // the trust window has passed
	Supersede Trigger = "supersede" // a newer request takes its place
	Reswitch  Trigger = "reswitch"  // a pointer was found at its old target
	Lack      Trigger = "lack"      // a part that was to come from the device is missing
	Foreign   Trigger = "foreign"   // a pointer was found at a third target
)

// Guard is a condition on the update for a transition to be allowed. The zero
// Guard always holds.
type Guard struct {
	Name  string
	Holds func(u *journal.Update) bool
}

func kind(name string, kinds ...journal.Kind) Guard {
	return Guard{Name: name, Holds: func(u *journal.Update) bool { return u != nil && slices.Contains(kinds, u.Kind) }}
}

// Transition is one row of the table.
type Transition struct {
	From    State
	Trigger Trigger
	To      State
	Guard   Guard
	Meaning string
}

// Table returns the transitions: the only place that knows them.
func Table() []Transition {
	installs := kind("kind is install", Install)
	turns := kind("kind is rollback, factory or probation", ByHand, Restore, Probation)
	owed := kind("kind is recovered", Recovered)
	check := Guard{"only a check was asked for", func(u *journal.Update) bool { return u != nil && u.Check }}
	install := Guard{"an install was asked for", func(u *journal.Update) bool { return u != nil && !u.Check }}
	always := Guard{}
	t := []Transition{
		{Idle, Accept, Requested, always, "a request was accepted"},
		{Requested, Fetch, Downloading, installs, "fetch the bundle"},
		{Requested, Turn, Switching, turns, "the target is installed; the marker is set"},
		{Requested, GateOwed, Restarting, owed, "the journal was lost; the gate is still owed"},
		{Downloading, Succeed, Verifying, always, "the bundle is on disk"},
		{Downloading, Supersede, Cancelled, always, "it waited for the network, and a newer request took its place"},
		{Verifying, Succeed, Ready, always, "the bundle is what was promised"},
		{Ready, Proceed, Extracting, always, "install it"},
		{Ready, Recheck, Verifying, always, "the clock went backwards: verify again"},
		{Ready, Expire, Failed, always, "verified too long ago"},
		{Ready, Supersede, Cancelled, always, "a newer request took its place"},
		{Extracting, Lack, Downloading, always, "a copy on the device is damaged: fetch the bundle's own"},
		{Extracting, Succeed, Staging, always, "the tree is written"},
		{Staging, Succeed, Switching, install, "the version is published; the marker is set"},
		{Staging, Fit, Checked, check, "the release fits; the device is unchanged"},
		{Switching, Succeed, Restarting, always, "services stopped, pointers moved"},
		{Restarting, Succeed, CheckingHealth, always, "services run from the new version"},
		{CheckingHealth, Succeed, Committing, always, "the health gate passed"},
		{Committing, Succeed, Committed, always, "the point of no return"},
		{RollingBack, Succeed, RolledBack, always, "the old version runs as well as before"},
		{RollingBack, Fail, FallingBack, always, "the old version does not run either"},
		{FallingBack, Succeed, FellBack, always, "the factory version runs"},
		{FallingBack, Fail, Returning, always, "no version is left to try: to the one that ran before"},
		{Returning, Succeed, NeedsAttention, always, "the version that ran before is current, as it is"},
		{Returning, Fail, NeedsAttention, always, "it cannot be made current"},
	}
	for _, s := range []State{Requested, Downloading, Verifying, Ready, Extracting, Staging} {
		t = append(t,
			Transition{s, Fail, Failed, always, "given up; the device is unchanged"},
			Transition{s, Cancel, Cancelled, always, "cancelled; the device is unchanged"})
	}
	for _, s := range []State{Switching, Restarting, CheckingHealth, Committing} {
		t = append(t, Transition{s, Fail, RollingBack, always, "back to the old version"})
	}
	for _, s := range []State{Restarting, CheckingHealth, Committing} {
		t = append(t, Transition{s, Reswitch, Switching, always, "a pointer is at its old target: switch again"})
	}
	for _, s := range []State{Switching, Restarting, CheckingHealth, Committing, RollingBack, FallingBack, Returning} {
		t = append(t, Transition{s, Foreign, NeedsAttention, always, "an operator moved a pointer: touch nothing"})
	}
	return t
}
