package running

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
)

// Companions are the units that have to stop and start with the services. A switch
// notes them (steps.Task.Units) before it stops the first one: a try after a cut finds
// some of them stopped, and without the note could not tell which ones had run.
type Companions struct {
	// Boot is the boot in which the units ran. After another boot, the init system
	// has already started those that are meant to run.
	Boot string `json:"boot"`
	// Triggers are sockets, timers and paths that could start a service while the
	// pointers move.
	Triggers []string `json:"triggers,omitempty"`
	// Dependents are units that the manager stops together with a service, in
	// the order they are started in.
	Dependents []string `json:"dependents,omitempty"`
	// Idle are services that did not run because they wait for a trigger. No step
	// starts them.
	Idle []string `json:"idle,omitempty"`
}

// Any reports whether c has any units.
func (c Companions) Any() bool { return len(c.Triggers)+len(c.Dependents)+len(c.Idle) > 0 }

// LoadCompanions reads the companions that a switch of this update has noted. It
// returns zero Companions when no switch has.
func LoadCompanions(t *steps.Task) (c Companions, err error) {
	if t.Units != nil {
		if _, err := t.Units.Load(&c); err != nil {
			return c, steps.FromOS(err, "read which units ran before the switch")
		}
	}
	return c, nil
}

// StartSockets starts the sockets that were stopped with the services. It has to come
// before the services start: a service that starts before its sockets does not find
// them at all. A socket cannot be started while its service runs, so StartSockets
// stops a service that something else has started in the meantime.
func (c Companions) StartSockets(ctx context.Context, m service.Manager, list []service.Service) error {
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

// StartOthers starts the other units, after the services: dependents, timers and
// paths. It tries all of them, also when one does not start. systemd starts what waits for
// a service that has ended when it starts that again (RestartSec=). The gate is not to wait
// for that with its verdict.
func (c Companions) StartOthers(ctx context.Context, m service.Manager, at clock.Clock, services []service.Service) error {
	var errs []error
	start := func(name string) {
		heldUp := func(ctx context.Context) error {
			for _, svc := range services {
				if st, err := m.Status(ctx, svc); err == nil && strings.HasPrefix(st.Sub, "auto-restart") {
					return fmt.Errorf("start %s: not waited for, since %s has ended and systemd starts it again later", name, svc.Name)
				}
			}
			return nil
		}
		errs = append(errs, Unless(ctx, at, heldUp, func(ctx context.Context) error { return Nudge(ctx, m, at, service.Unit(name)) }))
	}
	for _, name := range c.Dependents {
		start(name)
	}
	for _, name := range c.Triggers {
		if !isSocket(name) {
			start(name)
		}
	}
	return errors.Join(errs...)
}

// nudge is how long Nudge waits.
const nudge = time.Minute

var errStillStarting = fmt.Errorf("it still starts after %s, and is not waited for any longer", nudge)

// Nudge starts a unit of which nobody needs to know how its start ends. It waits for
// that for a minute; the manager goes on with the start alone.
func Nudge(ctx context.Context, m service.Manager, at clock.Clock, s service.Service) error {
	limited, cancel := clock.WithTimeout(ctx, at, nudge, errStillStarting)
	defer cancel()
	return m.Start(limited, s)
}

// Up reports whether every companion that has to be started again runs.
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

// Waits reports whether a service rightly does not run: it waits for its trigger.
func (c Companions) Waits(name string, st service.Status) bool {
	return slices.Contains(c.Idle, name) && st.Loaded && st.Active == service.Stopped && st.Result == "success"
}

func isSocket(unit string) bool { return strings.HasSuffix(unit, ".socket") }

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
