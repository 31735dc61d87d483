package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// cleanTries is how often the clean-up is tried before the update is closed
// with what could not be removed in its record.
const cleanTries = 3

// clean is the worker of a terminal state. Nothing here can change how the
// update ended: that record is durable. Each part may be cut and done again.
//
// The marker goes first and durably: once the update is closed, a marker would
// mean that a gate is owed.
func (e *Engine) clean(ctx context.Context, u *journal.Update) result {
	var r result
	var errs []error
	if err := e.cfg.Versions.Unmark(); err != nil {
		errs = append(errs, fmt.Errorf("cannot remove the marker: %w", err))
	}
	if u.Kind == Install && u.State != Committed {
		errs = append(errs, e.undo(ctx, u))
	}
	if u.State == NeedsAttention {
		errs = append(errs, e.startAll(ctx, u))
	}
	var aerr error
	r.adopted, aerr = e.adopt(u)
	r.owed = aerr != nil
	errs = append(errs, aerr)
	removed, err := e.cfg.Keeper.Tidy(ctx, Needs{})
	r.removed = removed
	r.err = errors.Join(append(errs, err)...)
	return r
}

// startAll leaves a device that needs attention with what will run.
func (e *Engine) startAll(ctx context.Context, u *journal.Update) error {
	t, err := e.task(u, NeedsAttention, 1)
	if err != nil {
		return err
	}
	return e.cfg.Starter.StartAll(ctx, t)
}

// undo removes what the steps before Switch made, in reverse order.
func (e *Engine) undo(ctx context.Context, u *journal.Update) error {
	t, err := e.task(u, u.State, 1)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range []steps.Name{steps.Stage, steps.Extract, steps.Verify, steps.Download} {
		if err := e.cfg.Steps[name].Undo(ctx, t); err != nil {
			errs = append(errs, fmt.Errorf("cannot undo %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// cleaned is the evidence of a clean-up.
type cleaned struct {
	Removed  []string `json:"removed,omitempty"`
	Leftover string   `json:"leftover,omitempty"`
}

// closeUpdate ends the update's story, and lets in what waited for it.
func (e *Engine) closeUpdate(ctx context.Context, u *journal.Update, r result) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the updater is stopping: its next start cleans up
	}
	ev := cleaned{Removed: r.removed}
	if r.err != nil {
		if e.cleaning++; e.cleaning < cleanTries {
			e.cfg.Log.Warn("clean-up failed, trying again", "update", u.ID, "err", r.err)
			e.again(2 * time.Second)
			return nil
		}
		ev.Leftover = r.err.Error()
	}
	e.cleaning = 0
	rec := journal.Record{Update: u.ID, Phase: journal.Outcome, Closed: true, Took: r.took, Evidence: evidence(ev)}
	if u.State == Committed && (r.owed || e.cfg.Journal.State().OwedProgram != "") {
		rec.Program = &journal.Program{Version: u.To, Owed: r.owed}
	}
	if err := e.append(rec); err != nil {
		return err
	}
	if err := e.settle(u, r.adopted); err != nil {
		return err
	}
	return e.unpark(ctx)
}

// tidyIdle removes what a cut left behind when no update is open.
func (e *Engine) tidyIdle(ctx context.Context) error {
	var removed []string
	var err error
	e.besides(func() { removed, err = e.cfg.Keeper.Tidy(ctx, Needs{}) })
	if err != nil {
		e.cfg.Log.Warn("cannot tidy everything", "err", err)
	}
	if len(removed) > 0 {
		e.cfg.Log.Info("tidied", "removed", removed)
	}
	return nil
}
