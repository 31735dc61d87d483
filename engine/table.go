package engine

import (
	"slices"

	"github.com/tope/updater/journal"
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
	Recheck   Trigger = "recheck"   // the wall clock went backwards
	Expire    Trigger = "expire"    // the trust window has passed
	Supersede Trigger = "supersede" // a newer request takes its place
	Reswitch  Trigger = "reswitch"  // a pointer was found at its old target
	Lack      Trigger = "lack"      // what was to come from the device is not there
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
	turns := kind("kind is rollback or factory", ByHand, Restore)
	owed := kind("kind is recovered", Recovered)
	always := Guard{}
	t := []Transition{
		{Idle, Accept, Requested, always, "a request was accepted"},
		{Requested, Fetch, Downloading, installs, "fetch the bundle"},
		{Requested, Turn, Switching, turns, "the target is installed; the marker is set"},
		{Requested, GateOwed, Restarting, owed, "the journal was lost; the gate is still owed"},
		{Downloading, Succeed, Verifying, always, "the bundle is on disk"},
		{Verifying, Succeed, Ready, always, "the bundle is what was promised"},
		{Ready, Proceed, Extracting, always, "install it"},
		{Ready, Recheck, Verifying, always, "the clock went backwards: verify again"},
		{Ready, Expire, Failed, always, "verified too long ago"},
		{Ready, Supersede, Cancelled, always, "a newer request took its place"},
		{Extracting, Lack, Downloading, always, "a copy on the device is damaged: fetch the bundle's own"},
		{Extracting, Succeed, Staging, always, "the tree is written"},
		{Staging, Succeed, Switching, always, "the version is published; the marker is set"},
		{Switching, Succeed, Restarting, always, "services stopped, pointers moved"},
		{Restarting, Succeed, CheckingHealth, always, "services run from the new version"},
		{CheckingHealth, Succeed, Committing, always, "the health gate passed"},
		{Committing, Succeed, Committed, always, "the point of no return"},
		{RollingBack, Succeed, RolledBack, always, "the old version runs as well as before"},
		{RollingBack, Fail, FallingBack, always, "the old version does not run either"},
		{FallingBack, Succeed, FellBack, always, "the factory version runs"},
		{FallingBack, Fail, NeedsAttention, always, "no version is left to try"},
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
	for _, s := range []State{Switching, Restarting, CheckingHealth, Committing, RollingBack, FallingBack} {
		t = append(t, Transition{s, Foreign, NeedsAttention, always, "an operator moved a pointer: touch nothing"})
	}
	return t
}
