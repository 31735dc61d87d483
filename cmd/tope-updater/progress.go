package main

import (
	"fmt"
	"strings"

	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// progress shows one update as it goes: a line for each state and, below the
// newest, a bar on a terminal or a line for each 10 % when piped.
type progress struct {
	t       *terminal
	told    uint64 // the journal's record that has been shown last
	bar     bool   // the cursor stands behind a bar
	state   engine.State
	percent int    // the last one printed for state
	note    string // the last one printed
	// withheld is the failure that decides the update: the command's own error tells
	// it at the end, and nothing is told twice.
	withheld *journal.Failure
}

func newProgress(t *terminal) *progress { return &progress{t: t} }

// tell prints the entries of a chapter that have not been printed yet.
func (p *progress) tell(c timeline.Chapter) {
	last := p.told
	for _, e := range c.Entries {
		if e.Seq <= p.told {
			continue
		}
		last = e.Seq
		if p.withheld == nil && e.What == timeline.Failed && decides(e) {
			p.withheld = e.Error
			p.line(p.t.paint(timeline.Bad, failed(e)))
			continue
		}
		if colour, line := told(e); line != "" {
			p.line(p.t.paint(colour, line))
		}
	}
	p.told = last
}

// told is the line for a journal entry that is shown while the update runs;
// empty for the other entries.
func told(e timeline.Entry) (timeline.Colour, string) {
	switch e.What {
	case timeline.Entered:
		return timeline.ColourOf(e.State), fmt.Sprintf("  %-15s %s", e.State, e.Text)
	case timeline.Failed:
		return timeline.Bad, failed(e) + ": " + e.Error.Text
	case timeline.Interrupted:
		return timeline.Warn, fmt.Sprintf("    %s was interrupted: %s", e.Step, e.Text)
	case timeline.Done:
		if e.Step == string(steps.Rollback) && e.Why != "" {
			return timeline.Warn, "    " + e.Why // why the release is not in quarantine
		}
	case timeline.Rule:
		return timeline.Plain, fmt.Sprintf("    recovery: %s: %s", e.Text, e.Why)
	case timeline.Refused:
		return timeline.Bad, "    preflight: " + e.Text
	case timeline.Warned:
		return timeline.Warn, "    preflight: warning: " + e.Text
	case timeline.Quarantined:
		return timeline.Bad, "    quarantined: " + e.Text
	}
	return timeline.Plain, ""
}

// decides reports whether a failure ends the way forward.
func decides(e timeline.Entry) bool {
	return e.Trigger == string(engine.Fail) || e.Trigger == string(engine.Expire)
}

// failed is a failure without its text.
func failed(e timeline.Entry) string {
	if e.Step == "" {
		return "    failed: " + e.Error.Code
	}
	return fmt.Sprintf("    %s failed: %s", e.Step, e.Error.Code)
}

// end tells the failure that was withheld, if the command's error is about another.
func (p *progress) end(u engine.UpdateStatus) {
	if f := p.withheld; f != nil {
		if why := reason(u); u.State == engine.Cancelled || why == nil || why.Text != f.Text {
			p.line(p.t.paint(timeline.Bad, "    "+f.Code+": "+f.Text))
		}
	}
}

// show brings the bar up to date.
func (p *progress) show(u engine.UpdateStatus) {
	if u.State != p.state {
		p.state, p.percent = u.State, 0
	}
	if u.Note != p.note {
		if p.note = u.Note; u.Note != "" {
			p.line(fmt.Sprintf("    %-15s %s", u.State, u.Note))
		}
	}
	if p.t.json || engine.Terminal(u.State) || u.Bytes == 0 && u.Total == 0 && u.Progress == 0 {
		return
	}
	amount := human.Bytes(u.Bytes)
	if u.Total > 0 {
		amount += " of " + human.Bytes(u.Total)
	}
	if p.t.live {
		const width = 30
		done := min(max(u.Progress, 0), 100) * width / 100
		p.t.raw(fmt.Sprintf("\r\x1b[K    [%s%s] %3d %%  %s", strings.Repeat("#", done), strings.Repeat("-", width-done), u.Progress, amount))
		p.bar = true
		return
	}
	if step := u.Progress / 10 * 10; step > p.percent {
		p.percent = step
		p.line(fmt.Sprintf("    %-15s %3d %%  %s", u.State, step, amount))
	}
}

// aside prints a line that is not part of the answer.
func (p *progress) aside(format string, args ...any) {
	p.close()
	p.t.note(format, args...)
}

func (p *progress) line(s string) {
	p.close()
	if !p.t.json {
		p.t.write(s + "\n")
	}
}

// close takes the bar away.
func (p *progress) close() {
	if p.bar {
		p.t.raw("\r\x1b[K")
		p.bar = false
	}
}
