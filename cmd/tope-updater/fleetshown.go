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
		row("", "%s", offerNamed(*o))
	}
	if w := s.Wait; w != nil {
		until := before(w.Until, " (until %s)")
		if strings.Contains(w.Text, moment(w.Until)) { // most texts say it
			until = ""
		}
		row("waits", "%s%s", w.Text, until)
	}
	if u := s.Update; u != nil {
		row("update", "%s", describe(*u))
	}
	if !s.Due.IsZero() {
		row("due", "an offer is to be expected on %s", moment(s.Due))
	}
	if !s.Asked.IsZero() || !s.Next.IsZero() {
		row("asked", "%s", contact(s))
	}
	if s.Failure != "" {
		row("", "%s", bad(fmt.Sprintf("%s; it has failed %s in a row", s.Failure, often(s.Tries))))
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
		row("probation", "%s for another %s of running; %s is gone back to if it fails", p.Version, human.Duration(p.Left), p.Back)
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

// offerNamed is an offer by its source's name for it.
func offerNamed(o fleet.OfferStatus) string {
	text := o.Action
	if o.Version != "" {
		text += ", version " + o.Version
	}
	if o.Digest != "" {
		text += ", " + o.Digest
	}
	switch {
	case o.Forced:
		text += "; forced"
	case o.Do == fleet.Ask:
		text += "; it has to be confirmed"
	case o.Do == fleet.Fetch:
		text += "; to be downloaded only"
	}
	return text
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

func often(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
