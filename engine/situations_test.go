package engine

import (
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
)

// situation is one way to find a device after a cut.
type situation struct {
	// name is looked up in the guides' phrases.
	name string
	// in tells in which states the situation can be; nil stands for Idle only.
	in func(State) bool
	// plain is set when the situation needs only the cut; the others need damage
	// or an operator.
	plain bool
	edit  func(*journal.Update, *Observation)
}

func in(states ...State) func(State) bool {
	return func(s State) bool {
		for _, x := range states {
			if s == x {
				return true
			}
		}
		return false
	}
}

func beforeSwitching(s State) bool {
	return s != Idle && !Terminal(s) && !Switched(s)
}

func going(s State) bool { return Switched(s) && !rowOf(s).back }

// at puts the pointers somewhere.
func at(current, previous string) func(*journal.Update, *Observation) {
	return func(_ *journal.Update, o *Observation) { o.Pointers.Current, o.Pointers.Previous = current, previous }
}

func and(edits ...func(*journal.Update, *Observation)) func(*journal.Update, *Observation) {
	return func(u *journal.Update, o *Observation) {
		for _, e := range edits {
			e(u, o)
		}
	}
}

func damaged(version string) func(*journal.Update, *Observation) {
	return func(_ *journal.Update, o *Observation) { o.States[version] = versions.Damaged }
}

func nothing(*journal.Update, *Observation) {}

// situations of the guide, in its order. Every edit begins with pointers at A
// and P and the marker leading to A.
func situations() []situation {
	return []situation{
		{"no-update", in(Idle), true, unmarked},
		{"current-lost", in(Idle), false, and(unmarked, at("", prev))},
		{"current-damaged", in(Idle), false, and(unmarked, damaged(old))},
		{"current-previous-lost", in(Idle), false, and(unmarked, at("", ""))},
		{"journal-lost-before", in(Idle), false, nothing},
		{"journal-lost-after", in(Idle), false, at(next, old)},

		{"as-before", beforeSwitching, true, unmarked},
		{"current-damaged", beforeSwitching, false, and(unmarked, damaged(old))},
		{"moved-by-hand", beforeSwitching, false, and(unmarked, at(prev, prev))},

		{"none-moved", in(Switching), true, nothing},
		{"hook-owed", in(Switching), true, func(_ *journal.Update, o *Observation) { o.Unprepared = true }},
		{"previous-moved", in(Switching), true, at(old, old)},
		{"both-moved", in(Switching, Restarting, CheckingHealth, Committing), true, at(next, old)},
		{"current-gone", going, false, at("", old)},
		{"current-old", in(Restarting, CheckingHealth, Committing), false, at(old, old)},
		{"marker-renamed", going, false, and(unmarked, at(old, old))},
		{"new-damaged", going, false, and(at(next, old), damaged(next))},
		{"new-old-damaged", going, false, and(at(next, old), damaged(next), damaged(old))},
		{"budget-spent", going, true, and(at(next, old), spent(2))},
		{"excuses-spent", going, false, and(at(next, old), excused(20))},

		{"not-back", in(RollingBack), true, at(next, old)},
		{"current-back", in(RollingBack), true, at(old, old)},
		{"both-back", in(RollingBack), true, at(old, prev)},
		{"old-damaged", in(RollingBack), false, and(at(next, old), damaged(old))},
		{"budget-spent", in(RollingBack), true, and(at(old, prev), spent(2))},
		{"excuses-spent", in(RollingBack), false, and(at(old, prev), excused(20))},

		{"current-old", in(FallingBack), true, at(old, prev)},
		{"current-factory", in(FallingBack), true, at(fact, prev)},
		{"no-factory", in(FallingBack), false, func(u *journal.Update, o *Observation) {
			u.Before.Factory, o.Pointers.Factory = "", ""
		}},
		{"budget-spent", in(FallingBack), true, and(at(fact, prev), spent(2))},
		{"excuses-spent", in(FallingBack), false, and(at(fact, prev), excused(20))},

		{"not-back", in(Returning), true, at(fact, prev)},
		{"both-back", in(Returning), true, at(old, prev)},
		{"old-damaged", in(Returning), false, and(at(fact, prev), damaged(old))},
		{"budget-spent", in(Returning), true, and(at(old, prev), spent(2))},

		{"third-version", Switched, false, at("9.9.9", old)},

		{"cleanup-left", in(Committed), true, at(next, old)},
		{"cleanup-left", in(Failed, Cancelled, Checked), true, unmarked},
		{"cleanup-left", in(RolledBack), true, at(old, prev)},
		{"cleanup-left", in(FellBack), true, at(fact, prev)},
		{"cleanup-left", in(NeedsAttention), true, at(old, prev)},
	}
}
