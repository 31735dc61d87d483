package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/tope/updater/journal"
)

// Quarantine lists the releases that are not to be tried again unasked, newest
// first. It reads memory only.
func (e *Engine) Quarantine() []journal.Quarantined {
	list := slices.Clone(e.board.quarantine())
	slices.Reverse(list)
	return list
}

// Unquarantine lets releases leave the quarantine, and returns their entries. It
// is durable when that returns. which is a digest, a version, or empty for all;
// why goes into the journal. Errors: ErrNotFound when there is no such entry,
// ErrJournal.
func (e *Engine) Unquarantine(ctx context.Context, which, why string) (cleared []journal.Quarantined, err error) {
	err = e.call(ctx, func(loop context.Context, l *loop) error {
		var recs []journal.Record
		for _, q := range l.book.journal.State().Quarantine {
			if which == "" || which == q.Digest || which == q.Version {
				cleared = append(cleared, q)
				recs = append(recs, journal.Record{Phase: journal.Outcome, By: Asker(loop), Unquarantine: q.Digest, Why: why})
			}
		}
		if len(recs) == 0 && which == "" {
			return nil
		}
		if len(recs) == 0 {
			return fmt.Errorf("%w: release %s is not in quarantine; \"tope-updater quarantine list\" has those that are", ErrNotFound, which)
		}
		return l.book.append(recs...)
	})
	if err != nil {
		return nil, err
	}
	return cleared, nil
}
