package enginetest

import (
	"fmt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/journal/journaltest"
)

// Journal is journaltest's journal on a world's power: each write is an effect,
// and a cut may come before or after it.
type Journal struct {
	*journaltest.Journal
	power *Power
	clock *Clock
	// Writes counts transactions.
	Writes int
}

// NewJournal is an empty journal on w's power and clock.
func NewJournal(w *World) *Journal {
	return &Journal{Journal: journaltest.New(w.Clock), power: w.Power, clock: w.Clock}
}

// All returns all records.
func (j *Journal) All() []journal.Record {
	recs, err := j.Records("")
	if err != nil {
		panic(fmt.Sprintf("a journal in memory cannot be read: %v", err))
	}
	return recs
}

// Append implements engine.Journal.
func (j *Journal) Append(recs ...journal.Record) (*journal.Fold, error) {
	err := j.power.use(Effect{Records: recs}, func() error {
		_, err := j.Journal.Append(recs...)
		j.Writes++
		return err
	})
	return j.State(), err
}

// Note implements engine.Journal.
func (j *Journal) Note(update, step string, v []byte) error {
	return j.power.Use("note "+step, func() error { return j.Journal.Note(update, step, v) })
}

// Forget is a lost journal: a fresh one takes its place.
func (j *Journal) Forget() { j.Journal = journaltest.New(j.clock) }
