package engine

import (
	"fmt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// facts are what earlier steps of the update have found out. A step that goes on
// from there fails when they cannot be read, since it would act on less than was
// found. On the way out (going back, cleaning up) a step gets those that can be
// read: nothing may keep a device from the version that it came from.
func (e *Engine) facts(u *journal.Update, wayOut bool) (steps.Facts, error) {
	facts, err := steps.ReadFacts(u.Found)
	if err == nil {
		return facts, nil
	}
	err = fmt.Errorf("update %s: %w", u.ID, err)
	if !wayOut {
		return steps.Facts{}, err
	}
	e.cfg.Log.Warn("going on without all facts", "err", err)
	return facts, nil
}
