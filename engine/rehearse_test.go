package engine

import (
	"slices"
	"strings"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
)

// rehearsal plays a cut on paper: recover at the next boot and then the daemon,
// each deciding by decide and moving by the table. Its device is only an
// observation. The tables of docs/RECOVERY.md are made from rehearsals.
type rehearsal struct {
	open *journal.Update
	see  Observation
	// said are the rules and moves of the oneshot, in order.
	said []said
	// boots is current after the oneshot: what the services start from.
	boots string
	// state is the update's state after the daemon has decided, too.
	state State
	// unmarked: the daemon removed the marker.
	unmarked bool
}

type said struct {
	rule  Rule
	moves []Move
	to    State // the state that was entered, if one was
}

func rehearse(u *journal.Update, o Observation, budget int) rehearsal {
	r := rehearsal{open: u, see: o}
	for _, by := range []By{Oneshot, Daemon} {
		r.see.By = by
		for range rounds {
			a := decide(&journal.Fold{Open: r.open, Committed: old}, r.see, budget)
			s := said{rule: a.Rule, moves: a.Moves, to: r.apply(a)}
			if by == Oneshot {
				r.said = append(r.said, s)
			}
			if !a.Again {
				break
			}
		}
		if by == Oneshot {
			r.boots = r.see.Pointers.Current
		}
	}
	r.state = r.stands()
	return r
}

func (r *rehearsal) stands() State {
	if r.open == nil {
		return Idle
	}
	return r.open.State
}

// apply does to the paper device what Engine.apply does to a real one.
func (r *rehearsal) apply(a Action) State {
	for _, m := range a.Moves {
		switch m.Pointer {
		case versions.Current:
			r.see.Pointers.Current = m.To
			delete(r.see.Strange, versions.Current)
		case versions.Previous:
			r.see.Pointers.Previous = m.To
			delete(r.see.Strange, versions.Previous)
		}
	}
	if a.Unmark {
		r.see.Marked, r.see.Marker, r.unmarked = false, "", true
	}
	if a.Spend != nil {
		r.open.Spent += a.Spend.Cost
		if a.Spend.Excused {
			r.open.Excused++
		}
		if a.Spend.OutOfMemory {
			r.open.OutOfMemory++
		}
		r.open.Stopped = false
		r.open.LastSpendBoot, r.open.LastSpendBy = r.see.Boot, a.Spend.By
	}
	switch a.Fire {
	case "":
		return ""
	case GateOwed:
		r.open = &journal.Update{
			Kind: Recovered, From: r.see.Marker, To: r.see.Pointers.Current, State: Restarting, EnteredBoot: r.see.Boot,
			Before: versions.Pointers{Current: r.see.Marker, Previous: r.see.Pointers.Previous, Factory: r.see.Pointers.Factory},
		}
		return Restarting
	}
	to := follow(r.open.State, a.Fire, r.open)
	r.open.State, r.open.Terminal = to, Terminal(to)
	r.open.Excused, r.open.OutOfMemory, r.open.Stopped = 0, 0, false
	r.open.Spent, r.open.LastSpendBoot, r.open.LastSpendBy, r.open.EnteredBoot = 0, "", "", r.see.Boot
	if r.see.By == Oneshot {
		r.open.LastSpendBoot, r.open.LastSpendBy = r.see.Boot, string(Oneshot)
	}
	r.see.Unprepared = false
	return to
}

// follow is the state that the table's edge leads to.
func follow(s State, by Trigger, u *journal.Update) State {
	i := slices.IndexFunc(Table(), func(t Transition) bool {
		return t.From == s && t.Trigger == by && (t.Guard.Holds == nil || t.Guard.Holds(u))
	})
	if i < 0 {
		return ""
	}
	return Table()[i].To
}

// ahead returns the states still to come when all goes well, and the state that
// a failure in s leads to.
func ahead(s State, u *journal.Update) (way []State, failing State) {
	way = []State{s}
	for at := s; !Terminal(at); {
		next := follow(at, Succeed, u)
		switch at {
		case Requested:
			next = follow(at, Fetch, u)
			if next == "" {
				next = follow(at, Turn, u)
			}
		case Ready:
			next = follow(at, Proceed, u)
		}
		way = append(way, next)
		at = next
	}
	return way, follow(s, Fail, u)
}

// letter is a version as the guide calls it.
func letter(version string) string {
	l, ok := map[string]string{old: "A", prev: "P", next: "B", fact: "F", "9.9.9": "X"}[version]
	if !ok {
		return "–"
	}
	return l
}

// recoverSaid is the text of the oneshot's cell: rules, moves, and the states
// it entered.
func (r rehearsal) recoverSaid() string {
	var parts []string
	for _, s := range r.said {
		text := "`" + string(s.rule) + "`"
		var did []string
		for _, m := range s.moves {
			did = append(did, m.Pointer+" → "+letter(m.To))
		}
		if s.to != "" {
			did = append(did, "**"+string(s.to)+"**")
		}
		if len(did) > 0 {
			text += ": " + strings.Join(did, ", ")
		}
		if len(parts) == 0 || parts[len(parts)-1] != text {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "; ")
}
