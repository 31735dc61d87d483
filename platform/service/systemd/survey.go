package systemd

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/tope/updater/platform/service"
)

// Survey implements service.Manager. It looks at the units that systemd stops
// with the services, and at those that would pull one in; a handful of questions.
func (m *Manager) Survey(ctx context.Context, services []service.Service) (service.Survey, error) {
	w := &walk{m: m, self: m.self(ctx), units: map[string]properties{}, ours: map[string]string{}}
	for _, s := range services {
		p, err := w.unit(ctx, s.UnitName())
		if err != nil {
			return service.Survey{}, m.explain("survey", s, err)
		}
		for _, alias := range append(p.list("Names"), s.UnitName()) {
			w.ours[alias] = s.Name
		}
	}
	found, err := w.survey(ctx, services)
	return found, m.explain("survey the units of the services", service.Service{}, err)
}

// Instances implements service.Instancer.
func (m *Manager) Instances(ctx context.Context, template string) (running []service.Instance, err error) {
	base, suffix, ok := strings.Cut(template, "@.")
	if !ok {
		return nil, fmt.Errorf("%s is not a template", template)
	}
	err = m.ask(ctx, func(ctx context.Context, c *sd.Conn) error {
		units, err := c.ListUnitsByPatternsContext(ctx, []string{"active", "reloading", "activating", "deactivating"}, []string{base + "@*." + suffix})
		for _, u := range units {
			running = append(running, service.Instance{Name: u.Name})
		}
		return err
	})
	sort.Slice(running, func(i, j int) bool { return running[i].Name < running[j].Name })
	for i, one := range running {
		p, perr := m.properties(ctx, service.Unit(one.Name))
		if perr != nil {
			return nil, m.explain("survey", service.Unit(one.Name), perr)
		}
		running[i].Passing = slices.ContainsFunc(p.list("TriggeredBy"), func(t string) bool { return kind(t, ".socket") })
	}
	return running, m.explain("list the instances of "+template, service.Service{}, err)
}

// The properties that list a unit's relations: the units that are stopped with it,
// those that pull it in, and those that it pulls in.
func stopsWith() []string {
	return []string{"RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "PropagatesStopTo"}
}
func pulledBy() []string { return []string{"RequiredBy", "BoundBy", "WantedBy", "UpheldBy"} }
func implies() []string  { return []string{"Requires", "Requisite", "BindsTo", "Wants"} }

// walk is one survey: the units it has reached, and what is known of them.
type walk struct {
	m     *Manager
	self  string // the updater's own unit
	units map[string]properties
	ours  map[string]string // unit → service
}

func (w *walk) unit(ctx context.Context, name string) (properties, error) {
	if p, known := w.units[name]; known {
		return p, nil
	}
	p, err := w.m.relations(ctx, name)
	if err == nil && passes(p) {
		// Only a job may be passing, or wait for its next run.
		p, err = w.m.properties(ctx, service.Unit(name))
	}
	if err == nil {
		w.units[name] = p
	}
	return p, err
}

// passes reports whether a unit's type has to be known: it is a service that starts or
// has failed.
func passes(p properties) bool {
	active := p.status().Active
	return kind(p.text("Id"), ".service") && (active == service.Starting || active == service.Broken)
}

func (w *walk) survey(ctx context.Context, services []service.Service) (service.Survey, error) {
	var out service.Survey
	var seeds []string
	for _, s := range services {
		seeds = append(seeds, s.UnitName())
	}
	// Units that are stopped with a trigger may have triggers of their own.
	var down, triggers []string
	for {
		var err error
		if down, err = w.reach(ctx, append(slices.Clone(seeds), triggers...), stopsWith()); err != nil {
			return out, err
		}
		more, err := w.triggers(ctx, append(slices.Clone(seeds), down...))
		if err != nil {
			return out, err
		}
		if len(more) == len(triggers) {
			break
		}
		triggers = more
	}
	var dependents []service.Service
	for _, name := range down {
		if name == w.self {
			return out, fmt.Errorf("%w: stopping the services would stop the updater itself: remove from %s what binds it to them (Requires=, BindsTo=, PartOf=)", service.ErrFailed, w.self)
		}
		if w.ours[name] == "" && !slices.Contains(triggers, name) && w.units[name].comesBack() {
			dependents = append(dependents, service.Unit(name))
		}
	}
	out.Triggers = triggers
	out.Orderings = w.orderings(services)
	ordered, _, err := service.Survey{Orderings: w.orderings(dependents)}.Order(dependents)
	if err != nil {
		return out, err
	}
	for _, d := range ordered {
		out.Dependents = append(out.Dependents, d.Name)
	}
	for _, s := range services {
		p := w.units[s.UnitName()]
		if st := p.status(); st.Stale || !st.Loaded {
			out.Stale = append(out.Stale, s.Name)
		}
		waits := slices.ContainsFunc(p.list("TriggeredBy"), func(t string) bool { return slices.Contains(triggers, t) })
		// A job whose last run has failed waits for the next one, too.
		failed := p.status().Active == service.Broken && p.text("Type") == "oneshot"
		if waits && (p.status().Active == service.Stopped || failed) {
			out.Idle = append(out.Idle, s.Name)
		}
	}
	return out, nil
}

// reach lists the units that can be reached from others by certain properties,
// without those others, in a stable order.
func (w *walk) reach(ctx context.Context, from, by []string) ([]string, error) {
	seen := slices.Clone(from)
	for i := 0; i < len(seen); i++ {
		p, err := w.unit(ctx, seen[i])
		if err != nil {
			return nil, err
		}
		for _, property := range by {
			for _, next := range p.list(property) {
				if !slices.Contains(seen, next) {
					seen = append(seen, next)
				}
			}
		}
	}
	found := seen[len(from):]
	slices.Sort(found)
	return found, nil
}

// triggers lists the active sockets, timers and paths of units, and of what
// pulls one of them in. Targets are not followed: nothing activates them in passing.
func (w *walk) triggers(ctx context.Context, units []string) ([]string, error) {
	seen := slices.Clone(units)
	var found []string
	for i := 0; i < len(seen); i++ {
		p, err := w.unit(ctx, seen[i])
		if err != nil {
			return nil, err
		}
		for _, t := range p.list("TriggeredBy") {
			q, err := w.unit(ctx, t)
			if err != nil {
				return nil, err
			}
			if q.status().Active == service.Running && kind(t, ".socket", ".timer", ".path") && !slices.Contains(found, t) {
				found = append(found, t)
			}
		}
		for _, property := range pulledBy() {
			for _, next := range p.list(property) {
				if next != w.self && kind(next, ".service") && !slices.Contains(seen, next) {
					seen = append(seen, next)
				}
			}
		}
	}
	slices.Sort(found)
	return found, nil
}

// orderings are those between the units of services.
func (w *walk) orderings(services []service.Service) []service.Ordering {
	name := map[string]string{}
	for _, s := range services {
		for _, alias := range append(w.units[s.UnitName()].list("Names"), s.UnitName()) {
			name[alias] = s.Name
		}
	}
	var found []service.Ordering
	for _, s := range services {
		p := w.units[s.UnitName()]
		add := func(units []string, weak bool) {
			for _, u := range units {
				o := service.Ordering{Name: s.Name, After: name[u], Weak: weak}
				known := slices.ContainsFunc(found, func(k service.Ordering) bool { return k.Name == o.Name && k.After == o.After })
				if o.After != "" && o.After != s.Name && !known {
					found = append(found, o)
				}
			}
		}
		add(p.list("After"), false)
		for _, property := range implies() {
			add(p.list(property), true)
		}
	}
	return found
}

// comesBack reports whether a unit runs now and has to be started again after the
// switch. A oneshot that is under way does not, nor does a unit that nobody can start.
func (p properties) comesBack() bool {
	switch p.status().Active {
	case service.Running, service.Reloading:
	case service.Starting:
		if p.text("Type") == "oneshot" {
			return false
		}
	default:
		return false
	}
	return kind(p.text("Id"), ".service", ".target", ".mount", ".socket", ".timer", ".path")
}

func kind(unit string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(unit, s) })
}

// self is the unit this process runs in; empty when there is none.
func (m *Manager) self(ctx context.Context) (unit string) {
	err := m.ask(ctx, func(ctx context.Context, c *sd.Conn) (err error) {
		unit, err = c.GetUnitNameByPID(ctx, uint32(os.Getpid()))
		return err
	})
	if err != nil {
		return ""
	}
	return unit
}
