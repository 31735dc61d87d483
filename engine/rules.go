package engine

import "github.com/tope/updater/journal"

// Rule names one of recovery's rules, as the journal writes it.
type Rule = journal.Rule

// The rules. docs/architecture.md tells when each holds and what it does.
const (
	RuleWhole     Rule = "whole"     // nothing is open, current is whole
	RuleEmpty     Rule = "empty"     // nothing is open and nothing is installed
	RuleRepair    Rule = "repair"    // nothing is open, current did not resolve
	RuleGateOwed  Rule = "gate-owed" // the marker stands, the journal knows of no update
	RuleUnmark    Rule = "unmark"    // the marker stands, but current never left its target
	RuleResume    Rule = "resume"    // before Switching: go on
	RuleMoved     Rule = "moved"     // before Switching, but somebody moved the pointers
	RuleForward   Rule = "forward"   // from Switching on: complete the switch
	RuleReswitch  Rule = "reswitch"  // after Switching, a pointer at its old target
	RuleBack      Rule = "back"      // rolling back, or returning: complete that
	RuleFactory   Rule = "factory"   // falling back: complete that
	RuleBudget    Rule = "budget"    // the state's budget of boots is spent
	RuleExcuses   Rule = "excuses"   // so are its excuses: the updater was stopped or killed too often
	RuleMemory    Rule = "memory"    // the updater ran out of memory too often
	RuleTarget    Rule = "target"    // the version to go to is not whole
	RuleReturned  Rule = "returned"  // somebody renamed the marker over current
	RuleForeign   Rule = "foreign"   // a pointer leads to a third version
	RuleFinish    Rule = "finish"    // over; only the clean-up is left
	RuleAttention Rule = "attention" // nothing is open and no version is whole

	// decide does not choose these three: a program found and recorded them by itself.
	RuleJournalLost Rule = "journal-lost" // the journal is new, the device is not
	RuleUnits       Rule = "units"        // unit files did not agree with current
	RuleDiffers     Rule = "differs"      // current is not where the journal left it
)

// Rules returns all of them.
func Rules() []Rule {
	return []Rule{
		RuleWhole, RuleEmpty, RuleRepair, RuleGateOwed, RuleUnmark, RuleResume, RuleMoved, RuleForward, RuleReswitch,
		RuleBack, RuleFactory, RuleBudget, RuleExcuses, RuleMemory, RuleTarget, RuleReturned, RuleForeign, RuleFinish, RuleAttention,
		RuleJournalLost, RuleUnits, RuleDiffers,
	}
}

// By says on whose behalf recovery runs.
type By string

// Recovery runs for one of these.
const (
	// Oneshot is `tope-updater recover` at boot, before services and daemon:
	// it makes pointers and links whole and counts the boot, nothing else.
	Oneshot By = "recover"
	// Daemon is a daemon's start (or `recover --finish`, or a verb that works
	// in-process): the loop that follows does the work.
	Daemon By = "daemon"
	// byTakeover accounts for the start of a program that takes over. It costs
	// nothing: the program that began the takeover has paid.
	byTakeover By = "takeover"
)
