package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/steps"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "tell where the device stands",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.connect(cmd.Context(), reads)
			if err != nil {
				return err
			}
			defer s.close()
			st, err := s.Status(cmd.Context())
			if err != nil {
				return err
			}
			return a.term.answer(st, func(t *terminal) {
				t.status(st)
				if u := st.Update; s.inProcess && u != nil && !engine.Terminal(u.State) {
					t.say("%-11s %s", "", t.paint(timeline.Warn, "no daemon runs: the update goes on when one starts, or by \"tope-updater recover --finish\""))
				}
			})
		},
	}
}

// status prints a status for people.
func (t *terminal) status(st httpapi.Status) {
	row := func(name, format string, args ...any) { t.say("%-11s %s", name, fmt.Sprintf(format, args...)) }
	row("state", "%s", t.paint(timeline.ColourOf(string(st.State)), string(st.State)))
	for _, p := range (look.Pointers{Pointers: st.Pointers}).All() {
		if odd, strange := st.Strange[p.Name]; strange {
			row(p.Name, "%s", t.paint(timeline.Bad, odd))
			continue
		}
		row(p.Name, "%s", orNone(p.Version))
	}
	if u := st.Update; (u == nil || engine.Terminal(u.State)) && st.Committed != "" && st.Committed != st.Pointers.Current {
		row("", "%s", t.paint(timeline.Warn, "the journal left this device on "+st.Committed+"; \"tope-updater rollback --to "+st.Committed+"\" goes there"))
	}
	if r := st.Repaired; r != nil {
		row("", "%s", t.paint(timeline.Warn, fmt.Sprintf("repaired on %s: %s", r.Time.UTC().Format(time.DateTime), r.Why)))
	}
	for _, line := range st.Denied {
		row("sandbox", "%s", t.paint(timeline.Bad, line))
	}
	for _, s := range st.Services {
		row("service", "%s", t.service(s, st.Pointers.Current))
	}
	if u := st.Update; u != nil {
		row("update", "%s", describe(*u))
		if by := u.By.String(); by != "" {
			row("", "asked for by %s", by)
		}
		if !engine.Terminal(u.State) && (u.Bytes > 0 || u.Progress > 0) {
			row("", "%d %%, %s", u.Progress, human.Bytes(u.Bytes))
		}
		if u.Note != "" {
			row("", "%s", t.paint(timeline.Warn, u.Note))
		}
	}
	if u := st.Update; u != nil && u.Wire != nil {
		row("", "%s", wire(u.Wire))
	}
	if u := st.Last; u != nil {
		row("last", "%s", t.paint(timeline.ColourOf(string(u.State)), describe(*u)))
		if by := u.By.String(); by != "" {
			row("", "asked for by %s", by)
		}
		if why := reason(*u); why != nil && !engine.Success(u.State) {
			row("", "%s: %s", why.Code, why.Text)
		}
		if u.Wire != nil {
			row("", "%s", wire(u.Wire))
		}
	}
	for _, q := range st.Quarantine {
		row("quarantine", "%s (%s): %s", q.Version, q.Digest, q.Reason)
	}
	if more := st.Quarantined - len(st.Quarantine); more > 0 {
		row("", "and %d older ones: \"tope-updater quarantine list\"", more)
	}
	if l := st.LAN; l != nil {
		row("network", "https://%s, certificate SHA-256 %s", l.Address, orNone(l.Fingerprint))
		if l.Problem != "" {
			row("", "%s", t.paint(timeline.Bad, l.Problem))
		}
	}
	if st.Fleet != "" {
		row("fleet", "%s", st.Fleet)
	}
	row("journal", "%d records", st.Journal.Seq)
	if st.Journal.Damaged {
		row("", "%s", t.paint(timeline.Warn, "it was damaged once; \"tope-updater journal show --all\" tells what was lost"))
	}
	if st.Trust != "" {
		row("trust", "%s", st.Trust)
	}
}

// service says how a service is.
func (t *terminal) service(s httpapi.Service, current string) string {
	colour := timeline.Bad
	if s.Running && (s.Outside || slices.Equal(s.Versions, []string{current})) {
		colour = timeline.Good
	}
	return s.Name + " " + t.paint(colour, s.Text)
}

func describe(u engine.UpdateStatus) string {
	to := u.To
	if to == "" {
		to = "?"
	}
	return fmt.Sprintf("%s: %s %s -> %s: %s", u.ID, u.Kind, orNone(u.From), to, u.State)
}

func orNone(version string) string {
	if version == "" {
		return "none"
	}
	return version
}

// wire tells what a bundle cost.
func wire(w *steps.Wire) string {
	got, whole := human.Bytes(w.Head+w.Payload), human.Bytes(w.Whole)
	s := "downloaded " + got
	if w.Solid {
		s += ", everything"
	} else if got != whole {
		s += " instead of " + whole
	}
	for _, part := range []struct {
		n    int
		what string
	}{{w.Local, "taken from this device"}, {w.Patched, "patched"}, {w.Alone, "fetched"}, {w.Lacking, "damaged on this device"}} {
		if part.n > 0 {
			s += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	return s
}
