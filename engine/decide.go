package engine

import (
	"fmt"
	"slices"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Observation is recovery's view of the world.
type Observation struct {
	By   By
	Boot string
	// Pointers leaves out a pointer that is absent, and one that is in Strange.
	Pointers versions.Pointers
	// Strange has the raw target of each pointer whose target is not a version name.
	Strange map[string]string
	// States has the state of every version a pointer, the marker or the open
	// update names.
	States map[string]versions.State
	// Marked is set when the marker is there; Marker is where it leads.
	Marked bool
	Marker string
	// Unprepared is set while the update is in Switching and its step has still
	// to do what the versions ask for before current moves.
	Unprepared bool
	// OutOfMemory is set when the kernel ended the updater before this one because memory
	// was short.
	OutOfMemory bool
	// Failed is set when this recovery has just taken the failure edge: this start
	// is paid for in the state it came from.
	Failed bool
}

func (o Observation) usable(version string) bool {
	return version != "" && o.States[version].Usable()
}

// Move is a pointer that recovery itself sets.
type Move struct {
	Pointer string `json:"pointer"`
	To      string `json:"to"`
}

// Action is recovery's decision.
type Action struct {
	Rule Rule
	// Why is a sentence for the journal.
	Why string
	// Spend counts this boot or daemon start against the state's budget.
	Spend *journal.Spend
	// Moves are the pointers to set, in this order. By Daemon they are empty
	// when the state's own step will set them, with the services stopped.
	Moves []Move
	// Unmark removes the marker.
	Unmark bool
	// Fire is the trigger to fire, after Moves; empty to stay.
	Fire Trigger
	// Code is why, when Fire is Fail.
	Code steps.Code
	// Again is set when the world should be looked at once more after this.
	Again bool
}

// decide is recovery: what to do, given what the journal tells and what was
// observed. It is pure; its table of cases is in decide_test.go. The most
// important questions come first: what an operator did, then whether the budget
// is spent, then what is broken, then the way on.
func decide(st *journal.Fold, o Observation, budget int) Action {
	u := st.Open
	switch {
	case u == nil:
		return decideIdle(st.Committed, o)
	case u.Terminal:
		if s := u.State; s == Failed || s == Cancelled || s == Checked {
			// The update has touched nothing, so a broken pointer is repaired as if
			// there were no update: the services are about to start from it.
			if a := decideIdle(st.Committed, o); a.Rule == RuleRepair {
				return a
			}
		}
		return Action{Rule: RuleFinish, Why: fmt.Sprintf("update %s ended as %s; its clean-up is left", u.ID, u.State)}
	case !Switched(u.State):
		return decideUnchanged(u, o)
	}
	return decideSwitched(u, o, budget)
}

// decideIdle: no update is open. current must resolve to a whole version. If it does not,
// it is set to the version that should run: the one to which a switch that the journal
// does not know must return, else the one on which the journal left the device. Only
// when there is neither does the device go back, and it is told.
func decideIdle(committed string, o Observation) Action {
	cur := o.Pointers.Current
	if o.Marked && cur == o.Marker && o.By == Daemon {
		// The oneshot leaves the marker alone: it may be working without the
		// journal that knows what the marker is for.
		return Action{Rule: RuleUnmark, Unmark: true, Again: true, Why: "the marker leads to the version that is current: no gate is owed"}
	}
	if o.Marked && o.usable(cur) && cur != o.Marker {
		a := Action{Rule: RuleGateOwed, Why: fmt.Sprintf("the journal knows of no update, but the marker leads to %s and current to %s: the gate of %s is owed", show(o.Marker), cur, cur)}
		if o.By == Daemon {
			a.Fire = GateOwed
		}
		return a
	}
	if o.usable(cur) {
		return Action{Rule: RuleWhole, Why: "current leads to " + cur}
	}
	for _, c := range []struct{ version, where string }{
		{o.Marker, "where the marker leads"},
		{committed, "on which the journal left this device"},
		{o.Pointers.Previous, "where previous leads"},
		{o.Pointers.Factory, "where factory leads"},
	} {
		if o.usable(c.version) {
			return Action{
				Rule: RuleRepair, Moves: []Move{{versions.Current, c.version}}, Again: true,
				Why: fmt.Sprintf("current %s; it is set to %s, %s", o.describe(versions.Current, cur), c.version, c.where),
			}
		}
	}
	if cur == "" && len(o.Strange) == 0 && len(o.States) == 0 {
		return Action{Rule: RuleEmpty, Why: "no version is installed"}
	}
	return Action{Rule: RuleAttention, Why: fmt.Sprintf("current %s, and neither previous nor factory leads to a whole version", o.describe(versions.Current, cur))}
}

// decideUnchanged: an update is open, and before Switching the device is as it was.
func decideUnchanged(u *journal.Update, o Observation) Action {
	if o.Pointers.Current != u.Before.Current || o.Pointers.Previous != u.Before.Previous || o.Strange[versions.Current] != "" || o.Strange[versions.Previous] != "" {
		return Action{
			Rule: RuleMoved, Fire: Fail, Code: steps.TargetUnusable, Again: true,
			Why: fmt.Sprintf("current %s and previous %s, but they led to %s and %s when the update was accepted: it no longer fits",
				o.describe(versions.Current, o.Pointers.Current), o.describe(versions.Previous, o.Pointers.Previous), show(u.Before.Current), show(u.Before.Previous)),
		}
	}
	if cur := o.Pointers.Current; cur != "" && !o.usable(cur) {
		return Action{Rule: RuleMoved, Fire: Fail, Code: steps.TargetUnusable, Again: true, Why: fmt.Sprintf("current %s", o.describe(versions.Current, cur))}
	}
	return Action{Rule: RuleResume, Why: fmt.Sprintf("interrupted in %s; the device is unchanged", u.State)}
}

// decideSwitched: an update is open, and pointers may have moved.
func decideSwitched(u *journal.Update, o Observation, budget int) Action {
	s := u.State
	goal := reachable(target(u), o.usable)
	if p, at, ok := thirdTarget(u, o); ok {
		return Action{Rule: RuleForeign, Fire: Foreign, Why: fmt.Sprintf("%s leads to %s, which this update never set: an operator's doing", p, at)}
	}
	spend := spendFor(u, o)
	if a, over := overspent(u, spend, budget); over {
		return a
	}
	if why := cannotGo(u, goal.Current, o.States[goal.Current]); why != "" {
		return Action{Rule: RuleTarget, Spend: spend, Fire: Fail, Code: steps.TargetUnusable, Again: true, Why: why}
	}
	moves := movesTo(s, goal, o)
	switch s {
	case RollingBack, FallingBack, Returning:
		a := Action{Rule: RuleBack, Spend: spend, Why: "back to " + show(goal.Current)}
		if s == FallingBack {
			a.Rule, a.Why = RuleFactory, "to the factory version "+goal.Current
		}
		if o.By == Oneshot {
			a.Moves = moves
		}
		return a
	}
	if !o.Marked && len(moves) > 0 && o.Pointers.Current == u.Before.Current && u.Before.Current != "" {
		return Action{
			Rule: RuleReturned, Spend: spend, Fire: Fail, Code: steps.CancelledByUser, Again: true,
			Why: fmt.Sprintf("the marker is gone and current leads to %s again: somebody went back by hand", u.Before.Current),
		}
	}
	if s != Switching && len(moves) > 0 {
		return Action{Rule: RuleReswitch, Spend: spend, Fire: Reswitch, Again: true, Why: fmt.Sprintf("in %s, but %s does not lead to %s", s, moves[0].Pointer, moves[0].To)}
	}
	a := Action{Rule: RuleForward, Spend: spend, Why: fmt.Sprintf("interrupted in %s; on to %s", s, goal.Current)}
	if s == Switching && o.Unprepared && o.Pointers.Current != goal.Current {
		a.Why = fmt.Sprintf("interrupted in Switching; the daemon goes on to %s: a hook or a snapshot comes before", goal.Current)
		return a
	}
	if s == Switching && o.By == Oneshot {
		// At boot no service runs yet: the pointers can be completed here, and
		// the services then come up from the new version.
		a.Moves, a.Fire, a.Again = moves, Succeed, true
	}
	return a
}

// thirdTarget finds a pointer that leads neither to its old target nor to one
// that this update gives it. An absent pointer is damage, not a decision of an
// operator: it is set anew.
func thirdTarget(u *journal.Update, o Observation) (pointer, at string, found bool) {
	allowed := map[string][]string{
		versions.Current:  {u.Before.Current, u.To},
		versions.Previous: {u.Before.Previous, u.From},
	}
	if u.State == FallingBack || u.State == Returning {
		allowed[versions.Current] = append(allowed[versions.Current], u.Before.Factory)
	}
	for _, p := range []struct{ name, at string }{{versions.Current, o.Pointers.Current}, {versions.Previous, o.Pointers.Previous}} {
		if raw := o.Strange[p.name]; raw != "" {
			return p.name, raw, true
		}
		if p.at != "" && p.at != allowed[p.name][0] && !slices.Contains(allowed[p.name][1:], p.at) {
			return p.name, p.at, true
		}
	}
	return "", "", false
}

// movesTo lists the pointers that are not where they should be. On the way
// forward previous goes first, so that the way back stands before current
// moves. On the way back current goes first, so that the right version runs as
// early as possible.
func movesTo(s State, goal versions.Pointers, o Observation) []Move {
	var moves []Move
	if o.Pointers.Previous != goal.Previous {
		moves = append(moves, Move{versions.Previous, goal.Previous})
	}
	if o.Pointers.Current != goal.Current {
		m := Move{versions.Current, goal.Current}
		if rowOf(s).back {
			return append([]Move{m}, moves...)
		}
		moves = append(moves, m)
	}
	return moves
}

// excuses is how many starts that are not evidence a state may have for each one
// of its budget. They have an end, because a release can kill an updater without
// a trace, by taking its memory, or reboot the device in order.
const excuses = 10

// starved is how many starts after a death for want of memory a state may have for each
// one of its budget. They are fewer than excuses, since each may come after a whole gate.
const starved = 3

// spendFor tells what this start costs: nil when nothing.
//
// A boot costs 1: a device that went down without a word may have been taken down
// by the release. It is proved by the boot id, and counted once: by recover, or
// by a daemon in whose boot recover has not run.
//
// A start of the daemon in the same boot follows its death. That says nothing of
// the release (the kernel was short of memory, an operator killed it), unless the
// program that died was the release's own: then it costs 1, too. But when the kernel
// killed it because memory was short, anybody may have taken the memory, and nobody is
// blamed. An end in order says nothing either, whatever follows it. Such starts are
// excused.
//
// Three starts of the daemon are free: the first after recover has counted the
// boot, the one of a program that takes over, and the one that has taken the
// failure edge, in the state that this leads to.
func spendFor(u *journal.Update, o Observation) *journal.Spend {
	sp := &journal.Spend{By: string(o.By)}
	here := u.LastSpendBoot == o.Boot
	switch {
	case o.By == Oneshot && (u.LastSpendBoot == o.Boot || u.EnteredBoot == o.Boot):
		return nil
	case o.By == Daemon && o.Failed:
	case o.By == Daemon && here && (u.LastSpendBy == string(Oneshot) || u.LastSpendBy == string(byTakeover)):
	case u.Stopped:
		sp.Excused = true
	case o.OutOfMemory:
		sp.Excused, sp.OutOfMemory = true, true
	case !here && u.EnteredBoot != o.Boot, u.Takeover != nil:
		sp.Cost = 1
	default:
		sp.Excused = true
	}
	return sp
}

// overspent is the failure edge of a state with too many starts. Only those that
// its budget counts are evidence against the release (see policy.verdict).
func overspent(u *journal.Update, sp *journal.Spend, budget int) (a Action, over bool) {
	spent, excused, killed := u.Spent, u.Excused, u.OutOfMemory
	if sp != nil {
		spent += sp.Cost
		if sp.Excused {
			excused++
		}
		if sp.OutOfMemory {
			killed++
		}
	}
	a = Action{Spend: sp, Fire: Fail, Again: true}
	switch {
	case spent > budget:
		a.Rule, a.Code = RuleBudget, steps.BudgetSpent
		a.Why = fmt.Sprintf("%d starts spent in %s, %d allowed", spent, u.State, budget)
	case killed > starved*budget:
		a.Rule, a.Code = RuleMemory, steps.OutOfMemory
		a.Why = fmt.Sprintf("the updater ran out of memory %d times in %s, %d allowed; that is not held against the release: see what takes the memory (journalctl -k, MemoryMax= of tope-updater.service)", killed, u.State, starved*budget)
	case excused > excuses*budget:
		a.Rule, a.Code = RuleExcuses, steps.InterruptedTooOften
		a.Why = fmt.Sprintf("the updater was stopped or killed %d times in %s, %d allowed; as far as can be told, not by the release", excused, u.State, excuses*budget)
	default:
		return Action{}, false
	}
	return a, true
}

func (o Observation) describe(pointer, version string) string {
	switch {
	case o.Strange[pointer] != "":
		return fmt.Sprintf("leads to %q, which is not a version", o.Strange[pointer])
	case version == "":
		return "is absent"
	}
	return fmt.Sprintf("leads to %s (%s)", version, o.States[version])
}
