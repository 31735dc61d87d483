package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// told is one effect in plain words, a line each. A record of the journal
// stands to the left; an effect on the device is indented.
func told(e enginetest.Effect) []string {
	var lines []string
	if e.Records == nil {
		lines = append(lines, "    "+happens(e.Name()))
	}
	for _, r := range e.Records {
		if text := says(r); text != "" {
			lines = append(lines, "  "+text)
		}
	}
	switch {
	case e.Lost:
		return []string{"  *** the power goes before: " + strings.TrimSpace(lines[0])}
	case e.Cut:
		lines = append(lines, "  *** the power goes")
	}
	return lines
}

// happens is the text of an effect on the world.
func happens(name string) string {
	what, rest, _ := strings.Cut(name, " ")
	switch what {
	case "download":
		return "fetches the bundle"
	case "fetch":
		return "fetches " + rest
	case "note":
		return "notes how far " + rest + " has come"
	case "extract":
		return "unpacks the bundle"
	case "publish":
		return "publishes version " + rest
	case "mark":
		return "sets the marker: back to " + orNone(rest)
	case "unmark":
		return "removes the marker"
	case "stop":
		return "stops the services"
	case "restart", "start":
		return "starts the services from " + orNone(rest)
	case "point":
		pointer, version, _ := strings.Cut(rest, " ")
		return pointer + " → " + orNone(version)
	case "unpoint":
		return rest + " → " + orNone("")
	case "undo":
		return "undoes the " + rest
	case "remove":
		what, update, _ := strings.Cut(rest, " ")
		return fmt.Sprintf("tidies up the %s of %s", what, update)
	case "prune":
		return "removes version " + rest
	case "adopt":
		return rest + " becomes the committed updater"
	}
	return name
}

// says is the text of a record of the journal.
func says(r journal.Record) string {
	var why []string
	add := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	if r.Rule != "" {
		add("rule %q", r.Rule)
	}
	if a := r.Accept; a != nil {
		from := ", from " + orNone(a.From)
		if a.To != "" {
			from += " to " + a.To
		}
		add("%s%s", a.Kind, from)
		if a.Hold && !a.Check {
			add("to be held")
		}
		if a.Check {
			add("only to check it")
		}
		if a.Retry {
			add("though it may be in quarantine")
		}
		if a.Force {
			add("by force")
		}
	}
	if l := r.Learn; l != nil && l.To != "" {
		add("it is release %s, %s", l.To, l.Digest)
	}
	if r.Error != nil {
		add("%s: %s", r.Error.Code, r.Error.Text)
	}
	if r.Why != "" && (r.Error == nil || !strings.Contains(r.Error.Text, r.Why)) {
		add("%s", r.Why)
	}
	if len(r.Findings) > 0 {
		var found []steps.Finding
		_ = json.Unmarshal(r.Findings, &found)
		for _, f := range found {
			add("the preflight finds: %s", f)
		}
	}
	if r.EpochFloor != 0 {
		add("the epoch floor is %d", r.EpochFloor)
	}
	if s := r.Spend; s != nil {
		start := map[string]string{"recover": "this boot", "daemon": "this start", "takeover": "its start"}[s.By]
		if s.Excused {
			add("%s is excused", start)
		} else {
			add("%s costs %d", start, s.Cost)
		}
	}
	about := strings.Join(why, "; ")
	line := func(what string) string {
		if about == "" {
			return what
		}
		return what + " (" + about + ")"
	}
	switch {
	case r.To != "":
		return line(fmt.Sprintf("%s → %s", r.From, r.To))
	case r.Takeover != nil && r.Phase == journal.Intent:
		return line("hands over to the updater " + r.Takeover.Digest)
	case r.Takeover != nil:
		return line("the updater " + r.Takeover.Digest + " has come up")
	case r.Phase == journal.Intent:
		return intends(r)
	case r.Quarantine != nil:
		return fmt.Sprintf("release %s goes into quarantine (%s)", r.Quarantine.Version, r.Quarantine.Reason)
	case r.Unquarantine != "":
		return line("release " + r.Unquarantine + " leaves the quarantine")
	case r.Closed:
		return line("the update is closed" + leftover(r))
	case r.Stopped != nil:
		return "the updater ends in order"
	case r.Phase == journal.Observed && r.Rule == "":
		return line("the new state is not charged again")
	case r.Phase == journal.Observed:
		return line("recovery decides")
	case r.Step != "" && r.Error != nil:
		return line(fmt.Sprintf("%s fails in attempt %d", r.Step, r.Attempt))
	case r.Step != "":
		return line(fmt.Sprintf("%s is done", r.Step))
	case r.Rule != "":
		return line("recovery has done so")
	}
	return line("journaled")
}

// intends is the announcement of a step. A first attempt is left out, since the
// state that was entered says it. The targets of pointers are always told.
func intends(r journal.Record) string {
	var to struct {
		Target versions.Pointers `json:"target"`
	}
	if len(r.Evidence) > 0 && json.Unmarshal(r.Evidence, &to) == nil {
		return fmt.Sprintf("means to have current → %s, previous → %s", orNone(to.Target.Current), orNone(to.Target.Previous))
	}
	if r.Attempt > 1 {
		return fmt.Sprintf("%s begins, attempt %d", r.Step, r.Attempt)
	}
	return ""
}

func leftover(r journal.Record) string {
	var left struct {
		Leftover string `json:"leftover"`
	}
	if len(r.Evidence) > 0 && json.Unmarshal(r.Evidence, &left) == nil && left.Leftover != "" {
		return ", though " + left.Leftover
	}
	return ""
}

func orNone(version string) string {
	if version == "" {
		return "nothing"
	}
	return version
}

// stands describes the device in one line.
func stands(d *enginetest.Device) string {
	at := func(pointer string, version string) string {
		if raw, ok := d.Raws[pointer]; ok {
			return raw
		}
		return orNone(version)
	}
	s := engine.Idle
	if u := d.J.State().Open; u != nil {
		s = u.State
	}
	text := fmt.Sprintf("%s: current → %s, previous → %s, factory → %s", s, at(versions.Current, d.P.Current), at(versions.Previous, d.P.Previous), at(versions.Factory, d.P.Factory))
	if d.Marked {
		text += ", marker → " + orNone(d.MarkAt)
	}
	if d.Running == "" {
		text += "; no service runs"
	} else {
		text += "; services run from " + d.Running
	}
	for _, q := range d.J.State().Quarantine {
		text += "; " + q.Version + " is in quarantine"
	}
	return text
}
