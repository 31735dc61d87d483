package servicetest

import (
	"context"
	"slices"
	"sync"

	"github.com/tope/updater/platform/service"
)

// Relate sets what Survey tells of units. s lists all of them: Survey leaves out
// the triggers and dependents that do not run, and the idle services that do.
// Triggers and dependents are units like others: Add them by their full names.
func (f *Fake) Relate(s service.Survey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.relations = s
}

// Survey implements service.Manager.
func (f *Fake) Survey(ctx context.Context, services []service.Service) (service.Survey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reachable(ctx, "manager"); err != nil {
		return service.Survey{}, err
	}
	known := func(name string) bool {
		return slices.ContainsFunc(services, func(s service.Service) bool { return s.Name == name })
	}
	var s service.Survey
	for _, l := range f.relations.Orderings {
		if known(l.Name) && known(l.After) {
			s.Orderings = append(s.Orderings, l)
		}
	}
	running := func(name string) bool { return f.units[name] != nil && f.units[name].Active == service.Running }
	for _, name := range f.relations.Triggers {
		if running(name) {
			s.Triggers = append(s.Triggers, name)
		}
	}
	for _, name := range f.relations.Dependents {
		if running(name) && !known(name) {
			s.Dependents = append(s.Dependents, name)
		}
	}
	for _, name := range f.relations.Idle {
		if known(name) && !running(name) && len(s.Triggers) > 0 {
			s.Idle = append(s.Idle, name)
		}
	}
	for _, svc := range services {
		if u := f.units[svc.Name]; u == nil || u.Stale {
			s.Stale = append(s.Stale, svc.Name)
		}
	}
	return s, nil
}

// Inhibit implements service.Manager.
func (f *Fake) Inhibit(ctx context.Context, _ string) (func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reachable(ctx, "manager"); err != nil {
		return func() {}, err
	}
	if f.noInhibit != nil {
		return func() {}, f.noInhibit
	}
	f.held++
	var once sync.Once
	return func() {
		once.Do(func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.held--
		})
	}, nil
}

// RefuseInhibit makes Inhibit fail, until it is given nil.
func (f *Fake) RefuseInhibit(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noInhibit = err
}

// Held counts the inhibitors that have not been released.
func (f *Fake) Held() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held
}
