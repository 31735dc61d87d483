package journal

import (
	"encoding/json"
	"maps"
	"slices"
)

// Apply is the fold: the state after r, given the state before it. It is pure:
// s is not changed, and the parts that both states share are never written to. A
// record with a phase this program does not know moves only Seq and Sum.
func Apply(s *Fold, r Record) *Fold {
	n := *s
	n.Seq, n.Sum = r.Seq, r.Sum
	switch r.Phase {
	case Intent, Observed, Outcome:
	default:
		return &n
	}
	n.applyFacts(r)
	n.applyUpdate(r)
	return &n
}

// applyFacts folds the facts of the device that a record has.
func (s *Fold) applyFacts(r Record) {
	if r.Damage != nil {
		s.Damage = r.Damage
	}
	if p := r.Program; p != nil {
		s.OwedProgram = ""
		if p.Owed {
			s.OwedProgram = p.Version
		}
	}
	s.EpochFloor = max(s.EpochFloor, r.EpochFloor)
	if q := r.Quarantine; q != nil {
		s.Quarantine = append(without(s.Quarantine, q.Digest), *q)
	}
	if r.Unquarantine != "" {
		s.Quarantine = without(s.Quarantine, r.Unquarantine)
	}
}

// without returns a copy of list without digest's entry.
func without(list []Quarantined, digest string) []Quarantined {
	out := slices.DeleteFunc(slices.Clone(list), func(q Quarantined) bool { return q.Digest == digest })
	if len(out) == 0 {
		return nil
	}
	return out
}

// applyUpdate folds what a record says of its update. That is the open one, or
// the newest closed one when the record comes late.
func (s *Fold) applyUpdate(r Record) {
	if r.Accept != nil && r.Update != "" {
		if s.Open != nil {
			// The open update was superseded before it was closed: never lose it
			// silently.
			s.Last = s.Open
		}
		s.Open = accepted(r)
	}
	switch {
	case r.Update == "":
	case s.Open != nil && s.Open.ID == r.Update:
		u := s.Open.with(r)
		if r.Terminal && !s.Open.Terminal {
			s.count(u.State)
		}
		s.Open = u
		if u.Closed {
			s.Open, s.Last = nil, u
		}
	case s.Last != nil && s.Last.ID == r.Update:
		u := s.Last.with(r)
		if r.Terminal && !s.Last.Terminal {
			s.count(u.State)
		}
		s.Last = u
	}
}

// count counts an update that reached the terminal state to.
func (s *Fold) count(to State) {
	counters := maps.Clone(s.Counters)
	if counters == nil {
		counters = map[State]int64{}
	}
	counters[to]++
	s.Counters = counters
}

// accepted is the update that r opens; the method with folds the rest of r into
// it.
func accepted(r Record) *Update {
	a := r.Accept
	return &Update{
		ID: r.Update, Kind: a.Kind, Source: a.Source, From: a.From, To: a.To, Before: a.Before,
		Hold: a.Hold, Retry: a.Retry, Force: a.Force, Accepted: r.Time, FirstSeq: r.Seq,
	}
}

// with is the update after r.
func (u *Update) with(r Record) *Update {
	n := *u
	n.LastSeq = r.Seq
	if l := r.Learn; l != nil {
		n.learn(l)
	}
	if r.To != "" {
		n.State = r.To
		n.Spent, n.LastSpendBoot, n.LastSpendBy = 0, "", ""
		n.Entered, n.EnteredMono, n.EnteredBoot = r.Time, r.Mono, r.Boot
		n.Entries = maps.Clone(n.Entries)
		if n.Entries == nil {
			n.Entries = map[State]Entry{}
		}
		n.Entries[r.To] = Entry{Boot: r.Boot, Mono: r.Mono}
	}
	if r.Phase == Intent && r.Step != "" {
		n.Step, n.Attempt = r.Step, r.Attempt
		n.IntentMono, n.IntentBoot = r.Mono, r.Boot
	}
	if r.Phase == Outcome && r.Step != "" && r.Error == nil && r.Evidence != nil {
		n.Found = maps.Clone(n.Found)
		if n.Found == nil {
			n.Found = map[Step]json.RawMessage{}
		}
		n.Found[r.Step] = r.Evidence
	}
	if r.Error != nil {
		n.Error = r.Error
		if n.Cause == nil && r.Trigger != "" {
			n.Cause = r.Error
		}
	}
	if r.Baseline != nil {
		n.Baseline = r.Baseline
	}
	if r.Spend != nil {
		n.Spent += r.Spend.Cost
		n.LastSpendBoot, n.LastSpendBy = r.Boot, r.Spend.By
	}
	if r.Takeover != nil {
		n.takeover(r)
	}
	if r.Terminal && !n.Terminal {
		n.Terminal = true
		n.Ended, n.EndedMono, n.EndedBoot = r.Time, r.Mono, r.Boot
	}
	n.Closed = n.Closed || r.Closed
	return &n
}

// takeover folds an intent or an outcome of a change of program.
func (u *Update) takeover(r Record) {
	switch old := u.Takeover; {
	case r.Takeover.Back:
		u.Takeover = nil
	case r.Phase == Intent:
		t := Takeovers{Digest: r.Takeover.Digest, Tries: 1, Boot: r.Boot}
		if old != nil && old.Digest == t.Digest && old.Boot == t.Boot {
			t.Tries += old.Tries
		}
		u.Takeover = &t
	case r.Phase == Outcome && r.Error == nil && old != nil && old.Digest == r.Takeover.Digest:
		t := *old
		t.Up = true
		u.Takeover = &t
	}
}

// learn merges what a step has learnt; a field that the step left empty stays.
func (u *Update) learn(l *Learn) {
	if l.To != "" {
		u.To = l.To
	}
	if l.Digest != "" {
		u.Digest = l.Digest
	}
	if l.Services != nil {
		u.Services = l.Services
	}
	if l.Proceed {
		u.Hold = false
	}
}
