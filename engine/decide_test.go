package engine

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// old, prev, next and fact are the versions of the cases: A, P, B and F.
const (
	old  = "1.0.0"
	prev = "0.9.0"
	next = "1.1.0"
	fact = "0.5.0"
)

func openIn(s State) *journal.Update {
	return &journal.Update{
		ID: "u1", Kind: "install", From: old, To: next, State: s, EnteredBoot: "b1",
		Before: versions.Pointers{Current: old, Previous: prev, Factory: fact}, Digest: "md5:b",
	}
}

func seenAt(by By, current, previous string) Observation {
	return Observation{
		By: by, Boot: "b2", Pointers: versions.Pointers{Current: current, Previous: previous, Factory: fact},
		Strange: map[string]string{}, Marked: true, Marker: old,
		States: map[string]versions.State{old: versions.Complete, prev: versions.Complete, next: versions.Complete, fact: versions.Complete},
	}
}

// The rules of recovery, one case each: what is journaled, what is seen, what
// is decided.
func TestDecide(t *testing.T) {
	type c struct {
		name string
		open *journal.Update
		// left is where the journal left the device.
		left string
		see  Observation
		edit func(*journal.Update, *Observation)
		rule Rule
		fire Trigger
		move []Move
	}
	forward := []Move{{versions.Previous, old}, {versions.Current, next}}
	back := []Move{{versions.Current, old}, {versions.Previous, prev}}
	cases := []c{
		{name: "nothing open, current whole", see: seenAt(Oneshot, old, prev), edit: unmarked, rule: RuleWhole},
		{name: "nothing open, nothing installed", see: Observation{By: Oneshot}, rule: RuleEmpty},
		{name: "current absent: previous", see: seenAt(Oneshot, "", prev), edit: unmarked, rule: RuleRepair, move: []Move{{versions.Current, prev}}},
		{name: "current damaged: previous", see: seenAt(Oneshot, old, prev), edit: is(old, versions.Damaged), rule: RuleRepair, move: []Move{{versions.Current, prev}}},
		{name: "current and previous damaged: factory", see: seenAt(Oneshot, old, ""), edit: is(old, versions.Damaged), rule: RuleRepair, move: []Move{{versions.Current, fact}}},
		{name: "current absent: where the journal left it, not previous", left: next, see: seenAt(Oneshot, "", old), edit: unmarked, rule: RuleRepair, move: []Move{{versions.Current, next}}},
		{name: "current absent, and where the journal left it is damaged: previous", left: next, see: seenAt(Oneshot, "", old), edit: is(next, versions.Damaged), rule: RuleRepair, move: []Move{{versions.Current, old}}},
		{name: "current absent, the marker stands: where the marker leads", left: next, see: seenAt(Oneshot, "", prev), rule: RuleRepair, move: []Move{{versions.Current, old}}},
		{name: "current leads elsewhere: an operator's doing", left: next, see: seenAt(Oneshot, old, prev), edit: unmarked, rule: RuleWhole},
		{name: "nothing whole", see: Observation{By: Oneshot, Pointers: versions.Pointers{Current: old}, States: map[string]versions.State{old: versions.Damaged}}, rule: RuleAttention},
		{name: "adopted version will do", see: seenAt(Oneshot, old, prev), edit: inState(old, versions.Unverified), rule: RuleWhole},
		{name: "journal lost after the flip: the gate is owed", see: seenAt(Daemon, next, old), rule: RuleGateOwed, fire: GateOwed},
		{name: "the oneshot leaves an owed gate to the daemon", see: seenAt(Oneshot, next, old), rule: RuleGateOwed},
		{name: "journal lost before the flip: no gate is owed", see: seenAt(Daemon, old, prev), rule: RuleUnmark},
		{name: "the oneshot leaves the marker", see: seenAt(Oneshot, old, prev), rule: RuleWhole},
		{name: "journal lost, current lost: where the marker leads", see: seenAt(Oneshot, "", ""), rule: RuleRepair, move: []Move{{versions.Current, old}}},

		{name: "downloading", open: openIn(Downloading), see: seenAt(Daemon, old, prev), rule: RuleResume},
		{name: "staging, marker set already", open: openIn(Staging), see: seenAt(Oneshot, old, prev), rule: RuleResume},
		{name: "pointers moved while downloading", open: openIn(Downloading), see: seenAt(Daemon, prev, prev), rule: RuleMoved, fire: Fail},
		{name: "current damaged while downloading", open: openIn(Downloading), see: seenAt(Daemon, old, prev), edit: is(old, versions.Damaged), rule: RuleMoved, fire: Fail},

		{name: "switching, nothing moved", open: openIn(Switching), see: seenAt(Oneshot, old, prev), rule: RuleForward, fire: Succeed, move: forward},
		{name: "switching, previous moved", open: openIn(Switching), see: seenAt(Oneshot, old, old), rule: RuleForward, fire: Succeed, move: forward[1:]},
		{name: "switching, both moved", open: openIn(Switching), see: seenAt(Oneshot, next, old), rule: RuleForward, fire: Succeed},
		{name: "switching, current lost", open: openIn(Switching), see: seenAt(Oneshot, "", old), rule: RuleForward, fire: Succeed, move: forward[1:]},
		{name: "switching, the daemon's step does it", open: openIn(Switching), see: seenAt(Daemon, old, prev), rule: RuleForward},
		{name: "switching, third version", open: openIn(Switching), see: seenAt(Oneshot, fact, prev), rule: RuleForeign, fire: Foreign},
		{name: "switching, no version at all", open: openIn(Switching), see: seenAt(Oneshot, "", prev), edit: strange, rule: RuleForeign, fire: Foreign},
		{name: "switching, new version damaged", open: openIn(Switching), see: seenAt(Oneshot, old, prev), edit: inState(next, versions.Damaged), rule: RuleTarget, fire: Fail},
		{name: "switching, marker renamed over current", open: openIn(Switching), see: seenAt(Oneshot, old, old), edit: unmarked, rule: RuleReturned, fire: Fail},
		{name: "health, boots from the new version", open: openIn(CheckingHealth), see: seenAt(Oneshot, next, old), rule: RuleForward},
		{name: "health, current at the old target", open: openIn(CheckingHealth), see: seenAt(Oneshot, old, old), rule: RuleReswitch, fire: Reswitch},
		{name: "health, budget spent", open: openIn(CheckingHealth), see: seenAt(Oneshot, next, old), edit: spent(2), rule: RuleBudget, fire: Fail},
		{name: "rolling back, entered by the start that spent the last budget", open: openIn(RollingBack), see: seenAt(Daemon, next, old), edit: func(u *journal.Update, o *Observation) { spentHere(2)(u, o); o.Failed = true }, rule: RuleBack},
		{name: "health, killed within its boot", open: openIn(CheckingHealth), see: seenAt(Daemon, next, old), edit: spentHere(2), rule: RuleForward},
		{name: "health, the version's own updater died within its boot", open: openIn(CheckingHealth), see: seenAt(Daemon, next, old), edit: and(spentHere(2), onTrial), rule: RuleBudget, fire: Fail},
		{name: "health, the version's own updater was stopped in order", open: openIn(CheckingHealth), see: seenAt(Daemon, next, old), edit: and(spentHere(2), onTrial, excused(0)), rule: RuleForward},
		{name: "health, stopped in order before this boot", open: openIn(CheckingHealth), see: seenAt(Oneshot, next, old), edit: and(spent(2), excused(19)), rule: RuleForward},
		{name: "health, stopped in order once too often", open: openIn(CheckingHealth), see: seenAt(Oneshot, next, old), edit: and(spent(0), excused(20)), rule: RuleExcuses, fire: Fail},
		{name: "health, the version's own updater ran out of memory", open: openIn(CheckingHealth), see: seenAt(Daemon, next, old), edit: and(spentHere(2), onTrial, hungry(5)), rule: RuleForward},
		{name: "health, out of memory once too often", open: openIn(CheckingHealth), see: seenAt(Daemon, next, old), edit: and(spentHere(2), onTrial, hungry(6)), rule: RuleMemory, fire: Fail},
		{name: "health, a boot without recover", open: openIn(CheckingHealth), see: seenAt(Daemon, next, old), edit: spent(2), rule: RuleBudget, fire: Fail},
		{name: "health, budget not spent yet", open: openIn(CheckingHealth), see: seenAt(Oneshot, next, old), edit: spent(1), rule: RuleForward},
		{name: "health, counted in this boot already", open: openIn(CheckingHealth), see: seenAt(Oneshot, next, old), edit: spentHere(2), rule: RuleForward},
		{name: "an operator's pointer goes before the budget", open: openIn(CheckingHealth), see: seenAt(Oneshot, fact, old), edit: spent(2), rule: RuleForeign, fire: Foreign},

		{name: "switching, not prepared yet", open: openIn(Switching), see: seenAt(Oneshot, old, prev), edit: func(_ *journal.Update, o *Observation) { o.Unprepared = true }, rule: RuleForward},
		{name: "rolling back", open: openIn(RollingBack), see: seenAt(Oneshot, next, old), rule: RuleBack, move: back},
		{name: "rolling back, current done", open: openIn(RollingBack), see: seenAt(Oneshot, old, old), rule: RuleBack, move: back[1:]},
		{name: "rolling back, the daemon's step does it", open: openIn(RollingBack), see: seenAt(Daemon, next, old), rule: RuleBack},
		{name: "rolling back, old version damaged", open: openIn(RollingBack), see: seenAt(Oneshot, next, old), edit: inState(old, versions.Damaged), rule: RuleTarget, fire: Fail},
		{name: "rolling back, budget spent", open: openIn(RollingBack), see: seenAt(Oneshot, old, prev), edit: spent(2), rule: RuleBudget, fire: Fail},
		{name: "falling back", open: openIn(FallingBack), see: seenAt(Oneshot, old, prev), rule: RuleFactory, move: []Move{{versions.Current, fact}}},
		{name: "falling back, no factory", open: openIn(FallingBack), see: seenAt(Oneshot, old, prev), edit: func(u *journal.Update, _ *Observation) { u.Before.Factory = "" }, rule: RuleTarget, fire: Fail},
		{name: "falling back, factory is what failed", open: openIn(FallingBack), see: seenAt(Oneshot, old, prev), edit: func(u *journal.Update, _ *Observation) { u.Before.Factory = old }, rule: RuleTarget, fire: Fail},
		{name: "falling back, budget spent", open: openIn(FallingBack), see: seenAt(Oneshot, fact, prev), edit: spent(2), rule: RuleBudget, fire: Fail},

		{name: "returning", open: openIn(Returning), see: seenAt(Oneshot, fact, prev), rule: RuleBack, move: back[:1]},
		{name: "returning, the daemon's step does it", open: openIn(Returning), see: seenAt(Daemon, fact, prev), rule: RuleBack},
		{name: "returning, done", open: openIn(Returning), see: seenAt(Oneshot, old, prev), rule: RuleBack},
		{name: "returning, the version before damaged", open: openIn(Returning), see: seenAt(Oneshot, fact, prev), edit: inState(old, versions.Damaged), rule: RuleTarget, fire: Fail},
		{name: "returning, budget spent", open: openIn(Returning), see: seenAt(Oneshot, fact, prev), edit: spent(2), rule: RuleBudget, fire: Fail},
		{name: "returning, third version", open: openIn(Returning), see: seenAt(Oneshot, "9.9.9", prev), rule: RuleForeign, fire: Foreign},

		{name: "over, not closed", open: func() *journal.Update { u := openIn(Committed); u.Terminal = true; return u }(), see: seenAt(Oneshot, next, old), rule: RuleFinish},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.edit != nil {
				c.edit(c.open, &c.see)
			}
			a := decide(&journal.Fold{Open: c.open, Committed: c.left}, c.see, 2)
			require.Equal(t, c.rule, a.Rule, a.Why)
			require.Equal(t, c.fire, a.Fire, a.Why)
			require.Equal(t, c.move, a.Moves)
			require.NotEmpty(t, a.Why)
		})
	}
}

func unmarked(_ *journal.Update, o *Observation) { o.Marked, o.Marker = false, "" }
func strange(_ *journal.Update, o *Observation)  { o.Strange[versions.Current] = "/somewhere" }

// is puts a version into a state, and takes the marker away.
func is(version string, s versions.State) func(*journal.Update, *Observation) {
	return func(u *journal.Update, o *Observation) { unmarked(u, o); o.States[version] = s }
}

// inState puts a version into a state; the marker goes only where no update is open.
func inState(version string, s versions.State) func(*journal.Update, *Observation) {
	return func(u *journal.Update, o *Observation) {
		o.States[version] = s
		if u == nil {
			unmarked(u, o)
		}
	}
}

func spent(n int) func(*journal.Update, *Observation) {
	return func(u *journal.Update, _ *Observation) { u.Spent, u.LastSpendBoot = n, "b1" }
}

// excused is an update whose state has had so many starts that are excused, and
// whose updater has ended in order.
func excused(n int) func(*journal.Update, *Observation) {
	return func(u *journal.Update, _ *Observation) { u.Excused, u.Stopped = n, true }
}

// hungry is an update whose state has had so many starts after deaths for want of memory,
// and whose updater has died of one more.
func hungry(n int) func(*journal.Update, *Observation) {
	return func(u *journal.Update, o *Observation) { u.Excused, u.OutOfMemory, o.OutOfMemory = n, n, true }
}

func onTrial(u *journal.Update, _ *Observation) { u.Takeover = &journal.Takeovers{Digest: "new"} }

func spentHere(n int) func(*journal.Update, *Observation) {
	return func(u *journal.Update, o *Observation) { u.Spent, u.LastSpendBoot = n, o.Boot }
}

// Every combination of state, place of either pointer, damage, marker, budget
// and caller: the decision is one that the table allows, has a rule and a
// reason, never touches a pointer that an operator moved, and never sends
// current to a version that is not whole.
func TestDecideEverywhere(t *testing.T) {
	t.Parallel()
	legal := map[State]map[Trigger]State{}
	for _, r := range Table() {
		if legal[r.From] == nil {
			legal[r.From] = map[Trigger]State{}
		}
		legal[r.From][r.Trigger] = r.To
	}
	whole := []versions.State{versions.Complete, versions.Unverified, versions.Damaged, versions.Missing}
	places := []string{"", old, prev, next, fact, "9.9.9"}
	count := 0
	rules := map[State]map[Rule]bool{}
	for _, s := range append(States(), Idle) {
		for _, current := range places {
			for _, previous := range places {
				for _, oldIs := range whole {
					for _, nextIs := range whole {
						for _, factIs := range whole {
							for v := range 3 * 2 * 2 * 2 {
								u := openIn(s)
								u.Terminal = Terminal(s)
								u.Spent = v % 3
								u.Stopped, u.Excused = v/12 == 1, 10*(v%3)
								if s == Idle {
									u = nil
								}
								o := seenAt([]By{Oneshot, Daemon}[v/3%2], current, previous)
								o.Marked = v/6%2 == 0
								o.States = map[string]versions.State{old: oldIs, prev: versions.Complete, next: nextIs, fact: factIs, "9.9.9": versions.Complete}
								a := decide(&journal.Fold{Open: u}, o, 2)
								count++
								must := func(ok bool, promise string) {
									if !ok {
										require.Failf(t, promise, "%s %+v -> %+v", s, o, a)
									}
								}
								must(a.Rule != "" && a.Why != "", "a decision has a rule and a reason")
								if rules[s] == nil {
									rules[s] = map[Rule]bool{}
								}
								rules[s][a.Rule] = true
								_, allowed := legal[s][a.Fire]
								must(a.Fire == "" || allowed || a.Fire == GateOwed && s == Idle, "the table has the transition")
								for _, m := range a.Moves {
									must(m.To == "" || o.usable(m.To), "pointers lead to whole versions")
									must(a.Rule != RuleForeign, "an operator's pointer is not touched")
									at := map[string]string{versions.Current: current, versions.Previous: previous}[m.Pointer]
									must(u == nil || at != "9.9.9", "an operator's pointer is not touched")
								}
								must(u == nil || Switched(s) || len(a.Moves) == 0 || Terminal(s) && !o.usable(current), "before Switching nothing is touched")
								must(a.Fire != Fail || a.Code == steps.BudgetSpent == (a.Rule == RuleBudget), "only the budget blames the release")
								must(reflect.DeepEqual(a, decide(&journal.Fold{Open: u}, o, 2)), "the same again")
							}
						}
					}
				}
			}
		}
	}
	for _, s := range append(States(), Idle) {
		require.NotEmpty(t, rules[s], "%s has a recovery rule", s)
	}
	t.Logf("%d decisions", count)
}
