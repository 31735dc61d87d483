package timeline

import (
	"fmt"
	"time"

	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/journal"
)

// fleet tells what a record says of offers, of reports to others, of holds and probation.
func (t *teller) fleet(r journal.Record) {
	if n := r.Refuse; n != nil {
		t.add(r, Entry{What: TurnedDown, Text: fmt.Sprintf("%s; it counts as %s", offer(n.Origin), n.State), By: r.By})
	}
	if w := r.Wait; w != nil {
		t.add(r, Entry{What: Waits, Text: w.Text + until(w.Until)})
	}
	if p := r.Trial; p != nil && r.Terminal && r.To == "Committed" {
		t.add(r, Entry{What: OnProbation, Text: "for " + human.Duration(p.Lasts) + " of running time"})
	}
	if p := r.Probed; p != nil {
		e := Entry{What: OnProbation, Text: fmt.Sprintf("it has run for %s, started %d times", human.Duration(p.Ran), p.Boots)}
		if p.Over {
			e.What = Probed
		}
		if r.Rule == "" && r.To == "" {
			e.Why = r.Why // no other entry of this record tells it
		}
		t.add(r, e)
	}
	if r.Acquit {
		t.add(r, Entry{What: Acquitted, Text: "the release that was gone back from is not to blame", Why: r.Why})
	}
	if h := r.Hold; h != nil {
		t.add(r, Entry{What: Held, Text: "offers are not installed" + until(h.Until), Why: h.Why, By: r.By})
	}
	if r.Unhold {
		t.add(r, Entry{What: Unheld, Text: "offers may be installed again", Why: r.Why, By: r.By})
	}
	if m := r.Remember; m != nil {
		t.add(r, Entry{What: Remembered, Text: m.Source, Evidence: m.Facts})
	}
	for _, n := range r.Owed {
		text := report(n)
		t.owed[owedKey{r.Seq, n.To}] = text
		t.add(r, Entry{What: Owes, Text: fmt.Sprintf("%s is to be told: %s", n.To, text)})
	}
	if told := r.Told; told != nil {
		text, ok := t.owed[owedKey{told.Notice, told.To}]
		if !ok {
			text = fmt.Sprintf("what record %d says", told.Notice)
		}
		e := Entry{What: Told, Text: fmt.Sprintf("told %s: %s", told.To, text)}
		if told.Never != "" {
			e = Entry{What: Never, Text: fmt.Sprintf("%s will never take: %s: %s", told.To, text, told.Never)}
		}
		t.add(r, e)
	}
}

// owedKey names a report: the record that it tells of, and who is to be told.
type owedKey struct {
	seq uint64
	to  string
}

// report says what a report tells.
func report(n journal.Notice) string {
	text := string(n.State)
	if n.End && n.Origin != nil {
		text += ", the end of its offer " + n.Origin.Action
	}
	return text
}

// offer names an offer.
func offer(o journal.Origin) string {
	text := fmt.Sprintf("offer %s of %s", o.Action, o.Source)
	if o.Digest != "" {
		text += fmt.Sprintf(" (%s)", short("digest", o.Digest))
	}
	return text
}

// until says when something ends; nothing when that is not known.
func until(end time.Time) string {
	if end.IsZero() {
		return ""
	}
	return " (until " + end.UTC().Format("2006-01-02 15:04 UTC") + ")"
}
