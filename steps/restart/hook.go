package restart

import (
	"context"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// hooked is the step's note: after a boot, running services do not tell whether the
// version's hook has run.
type hooked struct {
	PostSwitch bool `json:"post_switch"`
}

// hookOwed reports whether the version has a post-switch hook that has not run in this
// update. On the way back no hook is owed: it ran when the version was installed.
func (s *Step) hookOwed(t *steps.Task) (bool, error) {
	if t.Back {
		return false, nil
	}
	b, err := running.BroughtBy(s.cfg.Versions, t.Target.Current)
	if err != nil || b.Hooks[versions.PostSwitch] == "" {
		return false, err
	}
	var note hooked
	if _, err := t.Notes.Load(&note); err != nil {
		return false, steps.FromOS(err, "read whether the post-switch hook has run")
	}
	return !note.PostSwitch, nil
}

// runHook runs the version's post-switch hook while no service runs. After a cut the
// init system may have started the services already, without the hook: runHook stops
// them once more.
func (s *Step) runHook(ctx context.Context, t *steps.Task, list []service.Service, ev *Evidence) error {
	owed, err := s.hookOwed(t)
	if err != nil || !owed {
		return err
	}
	if _, err := running.StopAll(ctx, s.cfg.Manager, s.cfg.Clock, list, t); err != nil {
		return err
	}
	hooks := running.Hooks{Versions: s.cfg.Versions, Manager: s.cfg.Manager, Clock: s.cfg.Clock}
	if ev.Hook, err = hooks.Run(ctx, t, t.Target.Current, versions.PostSwitch); err != nil {
		return err
	}
	// If the power goes before the note is on disk, the hook has run and is run
	// again: a hook must bear that.
	return steps.FromOS(t.Notes.Save(hooked{PostSwitch: true}), "note that the post-switch hook has run")
}
