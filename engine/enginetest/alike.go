package enginetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/journal"
)

// Alike is all that the next boot of a device finds, as text: two devices whose
// texts are equal have the same future. Times, record numbers and update ids
// are left out, because no later boot decides by them. A field that is added to
// the journal's fold is in the text by itself.
func (d *Device) Alike() string {
	s := *d.J.State()
	s.Seq, s.Sum = 0, ""
	s.Open, s.Last = undated(s.Open), undated(s.Last)
	s.Quarantine = slices.Clone(s.Quarantine)
	for i := range s.Quarantine {
		s.Quarantine[i].Time, s.Quarantine[i].Update = time.Time{}, ""
	}
	if s.Damage != nil {
		damage := *s.Damage
		damage.Time = time.Time{}
		s.Damage = &damage
	}
	fold, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("a fold cannot be marshalled: %v", err))
	}
	text := fmt.Sprintf("%s\n%s digests=%v epochs=%v sick=%v dead=%v programs=%v bundle=%v sources=%d boot=%s",
		fold, d.World, d.Digests, d.Epochs, d.Sick, d.Dead, d.Programs, d.Bundle, len(d.Sources), d.Clock.Boot())
	for _, u := range []*journal.Update{d.J.State().Open, d.J.State().Last} {
		if u != nil {
			text = strings.ReplaceAll(text, u.ID, "u")
		}
	}
	return text
}

// undated is an update without its name, its numbers and its times.
func undated(u *journal.Update) *journal.Update {
	if u == nil {
		return nil
	}
	n := *u
	n.FirstSeq, n.LastSeq = 0, 0
	n.Entered, n.EnteredMono, n.IntentMono = time.Time{}, 0, 0
	n.Accepted, n.Ended, n.EndedMono = time.Time{}, time.Time{}, 0
	n.Entries = maps.Clone(n.Entries)
	for s, m := range n.Entries {
		m.Mono = 0
		n.Entries[s] = m
	}
	return &n
}
