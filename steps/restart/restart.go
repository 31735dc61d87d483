// Package restart is the step Restart: it starts the services from the version
// current leads to, in dependency order. The downtime ends here, and the step
// measures it.
// On the way forward the step first runs the commands of a
// legacy package (post_cmds), where the configuration allows them, and the
// version's post-switch hook.
//
// The step restarts services instead of starting them: if something else started a
// service between stop and flip, it runs the old program, and a start would do nothing.
// The step changes nothing on disk.
package restart

import (
	"context"
	"fmt"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// Config configures the step.
type Config struct {
	Manager  service.Manager
	Services []service.Service
	Clock    clock.Clock
	// Versions has the hooks that versions bring; nil when they bring none.
	Versions running.Installed
	// Hold is the hold on a shutdown that Switch has taken; may be nil.
	Hold *service.Hold
	// Units are the unit files that versions carry; nil where systemd runs no services.
	Units running.Units
}

// Evidence is what the journal keeps of a restart.
type Evidence struct {
	Started []Started `json:"started"`
	// Waiting are services that did not run before the switch and are left to their
	// sockets and timers again.
	Waiting []string `json:"waiting,omitempty"`
	// Companions are the units that were started again with the services. Blocked
	// says which of them could not be started.
	Companions *running.Companions `json:"companions,omitempty"`
	Blocked    string              `json:"blocked,omitempty"`
	// Commands are the package's own, in the order they ran.
	Commands []Ran `json:"commands,omitempty"`
	// Hook is the version's post-switch hook.
	Hook *running.HookRan `json:"hook,omitempty"`
	// Downtime is the time from the first stop to the last start, in which users
	// of the device were without it. It is zero when a boot lies between the two.
	Downtime time.Duration `json:"downtime_ns,omitempty"`
}

// Ran is one command.
type Ran struct {
	steps.Command
	Took   time.Duration `json:"took_ns"`
	Output string        `json:"output,omitempty"`
}

// commandTimeout bounds one command of a package.
const commandTimeout = time.Minute

// Started is one service.
type Started struct {
	Name   string         `json:"name"`
	Took   time.Duration  `json:"took_ns"`
	Status service.Status `json:"status"`
}

// Step is Restart.
type Step struct{ cfg Config }

// New makes the step.
func New(cfg Config) *Step { return &Step{cfg: cfg} }

// Probe answers Done when every service runs with a main process that was started
// since the flip. After a boot the init system has done this step's work, except for
// the version's hook.
func (s *Step) Probe(ctx context.Context, t *steps.Task) (steps.Reach, error) {
	if t.Target.Current == "" {
		return steps.Done, nil
	}
	list, err := s.services(ctx, t)
	if err != nil {
		return "", err
	}
	owed, err := s.hookOwed(t)
	if err != nil {
		return "", err
	}
	units, err := s.companions(t)
	if err != nil {
		return "", err
	}
	whole, err := units.Up(ctx, s.cfg.Manager, s.cfg.Clock.Boot())
	if err != nil {
		return "", err
	}
	up := 0
	for _, svc := range list {
		st, err := s.cfg.Manager.Status(ctx, svc)
		if err != nil {
			return "", running.ServiceError(ctx, s.cfg.Manager, steps.Local, "ask for the state of "+svc.Name, err)
		}
		if st.Active == service.Running && running.StartedSince(st, t.Since, s.cfg.Clock.Boot()) || units.Waits(svc.Name, st) {
			up++
		}
	}
	switch {
	case up == len(list) && whole && !owed:
		// Do is not called, so the hold on a shutdown ends here.
		s.cfg.Hold.Release()
		return steps.Done, nil
	case up == 0:
		return steps.NotStarted, nil
	}
	return steps.Partly, nil
}

// Do restarts the services one after the other, and then starts the units that were
// stopped with them. The first service that fails ends the step, because later ones
// depend on it. A shutdown is held back until Do returns.
//
// Nothing is changed on disk: if the power goes, the next boot starts everything.
func (s *Step) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	var ev Evidence
	defer s.cfg.Hold.Release()
	if t.Target.Current == "" {
		return steps.Outcome{Evidence: ev}, nil
	}
	s.cfg.Hold.Take(ctx, "services are being started from another version")
	list, err := s.read(ctx, t)
	if err != nil {
		return steps.Outcome{}, err
	}
	if err := s.runCommands(ctx, t, &ev); err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	if err := s.runHook(ctx, t, list, &ev); err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	if ordered, _, _, err := running.Ordered(ctx, s.cfg.Manager, list); err == nil {
		list = ordered
	} else if !t.Back {
		return steps.Outcome{Evidence: ev}, err
	} else {
		s.blocked(&ev, err) // the configured order has to do
	}
	units, err := s.begin(ctx, t, list, &ev)
	if err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	for _, svc := range list {
		if waits, err := s.waits(ctx, t, units, svc); err != nil {
			return steps.Outcome{Evidence: ev}, err
		} else if waits {
			ev.Waiting = append(ev.Waiting, svc.Name)
			continue
		}
		began := s.cfg.Clock.Monotonic()
		rerr := s.cfg.Manager.Restart(ctx, svc)
		st, serr := s.cfg.Manager.Status(ctx, svc)
		if serr == nil {
			ev.Started = append(ev.Started, Started{Name: svc.Name, Took: s.cfg.Clock.Monotonic() - began, Status: st})
		}
		if rerr != nil {
			return steps.Outcome{Evidence: ev}, running.ServiceError(ctx, s.cfg.Manager, steps.Unhealthy, "restart "+svc.Name, rerr)
		}
	}
	ev.Downtime = s.downtime(t)
	if units.Boot == s.cfg.Clock.Boot() {
		s.blocked(&ev, units.StartOthers(ctx, s.cfg.Manager))
	}
	return steps.Outcome{Evidence: ev}, nil
}

// runCommands runs the commands of a package. After a cut it begins again at the first
// one: a command must bear that. On the way back it runs none, because a version's
// commands ran when it was installed.
func (s *Step) runCommands(ctx context.Context, t *steps.Task, ev *Evidence) error {
	if t.Back || t.Kind != steps.Install || t.Facts.Verify == nil {
		return nil
	}
	for _, cmd := range t.Facts.Verify.Commands {
		began := s.cfg.Clock.Monotonic()
		limited, cancel := context.WithTimeout(ctx, commandTimeout)
		out, err := running.Run(limited, "/", "/bin/sh", "-c", cmd.Shell)
		cancel()
		ev.Commands = append(ev.Commands, Ran{Command: cmd, Took: s.cfg.Clock.Monotonic() - began, Output: out})
		if err != nil && ctx.Err() != nil {
			return &steps.Error{Class: steps.Interrupted, Code: steps.DeploymentFailed, Err: context.Cause(ctx)}
		}
		if err != nil {
			if down, serr := s.cfg.Manager.Stopping(ctx); serr == nil && down {
				return &steps.Error{Class: steps.Interrupted, Code: steps.DeploymentFailed, Err: fmt.Errorf("the system is stopping: %w", err)}
			}
			return &steps.Error{Class: steps.Unhealthy, Code: steps.DeploymentFailed, Err: fmt.Errorf("post_cmds of module %s: %w", cmd.Module, err)}
		}
	}
	return nil
}

// downtime is the time since Switch stopped the first service.
func (s *Step) downtime(t *steps.Task) time.Duration {
	switched := t.Facts.Switch
	if switched == nil || switched.StoppedAt.Boot != s.cfg.Clock.Boot() {
		return 0
	}
	return s.cfg.Clock.Monotonic() - switched.StoppedAt.Mono
}

// Undo does nothing: the services are restarted by Rollback.
func (s *Step) Undo(context.Context, *steps.Task) error { return nil }
