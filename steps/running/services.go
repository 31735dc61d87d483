package running

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Services lists the services of a task, in the order they start: the configured
// ones, and then those that the release names and the manager has a unit for.
func Services(ctx context.Context, m service.Manager, configured []service.Service, t *steps.Task) ([]service.Service, error) {
	all := append([]service.Service(nil), configured...)
	last := ""
	for _, name := range t.Release.Services {
		if name == versions.Updater {
			continue // the updater does not stop itself: the daemon hands over to the version's own updater
		}
		known := false
		for _, s := range configured {
			known = known || s.Name == name
		}
		if known {
			continue
		}
		extra := service.Service{Name: name}
		st, err := m.Status(ctx, extra)
		if err != nil {
			return nil, ServiceError(ctx, m, steps.Local, "ask for the state of "+name, err)
		}
		if !st.Loaded {
			continue
		}
		if last != "" {
			extra.After = []string{last}
		}
		all, last = append(all, extra), name
	}
	ordered, err := service.Order(all)
	if err != nil {
		return nil, &steps.Error{Class: steps.Local, Code: steps.ServiceFailed, Err: err, Hint: "correct the after lists of the [[service]] tables"}
	}
	return ordered, nil
}

// Ordered puts services into the order in which they start. The order comes from the
// configuration and from their units. Ordered also returns the manager's survey, and
// the orderings that it ignored because they close a cycle.
func Ordered(ctx context.Context, m service.Manager, list []service.Service) ([]service.Service, service.Survey, []string, error) {
	survey, err := m.Survey(ctx, list)
	if err != nil {
		return nil, survey, nil, ServiceError(ctx, m, steps.Local, "ask in which order the services start", err)
	}
	ordered, over, err := survey.Order(list)
	if err != nil {
		return nil, survey, nil, &steps.Error{Class: steps.Local, Code: steps.ServiceFailed, Err: err, Hint: "correct the after lists of the [[service]] tables"}
	}
	var said []string
	for _, l := range over {
		said = append(said, l.String())
	}
	return ordered, survey, said, nil
}

// ServiceError turns a manager's error into a *steps.Error. The error's class is
// Interrupted while the system stops. It is Transient for a manager that cannot be
// reached and for a job that another job replaced. It is Local for a missing unit,
// and class for every other error.
func ServiceError(ctx context.Context, m service.Manager, class steps.Class, what string, err error) error {
	if ctx.Err() != nil {
		return &steps.Error{Class: steps.Interrupted, Code: steps.ServiceFailed, Err: fmt.Errorf("%s: %w", what, context.Cause(ctx))}
	}
	if down, serr := m.Stopping(ctx); serr == nil && down {
		return &steps.Error{Class: steps.Interrupted, Code: steps.ServiceFailed, Err: fmt.Errorf("%s: the system is stopping: %w", what, err)}
	}
	switch {
	case errors.Is(err, service.ErrUnavailable), errors.Is(err, service.ErrCanceled):
		class = steps.Transient
	case errors.Is(err, service.ErrNotFound):
		class = steps.Local // the release is not to blame for a unit that this device lacks
	}
	return &steps.Error{Class: class, Code: steps.ServiceFailed, Err: fmt.Errorf("%s: %w", what, err)}
}

// StartedSince reports whether a service's main process started at or after m. The
// process may have ended well since then (a oneshot). In another boot than m's, every
// process counts as started after m.
func StartedSince(s service.Status, m steps.Moment, boot string) bool {
	ran := s.MainPID != 0 || s.Active == service.Running && s.Sub == "exited"
	return ran && (m.Boot != boot || s.Started >= m.Mono-clockGrain)
}

// clockGrain is how inexact a process's start time may be. The start time of an
// adopted process comes in the kernel's clock ticks, a hundredth of a second each.
const clockGrain = 10 * time.Millisecond
