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

// Services are the services of a task, in the order they are started: the
// configured ones, and those the release names beyond them, as far as the
// manager has a unit of that name.
func Services(ctx context.Context, m service.Manager, configured []service.Service, t *steps.Task) ([]service.Service, error) {
	all := append([]service.Service(nil), configured...)
	last := ""
	for _, name := range t.Release.Services {
		if name == versions.Updater {
			continue // it is never stopped by itself: the daemon hands over to the version's own
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
		return nil, &steps.Error{Class: steps.Local, Code: steps.ServiceFailed, Err: err, Hint: "mend the after lists of the [[service]] tables"}
	}
	return ordered, nil
}

// ServiceError turns a manager's error into a step's: while the system goes
// down it is no verdict; a manager that cannot be reached, and a job that somebody
// else's replaced, are worth another attempt; the rest has the given class.
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
		class = steps.Local // the release is not to blame for what this device has not got
	}
	return &steps.Error{Class: class, Code: steps.ServiceFailed, Err: fmt.Errorf("%s: %w", what, err)}
}

// StartedSince reports whether a status shows a main process that was started
// at or after m, or one that has done its work since: in another boot any was.
func StartedSince(s service.Status, m steps.Moment, boot string) bool {
	ran := s.MainPID != 0 || s.Active == service.Running && s.Sub == "exited"
	return ran && (m.Boot != boot || s.Started >= m.Mono-clockGrain)
}

// clockGrain is how coarse a process's start time may be known: an adopted
// process is dated by the kernel's clock ticks, a hundredth of a second.
const clockGrain = 10 * time.Millisecond
