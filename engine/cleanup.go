package engine

import (
	"context"
	"errors"
	"fmt"
)

// cleanUp is the job of a terminal state. It cannot change how the update
// ended: that record is durable. Each part may be cut short and done again.
//
// The marker goes first and durably: once the update is closed, a marker would
// mean that a gate is owed.
func (w *worker) cleanUp(ctx context.Context, j job) result {
	var r result
	var errs []error
	u := j.update
	if err := w.versions.Unmark(); err != nil {
		errs = append(errs, fmt.Errorf("cannot remove the marker: %w", err))
	}
	if j.state == NeedsAttention {
		errs = append(errs, w.startAll(ctx, j)) // before all that may take time
	}
	if u.Kind == Install && j.state != Committed {
		errs = append(errs, w.undo(ctx, j))
	}
	var aerr error
	r.adopted, aerr = w.programs.adoptFrom(u)
	r.owed = aerr != nil
	errs = append(errs, aerr)
	removed, err := w.keeper.Tidy(ctx, Needs{Next: j.next})
	r.removed = removed
	r.err = errors.Join(append(errs, err)...)
	return r
}

// startAll starts what will run on a device that needs attention, from the version that
// current leads to: the update's own, the one before, or a third one.
func (w *worker) startAll(ctx context.Context, j job) error {
	t, err := w.task(j.as(j.state))
	if err != nil {
		return err
	}
	if t.Target, err = w.versions.Pointers(); err != nil {
		return fmt.Errorf("cannot read the pointers: %w", err)
	}
	return w.starter.StartAll(ctx, t)
}

// undo removes all that the steps before Switch made, in reverse order. It goes
// on when one removal fails.
func (w *worker) undo(ctx context.Context, j job) error {
	t, err := w.task(j.as(j.state))
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range undoOrder() {
		t.Notes = notes{w.notes, j.update.ID, string(name)}
		if err := w.steps[name].Undo(ctx, t); err != nil {
			errs = append(errs, fmt.Errorf("cannot undo %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
