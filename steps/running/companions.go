package running

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
)

// Companions are the units beside the services that a switch has to do with. A
// switch notes them (steps.Task.Units) before it stops the first one: if it is cut,
// the next try finds half of them stopped, and could not tell any more.
type Companions struct {
	// Boot is the boot they ran in. In another one the init system has brought
	// up what belongs up.
	Boot string `json:"boot"`
	// Triggers are sockets, timers and paths that would start a service in mid-switch.
	Triggers []string `json:"triggers,omitempty"`
	// Dependents are units that the manager stops together with a service, in
	// the order they are started in.
	Dependents []string `json:"dependents,omitempty"`
	// Idle are services that did not run, but wait for a trigger. They are left
	// to it.
	Idle []string `json:"idle,omitempty"`
}

// Any reports whether there are any.
func (c Companions) Any() bool { return len(c.Triggers)+len(c.Dependents)+len(c.Idle) > 0 }

// Noted are the companions that a switch of this update has noted.
func Noted(t *steps.Task) (c Companions, err error) {
	if t.Units != nil {
		if _, err := t.Units.Load(&c); err != nil {
			return c, steps.FromOS(err, "read which units ran before the switch")
		}
	}
	return c, nil
}

// Ordered puts services into the order they are started in, by the
// configuration and by what the manager says of their units. It returns what of
// that had to be passed over because it closes a circle.
func Ordered(ctx context.Context, m service.Manager, list []service.Service) ([]service.Service, service.Survey, []string, error) {
	survey, err := m.Survey(ctx, list)
	if err != nil {
		return nil, survey, nil, ServiceError(ctx, m, steps.Local, "find out how the services hang together", err)
	}
	ordered, over, err := survey.Order(list)
	if err != nil {
		return nil, survey, nil, &steps.Error{Class: steps.Local, Code: steps.ServiceFailed, Err: err, Hint: "mend the after lists of the [[service]] tables"}
	}
	var said []string
	for _, l := range over {
		said = append(said, l.String())
	}
	return ordered, survey, said, nil
}

// Stop is how the services of a task were stopped.
type Stop struct {
	// At is when the first unit was told to stop.
	At steps.Moment
	// Stopped are the services, in that order.
	Stopped []string
	Companions
	// Circles are orders between units that were passed over, Blocked is what
	// could not be stopped and was not worth staying for.
	Circles []string
	Blocked string
}

// StopAll stops the services of a task: first what could start one of them
// again, then what the manager would stop with them, then they themselves, last
// started first. Instances are units beside them that are known already.
//
// If the power goes, the device comes up with all of them, from whichever
// version is current. If only the updater ends, the note says what to bring back.
func StopAll(ctx context.Context, m service.Manager, c clock.Clock, list []service.Service, t *steps.Task, instances ...service.Instance) (s Stop, err error) {
	s.At = steps.Moment{Boot: c.Boot(), Mono: c.Monotonic()}
	ordered, survey, circles, err := Ordered(ctx, m, list)
	if err != nil {
		if !lenient(ctx, t) {
			return s, err
		}
		ordered, s.Blocked = list, err.Error()
	}
	s.Circles = circles
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
	units := make([]service.Service, 0, len(ordered)+len(s.Triggers)+len(s.Dependents))
	for _, name := range s.Triggers {
		units = append(units, service.Unit(name))
	}
	for _, name := range passing {
		units = append(units, service.Unit(name))
	}
	for _, name := range slices.Backward(s.Dependents) {
		units = append(units, service.Unit(name))
	}
	beside := len(units)
	for _, svc := range slices.Backward(ordered) {
		units = append(units, svc)
	}
	for i, u := range units {
		err := m.Stop(ctx, u)
		if err != nil && lenient(ctx, t) {
			// The pointers are to be right, whatever runs; Restart comes next.
			s.Blocked = strings.TrimSpace(s.Blocked + " " + err.Error())
			continue
		}
		if err != nil {
			return s, ServiceError(ctx, m, steps.Local, "stop "+u.Name, err)
		}
		if i >= beside {
			s.Stopped = append(s.Stopped, u.Name)
		}
	}
	return s, nil
}

// lenient: a second try to go back is not stopped by what does not stop.
func lenient(ctx context.Context, t *steps.Task) bool {
	return t.Back && t.Attempt > 1 && ctx.Err() == nil
}

// note adds what a survey finds running to what is noted, and makes that durable.
func note(t *steps.Task, survey service.Survey, boot string) (Companions, error) {
	old, err := Noted(t)
	if err != nil {
		return old, err
	}
	c := Companions{Boot: boot, Idle: old.Idle}
	if old.Boot == boot {
		c.Triggers, c.Dependents = old.Triggers, old.Dependents
	}
	if old.Boot == "" && !t.Back {
		// Later nobody can tell a service that waits from one that was stopped.
		c.Idle = survey.Idle
	}
	c.Triggers, c.Dependents = union(c.Triggers, survey.Triggers), union(c.Dependents, survey.Dependents)
	if t.Units == nil || !c.Any() || same(c, old) {
		return c, nil
	}
	return c, steps.FromOS(t.Units.Save(c), "note which units run")
}

func same(a, b Companions) bool {
	return a.Boot == b.Boot && slices.Equal(a.Triggers, b.Triggers) && slices.Equal(a.Dependents, b.Dependents) && slices.Equal(a.Idle, b.Idle)
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// Begin starts the sockets that were stopped with the services, before those
// are: a service finds its sockets when it is started, or not at all. A socket
// cannot be started while its service runs, so services that something has
// started meanwhile are stopped for it.
func (c Companions) Begin(ctx context.Context, m service.Manager, list []service.Service) error {
	var errs []error
	for _, name := range c.Triggers {
		if !isSocket(name) {
			continue
		}
		err := m.Start(ctx, service.Unit(name))
		if errors.Is(err, service.ErrFailed) {
			for _, svc := range slices.Backward(list) {
				if serr := m.Stop(ctx, svc); serr != nil {
					return fmt.Errorf("cannot stop %s to start %s: %w", svc.Name, name, serr)
				}
			}
			err = m.Start(ctx, service.Unit(name))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Complete starts what else was stopped with the services, after them:
// dependents, timers and paths. One that does not start is no reason not to
// start the next.
func (c Companions) Complete(ctx context.Context, m service.Manager) error {
	var errs []error
	for _, name := range c.Dependents {
		errs = append(errs, m.Start(ctx, service.Unit(name)))
	}
	for _, name := range c.Triggers {
		if !isSocket(name) {
			errs = append(errs, m.Start(ctx, service.Unit(name)))
		}
	}
	return errors.Join(errs...)
}

// Up reports whether all that is to be brought back runs.
func (c Companions) Up(ctx context.Context, m service.Manager, boot string) (bool, error) {
	if c.Boot != boot {
		return true, nil
	}
	for _, name := range append(slices.Clone(c.Triggers), c.Dependents...) {
		st, err := m.Status(ctx, service.Unit(name))
		if err != nil {
			return false, ServiceError(ctx, m, steps.Local, "ask for the state of "+name, err)
		}
		if st.Active != service.Running {
			return false, nil
		}
	}
	return true, nil
}

// Waits reports whether a service is as it should be without running: it waits
// for its trigger.
func (c Companions) Waits(name string, st service.Status) bool {
	return slices.Contains(c.Idle, name) && st.Loaded && st.Active == service.Stopped && st.Result == "success"
}

func isSocket(unit string) bool { return strings.HasSuffix(unit, ".socket") }
