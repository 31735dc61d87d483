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
	n.applyFleet(r)
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
	if r.TrustForgotten {
		s.Signed, s.Forgotten = nil, &Forgotten{Time: r.Time, Why: r.Why}
	}
	s.applyQuarantine(r)
	if r.Repair != nil {
		s.Repaired = &Repaired{Time: r.Time, To: r.Repair.To, Why: r.Why}
	}
	if r.Differs != nil {
		s.Differs = r.Differs.Current
	}
	if len(r.Figures) > 0 {
		s.Figures = merged(s.Figures, r.Figures)
	}
}

// signed notes a signed release that a record commits.
func (s *Fold) signed(u *Update, r Record) {
	if r.SignedBy != "" {
		s.Signed, s.Forgotten = &Signed{Version: u.To, Key: r.SignedBy, Update: u.ID, Time: r.Time}, nil
	}
}

// left notes where an update that has just ended left the device.
func (s *Fold) left(u *Update) {
	if v := u.leftAt(s.Committed); v != "" {
		s.Committed, s.Differs = v, ""
	}
}

// MaxFigures bounds the figures that a device remembers: what its services and checks
// take does not grow the journal when they are called something else in each release.
const MaxFigures = 100

// merged returns a copy of old with the newer figures in it.
func merged(old, newer []Figure) []Figure {
	list := slices.Clone(old)
	for _, f := range newer {
		f.Longest = f.Took
		list = slices.DeleteFunc(list, func(o Figure) bool {
			same := o.Service == f.Service && o.What == f.What
			if same {
				f.Longest = max(f.Longest, o.Longest)
			}
			return same
		})
		list = append(list, f)
	}
	return list[max(0, len(list)-MaxFigures):]
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
		s.Open, s.Repaired = accepted(r), nil
	}
	switch {
	case r.Update == "":
	case s.Open != nil && s.Open.ID == r.Update:
		u := s.Open.with(r)
		if r.Terminal && !s.Open.Terminal {
			s.count(u.State)
			s.left(u)
			s.signed(u, r)
			s.offered(u, r)
		}
		s.Open = u
		if u.Closed {
			s.Open, s.Last = nil, u
		}
	case s.Last != nil && s.Last.ID == r.Update:
		u := s.Last.with(r)
		if r.Terminal && !s.Last.Terminal {
			s.count(u.State)
			s.left(u)
			s.signed(u, r)
			s.offered(u, r)
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
		Hold: a.Hold, Retry: a.Retry, Force: a.Force, Check: a.Check, By: r.By, Origin: a.Origin, Reports: a.Reports, Patience: a.Patience,
		Evicts: a.Evicts, Reach: a.Reach,
		Accepted: r.Time, Newest: r.Instant(), FirstSeq: r.Seq,
	}
}

// with is the update after r.
func (u *Update) with(r Record) *Update {
	n := *u
	n.LastSeq = r.Seq
	n.pass(r)
	if l := r.Learn; l != nil {
		n.learn(l)
	}
	if r.To != "" {
		n.State, n.Wait = r.To, nil
		n.Spent, n.LastSpendBoot, n.LastSpendBy = 0, "", ""
		n.Excused, n.OutOfMemory, n.Stopped = 0, 0, false
		n.Entered, n.EnteredMono, n.EnteredBoot = r.Time, r.Mono, r.Boot
		n.Entries = maps.Clone(n.Entries)
		if n.Entries == nil {
			n.Entries = map[State]Entry{}
		}
		n.Entries[r.To] = Entry{Boot: r.Boot, Mono: r.Mono}
	}
	if r.Wait != nil {
		n.Wait = &Wait{Reason: r.Wait.Reason, Text: clip(r.Wait.Text, maxReason), Until: r.Wait.Until}
	}
	if r.To != "" && r.Progress > n.Reached[r.From] {
		n.Reached = maps.Clone(n.Reached)
		if n.Reached == nil {
			n.Reached = map[State]int{}
		}
		n.Reached[r.From] = r.Progress
	}
	if r.Phase == Intent && r.Step != "" {
		n.Step, n.Attempt, n.Stopped = r.Step, r.Attempt, false
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
		if n.Cause == nil && r.Trigger != "" && r.Trigger != "lack" { // that fetches more, and goes on
			n.Cause = r.Error
		}
	}
	if r.Baseline != nil {
		n.Baseline = r.Baseline
	}
	if r.Findings != nil {
		n.Findings = r.Findings
	}
	if r.Spend != nil {
		n.spend(r)
	}
	if r.Stopped != nil {
		n.stopped(*r.Stopped)
	}
	if r.Takeover != nil {
		n.takeover(r)
	}
	if r.Terminal && !n.Terminal {
		n.Terminal = true
		n.Ended, n.EndedMono, n.EndedBoot = r.Time, r.Mono, r.Boot
	}
	n.EndOwed = n.EndOwed || n.Terminal && slices.ContainsFunc(r.Owed, func(o Notice) bool { return o.End })
	n.Closed = n.Closed || r.Closed
	return &n
}

// spend folds a boot, or a start of the updater.
func (u *Update) spend(r Record) {
	u.Spent += r.Spend.Cost
	if r.Spend.Excused {
		u.Excused++
	}
	if r.Spend.OutOfMemory {
		u.OutOfMemory++
		u.untried()
	}
	u.LastSpendBoot, u.LastSpendBy = r.Boot, r.Spend.By
	u.Stopped = false
}

// stopped folds an end in order. A takeover that ended so has not been tried.
func (u *Update) stopped(s Stopped) {
	u.Stopped = true
	if s.Trial {
		u.untried()
	}
}

// untried takes the newest takeover out of the count: its end says nothing of the program.
func (u *Update) untried() {
	if t := u.Takeover; t != nil && t.Tries > 0 {
		again := *t
		again.Tries--
		u.Takeover = &again
	}
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
