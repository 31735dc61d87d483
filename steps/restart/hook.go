package restart

import (
	"context"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// hooked is the step's note: after a boot, running services do not tell whether the
// version's hook and the package's commands have run.
type hooked struct {
	PostSwitch bool `json:"post_switch"`
	Commands   bool `json:"commands,omitempty"`
}

// owed is what has to run while no service of the new version does.
type owed struct {
	commands, hook bool
	ran            hooked
}

func (o owed) any() bool { return o.commands || o.hook }

// owes tells what has not run in this update. On the way back nothing is owed: a
// version's hook and commands ran when it was installed.
func (s *Step) owes(t *steps.Task) (o owed, err error) {
	if t.Back {
		return o, nil
	}
	b, err := running.BroughtBy(s.cfg.Versions, t.Target.Current)
	if err != nil {
		return o, err
	}
	o.hook = b.Hooks[versions.PostSwitch] != ""
	o.commands = t.Kind == steps.Install && t.Facts.Verify != nil && len(t.Facts.Verify.Commands) > 0
	if !o.any() {
		return o, nil
	}
	if _, err := t.Notes.Load(&o.ran); err != nil {
		return o, steps.FromOS(err, "read whether the version's hook and commands have run")
	}
	o.hook, o.commands = o.hook && !o.ran.PostSwitch, o.commands && !o.ran.Commands
	return o, nil
}

// runOwed runs the package's commands and the version's post-switch hook while no
// service runs. Somebody may have started the services without them already: the init
// system after a cut, or this process when it supervises them. runOwed stops them once
// more.
func (s *Step) runOwed(ctx context.Context, t *steps.Task, list []service.Service, ev *Evidence) error {
	o, err := s.owes(t)
	if err != nil || !o.any() {
		return err
	}
	if _, err := running.StopAll(ctx, s.cfg.Manager, s.cfg.Clock, list, t); err != nil {
		return err
	}
	// If the power goes before a note is on disk, what it is about has run and is run
	// again: hooks and commands must bear that.
	if o.commands {
		if err := s.runCommands(ctx, t, ev); err != nil {
			return err
		}
		o.ran.Commands = true
		if err := t.Notes.Save(o.ran); err != nil {
			return steps.FromOS(err, "note that the package's commands have run")
		}
	}
	if !o.hook {
		return nil
	}
	hooks := running.Hooks{Versions: s.cfg.Versions, Manager: s.cfg.Manager, Clock: s.cfg.Clock}
	if ev.Hook, err = hooks.Run(ctx, t, t.Target.Current, versions.PostSwitch); err != nil {
		return err
	}
	o.ran.PostSwitch = true
	return steps.FromOS(t.Notes.Save(o.ran), "note that the post-switch hook has run")
}
