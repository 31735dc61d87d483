package service

import (
	"cmp"
	"context"
	"slices"
	"sort"
)

// Survey tells how services depend on each other and on further units, as the
// manager sees it. Further units have their full names here; Unit makes a
// Service of one.
type Survey struct {
	// Orderings are between the surveyed services.
	Orderings []Ordering
	// Triggers are the units that run now and may start a service any moment:
	// sockets, timers and paths, of a service itself or of a unit that pulls it in.
	Triggers []string
	// Dependents are further units that run now, and which the manager stops
	// when it stops a service or a trigger; in the order to start them in.
	Dependents []string
	// Idle are the services, by name, that wait for a trigger and do not run.
	Idle []string
	// Stale are the services, by name, of whose units the manager does not know the newest
	// files, or none at all: Reload may change that.
	Stale []string
}

// Instancer is a Manager that has templates, units from which others are made.
type Instancer interface {
	// Instances are the units made from a template (a@.service) that run now.
	Instances(ctx context.Context, template string) ([]Instance, error)
}

// Instance is a unit that is made from a template.
type Instance struct {
	// Name is its full name (a@1.service).
	Name string
	// Passing is set when a socket has made it for one connection: nobody else
	// can start it.
	Passing bool
}

// Ordering says that a service is started after another, and stopped before it.
type Ordering struct {
	Name, After string
	// Weak is set where a requirement (Requires=, Wants=) without After= only
	// implies the order.
	Weak bool
}

func (o Ordering) String() string { return o.Name + " after " + o.After }

// Unit makes a Service of any unit, by its full name.
func Unit(name string) Service { return Service{Name: name, Unit: name} }

// Order is the package's Order with the survey's orderings added. The
// configuration counts most, then the units' order, then what is only implied.
// An ordering that would close a cycle with those before it is passed over, and
// returned. The same units always give the same sequence.
func (s Survey) Order(services []Service) (ordered []Service, over []Ordering, err error) {
	if _, err := Order(services); err != nil {
		return nil, nil, err
	}
	merged := slices.Clone(services)
	index := map[string]*Service{}
	for i := range merged {
		merged[i].After = slices.Clone(merged[i].After)
		index[merged[i].Name] = &merged[i]
	}
	orderings := slices.Clone(s.Orderings)
	sort.SliceStable(orderings, func(i, j int) bool {
		a, b := orderings[i], orderings[j]
		if a.Weak != b.Weak {
			return b.Weak
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.After, b.After)) < 0
	})
	for _, o := range orderings {
		first, later := index[o.After], index[o.Name]
		switch {
		case first == nil || later == nil || first == later || slices.Contains(later.After, o.After):
		case waits(index, o.After, o.Name, map[string]bool{}):
			over = append(over, o)
		default:
			later.After = append(later.After, o.After)
		}
	}
	ordered, err = Order(merged)
	return ordered, over, err
}

// waits reports whether a service is started after another, however indirectly.
func waits(index map[string]*Service, name, other string, seen map[string]bool) bool {
	if name == other {
		return true
	}
	if seen[name] || index[name] == nil {
		return false
	}
	seen[name] = true
	return slices.ContainsFunc(index[name].After, func(next string) bool { return waits(index, next, other, seen) })
}
