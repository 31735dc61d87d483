package timeline

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/printable"
)

// Paint colours text; nil leaves it as it is.
type Paint func(Colour, string) string

// Colour is the meaning of a text, not how it looks.
type Colour int

// Colours by meaning.
const (
	Plain Colour = iota
	Good
	Bad
	Warn
	Faint
	Strong
)

// Write writes the story as text, times in UTC.
func Write(w io.Writer, t Timeline, paint Paint) error {
	if paint == nil {
		paint = func(_ Colour, s string) string { return s }
	}
	p := printer{w: bufio.NewWriter(w), paint: paint}
	for i, c := range t.Chapters {
		if i > 0 {
			p.line("")
		}
		p.chapter(c.clean())
	}
	return p.w.Flush()
}

type printer struct {
	w     *bufio.Writer
	paint Paint
}

func (p printer) line(s string) {
	// The error is kept by the writer and comes back from Flush.
	_, _ = fmt.Fprintln(p.w, strings.TrimRight(s, " "))
}

func (p printer) chapter(c Chapter) {
	day := dayOf(c.Started)
	if c.Update == "" {
		p.line(p.paint(Strong, "the device") + p.paint(Faint, "   "+day))
	} else {
		p.line(p.paint(Strong, fmt.Sprintf("update %s   %s   %s", c.Update, c.Kind, c.route())) + p.paint(Faint, "   "+day))
		p.line("  " + p.paint(ColourOf(c.State), c.verdict()))
	}
	for _, e := range c.Entries {
		if d := dayOf(e.Time); d != day {
			day = d
			p.line("  " + p.paint(Faint, day))
		}
		p.entry(e)
	}
}

// noTime is said of a time that nobody noted.
const noTime = "no known time"

func dayOf(t time.Time) string {
	if t.IsZero() {
		return noTime
	}
	return t.UTC().Format("2006-01-02") + " UTC"
}

func (c Chapter) route() string {
	from, to := c.From, c.To
	if from == "" {
		from = "none"
	}
	if to == "" {
		to = "?"
	}
	return from + " -> " + to
}

func (c Chapter) verdict() string {
	s := c.State
	if s == "" {
		s = "the beginning is no longer in the journal"
	}
	if c.Terminal {
		s += " after " + human.Span(c.Took, c.TookUnsure)
	} else {
		s += ", not over yet"
	}
	switch c.Interruptions {
	case 0:
	case 1:
		s += ", interrupted once"
	case 2:
		s += ", interrupted twice"
	default:
		s += fmt.Sprintf(", interrupted %d times", c.Interruptions)
	}
	if c.Error != nil && !engine.Success(engine.State(c.State)) {
		s += ": " + c.Error.Code + ": " + c.Error.Text
	}
	return s
}

// Columns: the time, the time since the chapter began, then the text; what
// belongs to a state is indented below it.
func (p printer) entry(e Entry) {
	at := p.paint(Faint, fmt.Sprintf("  %s %9s  ", e.Time.UTC().Format("15:04:05.000"), "+"+clockwise(e.Since)))
	const blank = "                          "
	line := func(c Colour, format string, args ...any) { p.line(at + p.paint(c, fmt.Sprintf(format, args...))) }
	more := func(s string) { p.line(blank + "      " + p.paint(Faint, printable.Line(s))) }
	switch e.What {
	case Entered:
		text := e.State
		if e.Text != "" {
			text = fmt.Sprintf("%-15s %s", e.State, p.paint(Faint, e.Text))
		}
		line(ColourOf(e.State), "%s", text)
	case Began:
		if e.Attempt <= 1 && len(e.Evidence) == 0 {
			return // its outcome, or its interruption, tells enough
		}
		line(Plain, "    %s begins%s", e.Step, attempt(e.Attempt))
	case Done:
		line(Good, "    %s done%s", e.Step, after(" in ", e.Took))
	case Failed:
		if e.Step == "" {
			line(Bad, "    %s: %s", e.Error.Code, e.Error.Text)
		} else {
			line(Bad, "    %s failed%s: %s: %s", e.Step, after(" after ", e.Took), e.Error.Code, e.Error.Text)
		}
	case Interrupted, Unfinished:
		line(Warn, "    %s %s: %s", e.Step, e.What, e.Text)
	case Rebooted:
		line(Warn, "--- %s", e.Text)
	case ClockSet:
		line(Warn, "    %s", e.Text)
	case Saw:
		line(Plain, "    saw")
	case Rule:
		line(Plain, "    rule: %s", e.Text)
	case Damaged:
		line(Bad, "    the journal was damaged: %s", e.Text)
	case Refused:
		line(Bad, "    preflight: %s", e.Text)
	case Warned:
		line(Warn, "    preflight: warning: %s", e.Text)
	case Owes, Told:
		line(Plain, "    %s", e.Text)
	case Never:
		line(Warn, "    %s", e.Text)
	case TurnedDown, Held:
		line(Warn, "    %s: %s", e.What, e.Text)
	case Quarantined:
		line(Bad, "    quarantined: %s", e.Text)
	default:
		line(Plain, "    %s: %s", e.What, e.Text)
	}
	if by := e.By.String(); by != "" {
		more("by: " + by)
	}
	if e.Why != "" {
		more("why: " + e.Why)
	}
	for _, f := range facts(e.Evidence) {
		if f != "" {
			more(f)
		}
	}
	if e.Error != nil && e.Error.Details != "" {
		for text := range strings.SplitSeq(e.Error.Details, "\n") {
			more(text)
		}
	}
}

// clean is c without control characters: parts of these texts come from servers,
// bundles and health checks, and a terminal obeys control characters.
func (c Chapter) clean() Chapter {
	c.Update, c.Kind, c.From, c.To, c.State = printable.Line(c.Update), printable.Line(c.Kind), printable.Line(c.From), printable.Line(c.To), printable.Line(c.State)
	c.Error = cleanFailure(c.Error)
	c.Entries = slices.Clone(c.Entries)
	for i := range c.Entries {
		e := &c.Entries[i]
		e.State, e.Step, e.Text, e.Why = printable.Line(e.State), printable.Line(e.Step), printable.Line(e.Text), printable.Line(e.Why)
		e.Error = cleanFailure(e.Error)
	}
	return c
}

func cleanFailure(f *journal.Failure) *journal.Failure {
	if f == nil {
		return nil
	}
	// Details have several lines, each of which is cleaned when it is printed.
	return &journal.Failure{Code: printable.Line(f.Code), Class: printable.Line(f.Class), Text: printable.Line(f.Text), Details: f.Details}
}

func attempt(n int) string {
	if n <= 1 {
		return ""
	}
	return fmt.Sprintf(", attempt %d", n)
}

func after(word string, d time.Duration) string {
	if d == 0 {
		return ""
	}
	return word + human.Duration(d)
}

// clockwise is a duration as a column: seconds with milliseconds, then h:mm:ss.
func clockwise(d time.Duration) string {
	if d < 1000*time.Second {
		return fmt.Sprintf("%.3f", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d:%02d:%02d", d/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second)
}

// ColourOf is the colour of a state: how well the device is in it.
func ColourOf(state string) Colour {
	switch state {
	case "Committed", "Checked":
		return Good
	case "Failed", "RolledBack", "FellBack", "NeedsAttention", "RollingBack", "FallingBack", "Returning":
		return Bad
	case "Cancelled":
		return Warn
	}
	return Strong
}
