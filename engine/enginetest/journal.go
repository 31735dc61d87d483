package enginetest

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/tope/updater/journal"
)

// Journal is a journal in memory, folded by journal.Apply, whose every write
// needs power. As with the real one, nothing more is taken after an error.
type Journal struct {
	power *Power
	clock *Clock

	mu      sync.Mutex
	state   *journal.State
	records []journal.Record
	notes   map[string][]byte
	// Writes counts transactions.
	Writes int
}

// NewJournal is an empty journal on w's power and clock.
func NewJournal(w *World) *Journal {
	return &Journal{power: w.Power, clock: w.Clock, state: &journal.State{}, notes: map[string][]byte{}}
}

// State implements engine.Journal.
func (j *Journal) State() *journal.State {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state
}

// Records returns all records.
func (j *Journal) Records() []journal.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]journal.Record(nil), j.records...)
}

// Append implements engine.Journal.
func (j *Journal) Append(recs ...journal.Record) (*journal.State, error) {
	name := "journal"
	for _, r := range recs {
		if r.To != "" {
			name += " " + r.From + "→" + r.To
		} else {
			name += " " + string(r.Phase) + ":" + r.Step + r.Rule
		}
	}
	err := j.power.Use(name, func() error {
		now, mono, boot := j.clock.Now(), j.clock.Monotonic(), j.clock.Boot()
		j.mu.Lock()
		defer j.mu.Unlock()
		s := j.state
		for _, r := range recs {
			r.Seq, r.Time, r.Mono, r.Boot = s.Seq+1, now, mono, boot
			r.Sum = fmt.Sprint(r.Seq)
			j.records = append(j.records, r)
			s = journal.Apply(s, r)
		}
		j.state = s
		j.Writes++
		return nil
	})
	return j.State(), err
}

// Note implements engine.Journal.
func (j *Journal) Note(update, step string, v []byte) error {
	return j.power.Use("note "+step, func() error {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.notes[update+"/"+step] = bytes.Clone(v)
		return nil
	})
}

// ReadNote implements engine.Journal.
func (j *Journal) ReadNote(update, step string) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.notes[update+"/"+step], nil
}

// Forget is a lost journal: a fresh one takes its place.
func (j *Journal) Forget() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state, j.records, j.notes = &journal.State{}, nil, map[string][]byte{}
}
