package engine

import (
	"fmt"
	"log/slog"

	"github.com/tope/updater/journal"
)

// dataReturn gives services back the data from before an update.
type dataReturn struct {
	data Data // may be nil
	book *book
	log  *slog.Logger
}

// putBack puts back what the services had written before the update, at boot,
// before they start from the version that the device goes back to. The intent is
// journaled before and the outcome after. If the power goes in between, each
// directory is the one or the other, whole, and the next recovery finds which.
//
// A failure does not stop recovery: it is journaled, the pointers move all the
// same, and the daemon's step tries again with the services stopped. Only the
// journal's own error is returned.
func (r dataReturn) putBack(a Action, u *journal.Update) error {
	if r.data == nil {
		return nil
	}
	pending, err := r.data.Pending(u.ID)
	if err == nil && len(pending) == 0 {
		// A process that was killed may have put it back in the cache only, and
		// current is about to lead to the version that needs it.
		if err := r.data.Sync(u.ID); err != nil {
			r.log.Warn("cannot keep what was put back", "update", u.ID, "err", err)
		}
		return nil
	}
	rec := journal.Record{Update: u.ID, Rule: a.Rule}
	var got any
	if err == nil {
		before := rec
		before.Phase, before.Why = journal.Observed, "what the services had written is to be put back"
		before.Evidence = evidence(map[string][]string{"pending": pending})
		if err := r.book.append(before); err != nil {
			return err
		}
		got, err = r.data.Restore(u.ID)
	}
	rec.Phase, rec.Evidence = journal.Outcome, evidence(got)
	rec.Why = "what the services had written was put back"
	if err != nil {
		r.log.Warn("cannot put back what the services had written", "update", u.ID, "err", err)
		rec.Why = fmt.Sprintf("what the services had written could not all be put back: %v", err)
	}
	return r.book.append(rec)
}
