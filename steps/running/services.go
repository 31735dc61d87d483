package running

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Services lists the services of a task, in the order they start: the configured
// ones, and then those that the release names, or carries, and the manager has a unit for.
// A release names services in the order in which they are to start, one after the other.
// Carried ones are in the order that their units give them.
func Services(ctx context.Context, m service.Manager, configured []service.Service, t *steps.Task) ([]service.Service, error) {
	all := slices.Clone(configured)
	var before []string // the release's services so far, by their names here
	for i, name := range Named(t) {
		named := i < len(t.Release.Services)
		if k := slices.IndexFunc(configured, func(s service.Service) bool { return s.Is(name) }); k >= 0 {
			if named {
				before = append(before, configured[k].Name)
			}
			continue
		}
		if name == versions.Updater {
			continue // the updater does not stop itself: the daemon hands over to the version's own updater
		}
		extra := service.Service{Name: name}
		st, err := m.Status(ctx, extra)
		if err != nil {
			return nil, ServiceError(ctx, m, steps.Local, "ask for the state of "+name, err)
		}
		if !st.Loaded {
			continue
		}
		if named {
			extra.After = slices.Clone(before)
			before = append(before, name)
		}
		all = append(all, extra)
	}
	ordered, err := service.Order(all)
	if errors.Is(err, service.ErrCycle) {
		// What the configuration says counts more than the release's list.
		for i := len(configured); i < len(all); i++ {
			all[i].After = slices.DeleteFunc(all[i].After, func(n string) bool {
				return slices.ContainsFunc(configured, func(s service.Service) bool { return s.Name == n })
			})
		}
		ordered, err = service.Order(all)
	}
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
	if strings.HasPrefix(err.Error(), what+": ") { // the manager's own words
		return &steps.Error{Class: class, Code: steps.ServiceFailed, Err: err}
	}
	return &steps.Error{Class: class, Code: steps.ServiceFailed, Err: fmt.Errorf("%s: %w", what, err)}
}

// tellingMost is the order in which errors are told: one that says most, and the others as
// they are.
func tellingMost(errs []error) []int {
	first := 0
	for _, class := range []steps.Class{steps.Transient, steps.Interrupted} {
		if i := slices.IndexFunc(errs, func(err error) bool { return steps.AsError(err).Class == class }); i >= 0 {
			first = i
		}
	}
	var order []int
	for i := range errs {
		order = append(order, i)
	}
	return append([]int{first}, slices.Delete(order, first, first+1)...)
}

// Failures makes one error of those of several services: the first that says most, with
// the others in its details. That the system is stopping, or that the manager cannot be
// reached, says more than what it does to services.
func Failures(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	if len(errs) == 1 {
		return errs[0]
	}
	first := tellingMost(errs)[0]
	told := *steps.AsError(errs[first])
	told.Err = worded{steps.Line(steps.OneLine(told.Err.Error()), "", fmt.Sprintf(" (and %d more)", len(errs)-1), steps.LongestLine), told.Err}
	var lines []string
	if whole := steps.OneLine(steps.AsError(errs[first]).Err.Error()); !strings.HasPrefix(told.Err.Error(), whole) {
		lines = append(lines, whole)
	}
	if told.Details != "" {
		lines = append(lines, told.Details)
	}
	for i, err := range errs {
		if i != first {
			line, details := steps.AsError(err).Tell()
			lines = append(lines, line)
			if details != "" {
				lines = append(lines, details)
			}
		}
	}
	told.Details = strings.Join(lines, "\n")
	return &told
}

// StartedSince reports whether a service's main process started at or after m. The
// process may have ended well since then (a oneshot), and a service that runs may have
// none that its manager knows (Type=forking without PIDFile=): then its start counts.
// In another boot than m's, every process counts as started after m.
func StartedSince(s service.Status, m steps.Moment, boot string) bool {
	ran := s.MainPID != 0 || s.Active == service.Running
	return ran && (m.Boot != boot || s.Started >= m.Mono-clockGrain)
}

// clockGrain is how inexact a process's start time may be. The start time of an
// adopted process comes in the kernel's clock ticks, a hundredth of a second each.
const clockGrain = 10 * time.Millisecond
