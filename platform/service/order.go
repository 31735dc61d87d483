package service

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrCycle says that services wait for each other in a cycle, so none can be first.
var ErrCycle = errors.New("services wait for each other")

// Order returns the services so that each comes after those it names in After:
// the order to start them in; backwards, the order to stop them in. Where After
// leaves a choice the given order is kept, so that the same configuration
// always gives the same sequence. A name in After that is not among the
// services is passed over, as systemd does: it may be a service that this
// update leaves alone. Two services of one name are an error, and so is a
// cycle (ErrCycle, with the cycle spelt out).
func Order(services []Service) ([]Service, error) {
	index := make(map[string]int, len(services))
	for i, s := range services {
		if _, twice := index[s.Name]; twice {
			return nil, fmt.Errorf("service %s is configured twice", s.Name)
		}
		index[s.Name] = i
	}
	o := orderer{services: services, index: index, seen: make([]bool, len(services))}
	for i := range services {
		if err := o.visit(i); err != nil {
			return nil, err
		}
	}
	return o.done, nil
}

// orderer is a depth-first walk: a service is done once all it waits for are.
type orderer struct {
	services []Service
	index    map[string]int
	seen     []bool
	path     []string
	done     []Service
}

func (o *orderer) visit(i int) error {
	s := o.services[i]
	if at := slices.Index(o.path, s.Name); at >= 0 {
		cycle := append(slices.Clone(o.path[at:]), s.Name)
		return fmt.Errorf("%w: %s; remove one of these from after", ErrCycle, strings.Join(cycle, " after "))
	}
	if o.seen[i] {
		return nil
	}
	o.seen[i] = true
	o.path = append(o.path, s.Name)
	for _, name := range s.After {
		if j, ours := o.index[name]; ours {
			if err := o.visit(j); err != nil {
				return err
			}
		}
	}
	o.path = o.path[:len(o.path)-1]
	o.done = append(o.done, s)
	return nil
}
