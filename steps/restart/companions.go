package restart

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// begin starts the sockets, which come before the services. On the way forward a
// socket that does not start is an error, because its service could not be reached. On
// the way back begin only notes the error, so that the other units are started.
func (s *Step) begin(ctx context.Context, t *steps.Task, list []service.Service, ev *Evidence) (running.Companions, error) {
	units, err := s.companions(t)
	if err != nil || units.Boot != s.cfg.Clock.Boot() {
		return units, err
	}
	ev.Companions = &units
	err = units.StartSockets(ctx, s.cfg.Manager, list)
	if err != nil && !t.Back {
		return units, running.ServiceError(ctx, s.cfg.Manager, steps.Unhealthy, "start the sockets of the services", err)
	}
	s.blocked(ev, err)
	return units, nil
}

// services lists the services to start with the target, including those that the
// target's own units add.
func (s *Step) services(ctx context.Context, t *steps.Task) ([]service.Service, error) {
	t, err := running.ToStart(s.cfg.Units, t, t.Target.Current)
	if err != nil {
		return nil, err
	}
	return running.Services(ctx, s.cfg.Manager, s.cfg.Services, t)
}

// companions returns the noted companions that belong to the target.
func (s *Step) companions(t *steps.Task) (running.Companions, error) {
	units, err := running.LoadCompanions(t)
	if err != nil {
		return units, err
	}
	return units.ForTarget(s.cfg.Units, t, s.cfg.Clock.Boot())
}

// waits reports whether a service is to be left to its trigger, because it did not run
// before the switch and does not run now. A trigger may have started it since the
// switch; then it does not wait any more.
func (s *Step) waits(ctx context.Context, t *steps.Task, units running.Companions, svc service.Service) (bool, error) {
	if !slices.Contains(units.Idle, svc.Name) {
		return false, nil
	}
	st, err := s.cfg.Manager.Status(ctx, svc)
	if err != nil {
		return false, running.ServiceError(ctx, s.cfg.Manager, steps.Local, "ask for the state of "+svc.Name, err)
	}
	return units.Waits(svc.Name, st), nil
}

// blocked notes, for people, an error that does not fail the step: the health gate
// judges services, and these units are not services.
func (s *Step) blocked(ev *Evidence, err error) {
	if err != nil {
		ev.Blocked = strings.TrimSpace(ev.Blocked + " " + strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}

// StartAll starts every service that does not run, and the units that were stopped
// with the services. It goes on when one of them fails, and leaves running ones alone.
// It is for a device for which no version is left to try.
func (s *Step) StartAll(ctx context.Context, t *steps.Task) error {
	defer s.cfg.Hold.Release()
	list, err := s.services(ctx, t)
	if err != nil {
		return err
	}
	var errs []error
	if ordered, _, _, err := running.Ordered(ctx, s.cfg.Manager, list); err == nil {
		list = ordered
	} else {
		errs = append(errs, err) // the configured order has to do
	}
	units, err := s.companions(t)
	here := err == nil && units.Boot == s.cfg.Clock.Boot()
	errs = append(errs, err)
	if here {
		errs = append(errs, units.StartSockets(ctx, s.cfg.Manager, list))
	}
	failed := make([]error, len(list))
	service.Together(list, false, func(i int, svc service.Service) error {
		if st, err := s.cfg.Manager.Status(ctx, svc); err == nil && units.Waits(svc.Name, st) {
			return nil
		}
		if err := running.Nudge(ctx, s.cfg.Manager, s.cfg.Clock, svc); err != nil {
			failed[i] = fmt.Errorf("cannot start %s: %w", svc.Name, err)
		}
		return nil // the others start all the same
	})
	errs = append(errs, failed...)
	if here {
		errs = append(errs, units.StartOthers(ctx, s.cfg.Manager, s.cfg.Clock, list))
	}
	return errors.Join(errs...)
}

// StartAgain is StartAll for an updater that ends in order while services are stopped.
// It starts nothing while the system goes down, or is brought to a rescue shell: they
// would only be stopped again, or keep others from being stopped.
func (s *Step) StartAgain(ctx context.Context, t *steps.Task) error {
	if down, err := s.cfg.Manager.Stopping(ctx); err == nil && down {
		return nil
	}
	if m, ok := s.cfg.Manager.(service.Maintained); ok {
		if rescue, err := m.Maintenance(ctx); err == nil && rescue {
			return nil
		}
	}
	return s.StartAll(ctx, t)
}
