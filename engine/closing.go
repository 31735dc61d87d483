package engine

import (
	"context"

	"github.com/tope/updater/journal"
)

// maxTidyTries is how often the clean-up is tried. After that the update is
// closed, and its record names the things that could not be removed.
const maxTidyTries = 3

// tidied is the evidence of a clean-up.
type tidied struct {
	Removed  []string `json:"removed,omitempty"`
	Leftover string   `json:"leftover,omitempty"`
}

// closeUpdate ends the update's story, and runs the requests that waited for it.
func (l *loop) closeUpdate(ctx context.Context, u *journal.Update, r result) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the updater is stopping: its next start cleans up
	}
	ev := tidied{Removed: r.removed}
	if r.err != nil {
		if l.tidyTries++; l.tidyTries < maxTidyTries {
			l.log.Warn("clean-up failed, trying again", "update", u.ID, "err", r.err)
			l.putOff(lookAgain)
			return nil
		}
		ev.Leftover = r.err.Error()
	}
	l.tidyTries = 0
	l.hold("", nil)
	rec := journal.Record{Update: u.ID, Phase: journal.Outcome, Closed: true, Took: r.took, Evidence: evidence(ev)}
	if u.State == Committed && (r.owed || l.book.journal.State().OwedProgram != "") {
		rec.Program = &journal.Program{Version: u.To, Owed: r.owed}
	}
	if err := l.book.append(rec); err != nil {
		return err
	}
	if err := l.settle(u, r.adopted); err != nil {
		return err
	}
	return l.unpark(ctx)
}

// tidyIdle removes what a cut left behind when no update is open.
func (l *loop) tidyIdle(ctx context.Context) {
	var removed []string
	var err error
	l.aliveDuring(func() { removed, err = l.keeper.Tidy(ctx, Needs{}) })
	if err != nil {
		l.log.Warn("cannot tidy everything", "err", err)
	}
	if len(removed) > 0 {
		l.log.Info("tidied", "removed", removed)
	}
}
