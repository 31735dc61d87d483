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
	undatedFleet(&s)
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
	text := fmt.Sprintf("%s\n%s heard=%s digests=%v epochs=%v sick=%v dead=%v programs=%v bundle=%v sources=%d boot=%s",
		fold, d.World, d.Fleet, d.Digests, d.Epochs, d.Sick, d.Dead, d.Programs, d.Bundle, len(d.Sources), d.Clock.Boot())
	return d.nameless(text)
}

// nameless is a text with each update's id replaced by its place in the journal.
func (d *Device) nameless(text string) string {
	var ids []string
	for _, r := range d.J.All() {
		if r.Accept != nil {
			ids = append(ids, r.Update)
		}
	}
	for i := len(ids) - 1; i >= 0; i-- { // a later id may begin with an earlier one
		text = strings.ReplaceAll(text, ids[i], fmt.Sprintf("u%d", i))
	}
	return text
}

// undatedFleet takes numbers and times out of what a fold keeps of a fleet.
func undatedFleet(s *journal.Fold) {
	s.Outbox, s.Offers = slices.Clone(s.Outbox), slices.Clone(s.Offers)
	for i := range s.Outbox {
		s.Outbox[i].ID, s.Outbox[i].Time = 0, time.Time{}
	}
	for i := range s.Offers {
		s.Offers[i].Time, s.Offers[i].Ended = time.Time{}, journal.Instant{}
	}
	if s.Probation != nil {
		p := *s.Probation
		p.Began, p.Seen = journal.Instant{}, journal.Instant{}
		s.Probation = &p
	}
	if s.Suspect != nil {
		p := *s.Suspect
		p.Since, p.Time = journal.Instant{}, time.Time{}
		s.Suspect = &p
	}
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
	n.Newest, n.Span = journal.Instant{}, journal.Span{}
	if n.Evicts != nil {
		q := *n.Evicts
		q.Time = time.Time{}
		n.Evicts = &q
	}
	n.Entries = maps.Clone(n.Entries)
	for s, m := range n.Entries {
		m.Mono = 0
		n.Entries[s] = m
	}
	return &n
}
