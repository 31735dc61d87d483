package service

import (
	"cmp"
	"context"
	"slices"
)

// Survey is how services hang together, with each other and with further units,
// by the manager's own word. Further units are told by their full names; Unit
// makes a Service of one.
type Survey struct {
	// Links are orders between the surveyed services.
	Links []Link
	// Triggers are the units that run now and may start a service any moment:
	// sockets, timers and paths, of a service itself or of a unit that pulls it in.
	Triggers []string
	// Dependents run now, are none of the services, and are stopped by the
	// manager when a service or a trigger is; in the order to start them in.
	Dependents []string
	// Idle are the services, by name, that do not run and wait for a trigger.
	Idle []string
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

// Link says that a service is started after another, and stopped before it.
type Link struct {
	Name, After string
	// Weak is an order that is only implied: by a requirement (Requires=,
	// Wants=) that comes without one (After=).
	Weak bool
}

func (l Link) String() string { return l.Name + " after " + l.After }

// Unit is a unit that is no configured service, by its full name.
func Unit(name string) Service { return Service{Name: name, Unit: name} }

// Order is the package's Order, with what the survey links as well. The
// configuration's word counts most, then the units' order, then what is
// implied: a link that would close a circle with those before it is passed
// over, and returned, so that the same units always give the same sequence.
func (s Survey) Order(services []Service) (ordered []Service, over []Link, err error) {
	if _, err := Order(services); err != nil {
		return nil, nil, err
	}
	merged := slices.Clone(services)
	index := map[string]*Service{}
	for i := range merged {
		merged[i].After = slices.Clone(merged[i].After)
		index[merged[i].Name] = &merged[i]
	}
	links := slices.Clone(s.Links)
	slices.SortStableFunc(links, func(a, b Link) int {
		if a.Weak != b.Weak {
			if a.Weak {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.After, b.After))
	})
	for _, l := range links {
		first, later := index[l.After], index[l.Name]
		switch {
		case first == nil || later == nil || first == later || slices.Contains(later.After, l.After):
		case waits(index, l.After, l.Name, map[string]bool{}):
			over = append(over, l)
		default:
			later.After = append(later.After, l.After)
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
