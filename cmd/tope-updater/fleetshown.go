package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/engine/fleet"
)

// fleet prints how the device stands to its source of offers, for people.
func (t *terminal) fleet(s fleet.Status) {
	row := func(name, format string, args ...any) { t.say("%-11s %s", name, fmt.Sprintf(format, args...)) }
	bad := func(text string) string { return t.paint(timeline.Bad, text) }
	t.say("%s", t.paint(timeline.Strong, s.Text))
	if s.Source != "" {
		row("source", "%s, %s", s.Source, s.Place)
		row("policy", "%s", s.Policy)
	}
	if o := s.Offer; o != nil {
		row("offer", "%s", o.Text)
		if named := offerNamed(*o); named != "" {
			row("", "%s", named)
		}
	}
	if w := s.Wait; w != nil && w.Text != s.Text { // the first line has said it
		until := before(w.Until, " (until %s)")
		if strings.Contains(w.Text, moment(w.Until)) { // most texts say it
			until = ""
		}
		row("waits", "%s%s", w.Text, until)
	}
	if u := s.Update; u != nil {
		row("update", "%s", describe(*u))
		if u.Note != "" {
			row("", "%s", bad(u.Note))
		}
	}
	if !s.Due.IsZero() {
		row("due", "an offer is to be expected on %s", moment(s.Due))
	}
	if !s.Asked.IsZero() || !s.Next.IsZero() {
		row("asked", "%s", contact(s))
	}
	if s.Failure != "" {
		text := s.Failure
		if s.Tries > 1 {
			text += fmt.Sprintf("; it has failed %d times in a row", s.Tries)
		}
		row("", "%s", bad(text))
	}
	if s.Alarm != "" {
		row("alarm", "%s", bad(s.Alarm))
	}
	for i, line := range s.Details {
		row(first(i, "details"), "%s", line)
	}
	for i, n := range s.Outbox {
		action := ""
		if n.Origin != nil {
			action = n.Origin.Action + ": "
		}
		row(first(i, "to tell"), "%s%s, of %s", action, n.State, moment(n.Time))
	}
	if s.Untold != "" {
		row("", "%s", bad(s.Untold))
	}
	if h := s.Held; h != nil {
		row("held", "%s", t.paint(timeline.Warn, h.Why))
		by := ""
		if who := h.By.String(); who != "" {
			by = "by " + who + " "
		}
		if h.Until.IsZero() {
			row("", "%ssince %s, until it is released", by, moment(h.Time))
		} else {
			row("", "%ssince %s, until %s", by, moment(h.Time), moment(h.Until))
		}
	}
	if p := s.Probation; p != nil {
		row("probation", "%s is watched for another %s of running; if it fails, the device goes back to %s", p.Version, human.Duration(p.Left), p.Back)
		if p.Doubt != "" {
			row("", "%s", bad(p.Doubt))
		}
	}
	for i, e := range s.Ends {
		row(first(i, "ended"), "%s: %s, on %s", e.Action, t.paint(timeline.ColourOf(string(e.State)), string(e.State)), moment(e.Time))
		if e.Code != "" {
			row("", "%s: %s", e.Code, e.Text)
		}
	}
}

// offerNamed is what the text of an offer does not say: its digest, and what is special
// about it.
func offerNamed(o fleet.OfferStatus) string {
	var all []string
	for _, more := range []struct {
		is   bool
		text string
	}{
		{o.Digest != "", o.Digest},
		{o.Do == fleet.Ask, "it has to be confirmed"},
		{o.Do == fleet.Fetch, "to be downloaded only"},
		{o.Forced, "forced"},
	} {
		if more.is && !strings.Contains(o.Text, more.text) {
			all = append(all, more.text)
		}
	}
	return strings.Join(all, "; ")
}

// contact says when the source was asked, heard, and is asked next.
func contact(s fleet.Status) string {
	text := "not yet"
	switch {
	case s.Failure == "" && !s.Asked.IsZero():
		text = moment(s.Asked)
	case s.Heard.IsZero() && !s.Asked.IsZero():
		text = moment(s.Asked) + "; it has not answered since the daemon was started"
	case !s.Asked.IsZero():
		text = moment(s.Asked) + "; it answered last on " + moment(s.Heard)
	}
	return text + before(s.Next, ", next on %s")
}

// before is a format with a time, or nothing without one.
func before(at time.Time, format string) string {
	if at.IsZero() {
		return ""
	}
	return fmt.Sprintf(format, moment(at))
}

func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

// first is the name of a row that is the first of several.
func first(i int, name string) string {
	if i > 0 {
		return ""
	}
	return name
}
