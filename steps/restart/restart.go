// Package restart is the step Restart: it starts the services from the version
// current leads to, each as soon as those that it is started after run. The downtime ends
// here, and the step measures it. On the way forward the step first runs the commands of a legacy package
// (post_cmds), where the configuration allows them, and the version's post-switch hook,
// whoever runs the services.
//
// The step restarts services instead of starting them: if something else started a
// service between stop and flip, it runs the old program, and a start would do nothing.
// The step changes nothing on disk.
package restart

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/command"
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
	// Verdict knows what the gate will say; nil when nobody is asked.
	Verdict Verdict
	// Hold is the hold on a shutdown that Switch has taken; may be nil.
	Hold *service.Hold
	// Units are the unit files that versions carry; nil where systemd runs no services.
	Units running.Units
}

// Verdict knows what the gate will say.
type Verdict interface {
	// Doomed returns the first of some services, which have been started, that the gate
	// is certain to find failed, and how it stands; nil when all may be well.
	Doomed(ctx context.Context, t *steps.Task, services []service.Service) (service.Service, error)
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
	steps.Begun
	// Hook is the version's post-switch hook.
	Hook *running.HookRan `json:"hook,omitempty"`
	// Downtime is the time from the first stop to the last start, in which users
	// of the device were without it. It is zero when a boot lies between the two.
	Downtime time.Duration `json:"downtime_ns,omitempty"`
}

var _ steps.Fact = Evidence{}

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
// the version's hook and the package's commands. It looks no further than the first thing
// that is left to do: users wait, and Do begins with the first service anyway.
func (s *Step) Probe(ctx context.Context, t *steps.Task) (steps.Reach, error) {
	if t.Target.Current == "" {
		return steps.Done, nil
	}
	list, err := s.services(ctx, t)
	if err != nil {
		return "", err
	}
	owes, err := s.owes(t)
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
	if !whole || owes.any() {
		return steps.Partly, nil
	}
	for i, svc := range list {
		st, err := s.cfg.Manager.Status(ctx, svc)
		if err != nil {
			return "", running.ServiceError(ctx, s.cfg.Manager, steps.Local, "ask for the state of "+svc.Name, err)
		}
		up := st.Active == service.Running && running.StartedSince(st, t.Since, s.cfg.Clock.Boot()) || units.Waits(svc.Name, st)
		switch {
		case !up && i == 0:
			return steps.NotStarted, nil
		case !up:
			return steps.Partly, nil
		}
	}
	// Do is not called, so the hold on a shutdown ends here.
	s.cfg.Hold.Release()
	return steps.Done, nil
}

// Do restarts the services, at the same time where their order allows it, and then starts
// the units that were stopped with them. When a service fails, none begins any more, and
// the step fails once those under way have started or failed; its error tells of all that
// failed. A shutdown is held back until Do returns.
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
	if err := s.runOwed(ctx, t, list, &ev); err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	list, unordered, err := s.order(ctx, t, list)
	if err == nil && !t.Back {
		err = unordered
	}
	if err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	s.blocked(&ev, unordered) // the configured order has to do
	units, err := s.begin(ctx, t, list, &ev)
	if err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	if err := s.startAll(ctx, t, units, list, &ev); err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	if units.Boot == s.cfg.Clock.Boot() {
		s.blocked(&ev, units.StartOthers(ctx, s.cfg.Manager, s.cfg.Clock, list))
	}
	return steps.Outcome{Evidence: ev, Figures: ev.Figures}, nil
}

// startAll restarts the services. The evidence has them in their order, whichever was
// ready first.
func (s *Step) startAll(ctx context.Context, t *steps.Task, units running.Companions, list []service.Service, ev *Evidence) error {
	became := make([]attempt, len(list))
	_, errs := service.Together(list, false, func(i int, svc service.Service) error {
		became[i] = s.startOne(ctx, t, units, svc, earlier(list, svc))
		return became[i].failed
	})
	if len(errs) == 0 {
		ev.Downtime = s.downtime(t)
	}
	var failed []running.Failure
	for i, svc := range list {
		b := became[i]
		if b.failed != nil {
			failed = append(failed, running.Failure{Service: *cmp.Or(b.guilty, &svc), Err: b.failed})
		}
		if b.waits {
			ev.Waiting = append(ev.Waiting, svc.Name)
		} else if b.begun {
			// Asked now that the downtime is over: it takes the manager's time.
			if st, err := s.cfg.Manager.Status(ctx, svc); err == nil {
				ev.Started = append(ev.Started, Started{Name: svc.Name, Took: b.took, Status: st})
			}
		}
		if b.well {
			ev.Figures = append(ev.Figures, steps.Figure{Service: svc.Name, What: steps.Start, Took: b.took})
		}
		s.blocked(ev, b.blocked)
	}
	return running.Explain(ctx, s.cfg.Manager, s.cfg.Clock, t, failed)
}

// attempt is what became of the start of one service.
type attempt struct {
	waits, begun, well bool
	took               time.Duration
	// blocked is an error that the way back goes on after, failed one that ends it.
	blocked, failed error
	// guilty is the service that has failed, when it is another one.
	guilty *service.Service
}

// startOne restarts a service, unless it waits for its trigger. before are the services that
// it waits for.
func (s *Step) startOne(ctx context.Context, t *steps.Task, units running.Companions, svc service.Service, before []service.Service) (a attempt) {
	if a.waits, a.failed = s.waits(ctx, t, units, svc); a.waits || a.failed != nil {
		return a
	}
	began := s.cfg.Clock.Monotonic()
	rerr := s.restart(ctx, t, svc, before)
	var held *heldUp
	if errors.As(rerr, &held) {
		a.guilty = &held.by
	}
	a.begun, a.took = true, s.cfg.Clock.Monotonic()-began
	if rerr == nil {
		a.well = true
		return a
	}
	// A service that was not well before the update need not be well after it
	// has been taken back, and says nothing against a release.
	class := blame(t, rerr)
	if running.FailedBefore(t, cmp.Or(a.guilty, &svc).Name) {
		class = steps.Local
	}
	err := running.ServiceError(ctx, s.cfg.Manager, class, "restart "+svc.Name, rerr)
	if t.Back && steps.AsError(err).Class == steps.Local && class == steps.Local && ctx.Err() == nil {
		a.blocked = err
		return a
	}
	a.failed = err
	return a
}

// restart restarts a service. systemd has its start wait while one that it requires has
// failed and is to be started again, which may take long (RestartSec=). Once the gate is
// certain to find that one failed, nothing is waited for.
func (s *Step) restart(ctx context.Context, t *steps.Task, svc service.Service, before []service.Service) error {
	do := func(ctx context.Context) error { return s.cfg.Manager.Restart(ctx, svc) }
	if s.cfg.Verdict == nil || len(before) == 0 {
		return do(ctx)
	}
	return running.Unless(ctx, s.cfg.Clock, func(ctx context.Context) error {
		if by, why := s.cfg.Verdict.Doomed(ctx, t, before); why != nil {
			return &heldUp{by, why}
		}
		return nil
	}, do)
}

// heldUp says that a start waits for a service that has failed.
type heldUp struct {
	by  service.Service
	how error
}

func (h *heldUp) Error() string { return "it waits for a service that has failed: " + h.how.Error() }

// earlier are the services of a list for which one of them waits, directly or not.
func earlier(list []service.Service, svc service.Service) (before []service.Service) {
	seen := map[string]bool{svc.Name: true}
	for names := svc.After; len(names) > 0; {
		name := names[0]
		names = names[1:]
		if i := slices.IndexFunc(list, func(s service.Service) bool { return s.Name == name }); i >= 0 && !seen[name] {
			seen[name] = true
			before, names = append(before, list[i]), slices.Concat(names, list[i].After)
		}
	}
	return before
}

// blame is the class of a service that does not start. A start that only the updater's
// own bound has ended says nothing of the release: the version before had no such
// bound. On the way back there is a next version to try.
func blame(t *steps.Task, err error) steps.Class {
	if errors.Is(err, service.ErrEndless) && !t.Back {
		return steps.Local
	}
	return steps.Unhealthy
}

// runCommands runs the commands of a package. After a cut it begins again at the first
// one: a command must bear that.
func (s *Step) runCommands(ctx context.Context, t *steps.Task, ev *Evidence) error {
	for _, cmd := range t.Facts.Verify.Commands {
		began := s.cfg.Clock.Monotonic()
		limited, cancel := context.WithTimeout(ctx, commandTimeout)
		out, err := command.Run(limited, "/", "/bin/sh", "-c", cmd.Shell)
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
	return steps.FromOS(t.Notes.Save(hooked{Commands: true}), "note that the package's commands have run")
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
