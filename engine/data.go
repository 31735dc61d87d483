package engine

import (
	"fmt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// unprepared tells whether the open update is in Switching and its step has not
// done yet what must come before the flip. When that cannot be told, the flip is
// left to the step, which can: the old version runs meanwhile.
func (e *Engine) unprepared() bool {
	u := e.open()
	if e.cfg.Data == nil || u == nil || u.State != Switching {
		return false
	}
	owes, err := e.cfg.Data.Owes(u.From, u.To)
	if err != nil {
		e.cfg.Log.Warn("cannot tell what comes before the switch", "update", u.ID, "err", err)
		return true
	}
	if !owes {
		return false
	}
	var note steps.Prepared
	if _, err := (notes{e.cfg.Journal, u.ID, string(steps.Switch)}).Load(&note); err != nil {
		e.cfg.Log.Warn("cannot read how far the switch is prepared", "update", u.ID, "err", err)
	}
	return !note.Prepared
}

// putBack puts back what the services had written before the update, at boot,
// before they start from the version that is gone back to. The intent is
// journaled before and the outcome after. If the power goes in between, each
// directory is the one or the other, whole, and the next recovery finds which.
//
// It is never an obstacle: what fails is journaled, the pointers move all the
// same, and the daemon's step tries again with the services stopped. Only the
// journal's own error is returned.
func (e *Engine) putBack(a Action, u *journal.Update) error {
	if e.cfg.Data == nil {
		return nil
	}
	pending, err := e.cfg.Data.Pending(u.ID)
	if err == nil && len(pending) == 0 {
		return nil
	}
	rec := journal.Record{Update: u.ID, Rule: a.Rule}
	var got any
	if err == nil {
		before := rec
		before.Phase, before.Why = journal.Observed, "what the services had written is to be put back"
		before.Evidence = evidence(map[string][]string{"pending": pending})
		if err := e.append(before); err != nil {
			return err
		}
		got, err = e.cfg.Data.Restore(u.ID)
	}
	rec.Phase, rec.Evidence = journal.Outcome, evidence(got)
	rec.Why = "what the services had written was put back"
	if err != nil {
		e.cfg.Log.Warn("cannot put back what the services had written", "update", u.ID, "err", err)
		rec.Why = fmt.Sprintf("what the services had written could not all be put back: %v", err)
	}
	return e.append(rec)
}
