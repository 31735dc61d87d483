package engine

import (
	"context"

	"github.com/tope/updater/journal"
)

// OweEnd puts the end of the newest update that is over into the outbox for those who are
// told everywhere, when the program that ended it had no outbox. For a recipient that has
// heard of it from that program, as told reports, the journal says so at once. Either way
// this happens once for an update. Errors: ErrJournal.
func (e *Engine) OweEnd(ctx context.Context, told func(recipient, update string) bool) error {
	if unowed(e.board.shown.Load().fold) == nil {
		return nil // a loop that does not take requests yet is not waited for
	}
	return e.call(ctx, func(_ context.Context, l *loop) error {
		u := unowed(l.book.journal.State())
		if u == nil {
			return nil
		}
		owes := journal.Record{Update: u.ID, Phase: journal.Observed, Why: "the program that ended the update kept no outbox"}
		var heard []journal.Record
		seq := l.book.journal.State().Seq + 1
		for _, n := range l.book.outbox.owed(change{update: u}, journal.Record{To: u.State}) {
			if !n.Newest {
				continue // a source: that program knew none
			}
			n.Time = u.Ended
			owes.Owed = append(owes.Owed, n)
			if told(n.To, u.ID) {
				heard = append(heard, journal.Record{Update: u.ID, Phase: journal.Outcome, Told: &journal.Told{Notice: seq, To: n.To}})
			}
		}
		if len(owes.Owed) == 0 {
			return nil
		}
		return l.book.append(append([]journal.Record{owes}, heard...)...)
	})
}

// unowed is the newest update that is over, when its end never was in the outbox.
func unowed(s *journal.Fold) *journal.Update {
	u := s.Open
	if u == nil || !u.Terminal {
		u = s.Last
	}
	if u == nil || !u.Terminal || u.EndOwed {
		return nil
	}
	return u
}
