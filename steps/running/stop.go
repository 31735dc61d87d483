package running

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
)

// Stopped says how the services of a task were stopped.
type Stopped struct {
	// At is when the first unit was told to stop.
	At steps.Moment
	// Stopped are the services that were stopped, in the reverse of their start order.
	Stopped []string
	Companions
	// Cycles are the orderings between units that were ignored because they close a
	// cycle. Blocked has the failures to stop a unit that were not worth an error.
	Cycles  []string
	Blocked string
}

// StopAll stops the services of a task in three groups: first the units that could
// start a service again, then the units that the manager would stop with the services,
// then the services, in the reverse of their start order, and at the same time where that
// leaves it open. instances are further units to stop.
//
// The note of the companions is durable before the first unit stops. If the power
// goes, the device starts all of them at the next boot, from the version that is
// current. If only the updater ends, the note says which units to start again.
func StopAll(ctx context.Context, m service.Manager, c clock.Clock, list []service.Service, t *steps.Task, instances ...service.Instance) (s Stopped, err error) {
	s.At = steps.Moment{Boot: c.Boot(), Mono: c.Monotonic()}
	ordered, survey, cycles, err := Ordered(ctx, m, list)
	if err != nil {
		if !lenient(ctx, t) {
			return s, err
		}
		ordered, s.Blocked = list, err.Error()
	}
	s.Cycles = cycles
	var passing []string
	for _, one := range instances {
		if one.Passing {
			passing = append(passing, one.Name)
		} else {
			survey.Dependents = union(survey.Dependents, []string{one.Name})
		}
	}
	if s.Companions, err = note(t, survey, c.Boot()); err != nil {
		return s, err
	}
	s.At.Mono = c.Monotonic()
	beside := slices.Concat(s.Triggers, passing)
	for _, name := range slices.Backward(s.Dependents) {
		beside = append(beside, name)
	}
	var mu sync.Mutex
	var blocked []string
	stop := func(u service.Service) error {
		err := m.Stop(ctx, u)
		if err != nil && lenient(ctx, t) {
			// The pointers have to become right, whatever still runs; Restart comes next.
			mu.Lock()
			defer mu.Unlock()
			blocked = append(blocked, u.Name)
			s.Blocked = strings.TrimSpace(s.Blocked + " " + err.Error())
			return nil
		}
		if err != nil {
			return ServiceError(ctx, m, steps.Local, "stop "+u.Name, err)
		}
		return nil
	}
	for _, name := range beside {
		if err := stop(service.Unit(name)); err != nil {
			return s, err
		}
	}
	done, errs := service.Together(ordered, true, func(_ int, svc service.Service) error { return stop(svc) })
	for _, svc := range done {
		if !slices.Contains(blocked, svc.Name) {
			s.Stopped = append(s.Stopped, svc.Name)
		}
	}
	return s, Failures(errs)
}

// lenient reports whether StopAll goes on after an error: a second try to go back does
// so when a unit does not stop.
func lenient(ctx context.Context, t *steps.Task) bool {
	return t.Back && t.Attempt > 1 && ctx.Err() == nil
}

// note adds the units that a survey finds running to the note, durably.
func note(t *steps.Task, survey service.Survey, boot string) (Companions, error) {
	old, err := LoadCompanions(t)
	if err != nil {
		return old, err
	}
	c := Companions{Boot: boot, Idle: old.Idle}
	if old.Boot == boot {
		c.Triggers, c.Dependents = old.Triggers, old.Dependents
	}
	if old.Boot == "" && !t.Back {
		// Later a waiting service cannot be told from a stopped one.
		c.Idle = survey.Idle
	}
	c.Triggers, c.Dependents = union(c.Triggers, survey.Triggers), union(c.Dependents, survey.Dependents)
	if t.Units == nil || !c.Any() || same(c, old) {
		return c, nil
	}
	return c, steps.FromOS(t.Units.Save(c), "note which units run")
}
