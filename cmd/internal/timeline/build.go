package timeline

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// Build tells the story of the records, which must be in their order. Records of
// kinds that only another program knows are told as far as they are understood.
func Build(records []journal.Record) Timeline {
	t := Timeline{Schema: 1, Chapters: []Chapter{}}
	open := map[string]*teller{}
	var order []*teller
	var device *teller
	owed := map[owedKey]string{}
	for _, r := range records {
		tl := device
		if r.Update != "" {
			tl, device = open[r.Update], nil
		}
		if tl == nil {
			tl = &teller{Chapter: Chapter{Update: r.Update, Started: r.Time, Entries: []Entry{}}, last: r, owed: owed}
			order = append(order, tl)
			if r.Update == "" {
				device = tl
			} else {
				open[r.Update] = tl
			}
		}
		tl.tell(r)
	}
	for _, tl := range order {
		tl.end()
		t.Chapters = append(t.Chapters, tl.Chapter)
	}
	return t
}

// teller builds one chapter.
type teller struct {
	Chapter
	last    journal.Record  // the newest record told
	pending *journal.Record // an intent without an outcome so far
	since   journal.Span    // of last
	// owed has the reports that all chapters so far tell of.
	owed map[owedKey]string
}

func (t *teller) tell(r journal.Record) {
	t.passTime(r)
	t.conclude(r)
	t.decide(r)
	t.change(r)
	t.work(r)
	t.aside(r)
	t.last = r
}

func (t *teller) add(r journal.Record, e Entry) {
	e.Seq, e.Time, e.Boot, e.Since = r.Seq, r.Time, r.Boot, t.since.Took
	t.Entries = append(t.Entries, e)
}

// passTime moves since on to r, and tells when the clock or the boot changed.
func (t *teller) passTime(r journal.Record) {
	t.since = t.since.Add(t.last.Instant(), r.Instant())
	wall := r.Time.Sub(t.last.Time)
	if r.Boot != t.last.Boot {
		t.add(r, Entry{What: Rebooted, Text: rebooted(t.last, r)})
		return
	}
	mono := r.Mono - t.last.Mono
	if jump := wall - mono; jump > 2*time.Second || jump < -2*time.Second {
		t.add(r, Entry{What: ClockSet, Text: fmt.Sprintf("the wall clock jumped by %s", human.Duration(jump))})
	}
}

func rebooted(last, r journal.Record) string {
	const text = "another boot begins: the device was restarted or lost its power; "
	dark, sure := last.Instant().Until(r.Instant())
	if !sure {
		return text + "the wall clock cannot tell for how long"
	}
	return text + "the wall clock moved on by " + human.Duration(dark)
}

// conclude decides how an intent without an outcome ended.
func (t *teller) conclude(r journal.Record) {
	p := t.pending
	if p == nil {
		return
	}
	if r.Takeover != nil {
		t.pending = nil // the other program begins the step anew
		return
	}
	rebooted := r.Boot != p.Boot
	restarted := r.Spend != nil || r.Rule != "" || r.Stopped != nil
	again := r.Phase == journal.Intent && r.Step == p.Step
	if r.Phase == journal.Outcome && r.Step == p.Step && !rebooted {
		return
	}
	if !rebooted && !restarted && !again {
		return
	}
	text := "the updater ended before the step did"
	switch {
	case rebooted:
		text = "the device went down before the step was done"
	case r.Stopped != nil:
		text = "the updater was stopped before the step was done"
	}
	t.Interruptions++
	t.add(r, Entry{What: Interrupted, Step: string(p.Step), Attempt: p.Attempt, Text: text})
	t.pending = nil
}

// decide tells recovery's part: what it saw, the rule, and why.
func (t *teller) decide(r journal.Record) {
	if s := r.Spend; s != nil && r.Takeover == nil {
		text := fmt.Sprintf("%s took over; it costs this state %d of its budget", who(s.By), s.Cost)
		switch {
		case s.OutOfMemory:
			text = who(s.By) + " took over; its start is excused, as the updater had run out of memory"
		case s.Excused:
			text = who(s.By) + " took over; its start is excused, as the updater had been stopped or killed"
		case s.Cost == 0:
			text = who(s.By) + " took over, in a boot that is counted already"
		}
		t.add(r, Entry{What: Spent, State: t.State, Text: text})
	}
	if r.Takeover != nil {
		t.add(r, Entry{What: TookOver, Text: takeover(r), Why: r.Why})
	}
	if r.Phase == journal.Observed && len(r.Evidence) > 0 {
		t.add(r, Entry{What: Saw, Step: string(r.Step), Evidence: r.Evidence})
	}
	if r.Rule != "" {
		t.add(r, Entry{What: Rule, Text: string(r.Rule), Why: r.Why})
	}
}

func takeover(r journal.Record) string {
	program := "the version's own updater"
	if r.Takeover.Back {
		program = "the committed updater"
	}
	if r.Phase == journal.Intent {
		return fmt.Sprintf("%s (%s) is to take over", program, r.Takeover.Digest)
	}
	return fmt.Sprintf("%s (%s) has taken over", program, r.Takeover.Digest)
}

func who(by string) string {
	switch by {
	case "recover":
		return "recovery at boot"
	case "daemon":
		return "the daemon"
	}
	return by
}

// change tells requests and the moves of the machine.
func (t *teller) change(r journal.Record) {
	if a := r.Accept; a != nil {
		t.Kind, t.From, t.To, t.Before, t.Source = string(a.Kind), a.From, a.To, a.Before, sourceOf(a.Source)
		t.add(r, Entry{What: Asked, Text: t.request(a, r.By), By: r.By})
	}
	// The outcome that makes the machine move is told before the move.
	if r.Phase == journal.Outcome && r.Step != "" {
		t.outcome(r)
	}
	if l := r.Learn; l != nil {
		if l.To != "" {
			t.To = l.To
		}
		if text := learnt(l); text != "" {
			t.add(r, Entry{What: Learnt, Text: text, By: r.By})
		}
	}
	if r.Error != nil {
		t.Error = r.Error
		if r.Phase != journal.Outcome || r.Step == "" {
			t.add(r, Entry{What: Failed, Trigger: string(r.Trigger), Why: r.Why, Error: r.Error})
		}
	}
	if r.To != "" {
		t.State = string(r.To)
		e := Entry{What: Entered, State: string(r.To), Trigger: string(r.Trigger), Text: meaning(r)}
		if r.Step == "" && r.Rule == "" && r.Error == nil {
			e.Why = r.Why // no other entry of this record tells it
		}
		if r.Accept == nil && r.Learn == nil {
			e.By = r.By // who cancelled it, or asked for what took its place
		}
		t.add(r, e)
	}
	if r.Terminal {
		t.Terminal, t.Span = true, t.since
	}
}

func (t *teller) outcome(r journal.Record) {
	t.pending = nil
	e := Entry{What: Done, Step: string(r.Step), Attempt: r.Attempt, Took: r.Took, Why: r.Why, Evidence: r.Evidence, Error: r.Error}
	if r.Error != nil {
		e.What, e.Trigger = Failed, string(r.Trigger)
	}
	t.add(r, e)
}

// work tells the intents.
func (t *teller) work(r journal.Record) {
	if r.Phase == journal.Intent && r.Step != "" {
		t.pending = &r
		t.add(r, Entry{What: Began, Step: string(r.Step), Attempt: r.Attempt, Evidence: r.Evidence})
	}
}

// aside tells everything else in a record.
func (t *teller) aside(r journal.Record) {
	if len(r.Baseline) > 0 {
		t.add(r, Entry{What: Baseline, Text: "the gate's word on the version that runs now", Evidence: r.Baseline})
	}
	t.preflight(r)
	if q := r.Quarantine; q != nil {
		t.add(r, Entry{What: Quarantined, Text: fmt.Sprintf("%s (%s)", q.Version, q.Digest)})
	}
	if r.Unquarantine != "" {
		t.add(r, Entry{What: Released, Text: r.Unquarantine + " may be installed again", Why: r.Why, By: r.By})
	}
	if r.Upkeep != "" {
		t.add(r, Entry{What: Upkeep, Text: r.Upkeep, By: r.By})
	}
	if r.TrustForgotten {
		t.add(r, Entry{What: Forgotten, Text: "the signed releases that were committed are let go of: without keys this device takes any release", Why: r.Why, By: r.By})
	}
	if d := r.Damage; d != nil {
		text := d.Kind + ": " + d.Text
		if d.Kept != "" {
			text += "; the damaged file is kept as " + d.Kept
		}
		t.add(r, Entry{What: Damaged, Text: text})
	}
	t.fleet(r)
	if r.Closed {
		t.add(r, Entry{What: Closed, Text: "cleaned up; nothing is left to do", Evidence: r.Evidence})
	}
}

// preflight tells what was found before the switch. Findings that cannot be read are
// those of a newer program.
func (t *teller) preflight(r journal.Record) {
	var found []steps.Finding
	if len(r.Findings) == 0 || json.Unmarshal(r.Findings, &found) != nil {
		return
	}
	for _, f := range found {
		what := Warned
		if f.Fatal {
			what = Refused
		}
		t.add(r, Entry{What: what, Text: f.String()})
	}
}

func (t *teller) end() {
	if !t.Terminal {
		t.Span = t.since
	}
	if p := t.pending; p != nil && !t.Terminal {
		t.add(t.last, Entry{What: Unfinished, Step: string(p.Step), Attempt: p.Attempt, Text: "no outcome yet: it is at work, or was cut and not yet recovered"})
	}
}

func (t *teller) request(a *journal.Accept, by *journal.Asker) string {
	var text string
	switch {
	case t.Source != "":
		text = "install " + t.Source
	case a.Kind == "recovered":
		text = "finish an update whose journal was lost"
	default:
		text = fmt.Sprintf("go to the installed version %s", a.To)
	}
	if a.Check {
		text = "check, without installing it, " + t.Source
	}
	if a.Hold && !a.Check {
		text += ", in two requests"
	}
	if a.Retry {
		text += ", in spite of any quarantine"
	}
	if a.Force {
		text += ", by force: whatever its epoch and expiry"
	}
	if e := a.Evicts; e != nil {
		text += fmt.Sprintf(", back from %s, which is on probation: %s", e.Version, e.Reason)
	}
	if o := a.Origin; o != nil && a.Evicts == nil && (by == nil || by.Kind != journal.BySource) {
		text += ", which is " + offer(*o)
	}
	if a.Patience > 0 {
		text += ", which may wait for " + human.Duration(a.Patience)
	}
	return text + "; " + pointers(a.Before)
}

func sourceOf(raw json.RawMessage) string {
	var s struct {
		URL  source.URL `json:"url"`
		Name string     `json:"name"`
	}
	if json.Unmarshal(raw, &s) == nil && !s.URL.Empty() {
		return s.URL.Redacted()
	}
	return s.Name
}

func learnt(l *journal.Learn) string {
	switch {
	case l.Proceed:
		return "the install request came"
	case l.To != "" && l.Digest != "":
		return fmt.Sprintf("the bundle is release %s (%s)", l.To, l.Digest)
	case l.To != "":
		return "the bundle is release " + l.To
	case l.Digest != "":
		return "the bundle is " + l.Digest
	}
	return ""
}

// meaning is the transition table's text about the move.
func meaning(r journal.Record) string {
	for _, t := range engine.Table() {
		if t.From == r.From && t.Trigger == r.Trigger && t.To == r.To {
			return t.Meaning
		}
	}
	return ""
}
