// Package commit is the step Commit: it looks at the services once more, at the
// last moment at which the update can still turn back.
//
// The step has no effect of its own. The point of no return is the journal
// record the engine writes when the step has succeeded. Tidying up after an update
// comes after that record, in the engine's clean-up.
package commit

import (
	"context"

	"github.com/tope/updater/steps"
)

// Judge looks at every health check, and fails when a check that must pass does not.
// Once looks without waiting; Do waits as long as the gate does.
type Judge interface {
	Once(ctx context.Context, t *steps.Task) (evidence any, err error)
	Do(ctx context.Context, t *steps.Task) (steps.Outcome, error)
}

// Step is Commit.
type Step struct{ judge Judge }

// New makes the step.
func New(j Judge) *Step { return &Step{judge: j} }

// Probe never answers Done: the last look has to be taken now.
func (s *Step) Probe(context.Context, *steps.Task) (steps.Reach, error) {
	return steps.NotStarted, nil
}

// Do takes the last look. When it begins again after a cut, it waits like the gate:
// the boot has only just started the services, and a service that does not listen yet
// must not keep a healthy version from its commit.
func (s *Step) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	if t.Attempt > 1 {
		return s.judge.Do(ctx, t)
	}
	ev, err := s.judge.Once(ctx, t)
	return steps.Outcome{Evidence: ev}, err
}

// Undo does nothing: there is nothing to undo.
func (s *Step) Undo(context.Context, *steps.Task) error { return nil }
