package main

import (
	"errors"

	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal"
)

// readJournal is a journal that is only looked at.
type readJournal interface {
	httpapi.Journal
	State() *journal.Fold
	Close() error
}

// emptyJournal stands in where there is no journal yet.
type emptyJournal struct{}

func (emptyJournal) State() *journal.Fold                               { return &journal.Fold{} }
func (emptyJournal) Updates() ([]journal.Update, error)                 { return nil, nil }
func (emptyJournal) Page(string, uint64, int) ([]journal.Record, error) { return nil, nil }
func (emptyJournal) Verify() (journal.Report, error)                    { return journal.Report{}, journal.ErrMissing }
func (emptyJournal) Close() error                                       { return nil }

// frozen lets an engine look at a journal that it must not write.
type frozen struct{ readJournal }

var errFrozen = errors.New("the journal is open for reading only")

func (frozen) Append(...journal.Record) (*journal.Fold, error) { return nil, errFrozen }
func (frozen) Note(string, string, []byte) error               { return errFrozen }
func (frozen) ReadNote(string, string) ([]byte, error)         { return nil, errFrozen }

// scratch is a journal in memory, forgotten at the end. Recovery at boot works with
// it when the real one cannot be written, so that current resolves all the same.
type scratch struct{ state *journal.Fold }

func newScratch() *scratch { return &scratch{&journal.Fold{}} }

func (s *scratch) State() *journal.Fold { return s.state }

func (s *scratch) Append(recs ...journal.Record) (*journal.Fold, error) {
	for _, r := range recs {
		r.Seq = s.state.Seq + 1
		s.state = journal.Apply(s.state, r)
	}
	return s.state, nil
}

func (*scratch) Note(string, string, []byte) error       { return nil }
func (*scratch) ReadNote(string, string) ([]byte, error) { return nil, nil }
