package switchover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// prepare does what the target asks for while the old version still runs. Once
// current leads to the target there is nothing left to prepare.
func (s *Step) prepare(ctx context.Context, t *steps.Task, ev *Evidence) error {
	if t.Back || t.Target.Current == "" || ev.Before.Current == t.Target.Current {
		return nil
	}
	hooks := steps.Hooks{Versions: s.cfg.Versions, Manager: s.cfg.Manager, Clock: s.cfg.Clock}
	var err error
	ev.Hook, err = hooks.Run(ctx, t, t.Target.Current, versions.PreSwitch)
	return err
}

// indispensable refuses to go on without a link that the target's release
// cannot do without.
func (s *Step) indispensable(t *steps.Task, err error) error {
	var blocked *versions.BlockedError
	if !errors.As(err, &blocked) {
		return nil
	}
	b, err := steps.BroughtBy(s.cfg.Versions, t.Target.Current)
	if err != nil {
		return err
	}
	var missing []string
	for _, entry := range b.Links {
		if path := s.cfg.Versions.LinkPath(entry); slices.Contains(blocked.Paths, path) {
			missing = append(missing, path)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	paths := strings.Join(missing, ", ")
	return &steps.Error{
		Class: steps.Local, Code: steps.DeploymentFailed,
		Err:  fmt.Errorf("version %s cannot do without the link %s: %w", t.Target.Current, paths, versions.ErrForeign),
		Hint: "move " + paths + " away and install again",
	}
}
