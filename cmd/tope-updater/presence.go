package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// eyes look at the services for those who ask how the device is now. The manager must
// have been opened.
func (p *parts) eyes() httpapi.Eyes {
	if !service.RunsServices(p.manager) {
		return httpapi.Eyes{}
	}
	var names []string
	for _, s := range p.services() {
		names = append(names, s.Name)
	}
	w := &watcher{parts: p}
	return httpapi.Eyes{Names: names, Look: w.look}
}

// watcher looks at the services that run with the current version: those that the gate
// would judge.
type watcher struct {
	*parts
	mu sync.Mutex
	// named are the services that the manifest of the version of names, which does not
	// change and may be large.
	of    string
	named []string
}

func (w *watcher) look(ctx context.Context) []httpapi.Service {
	at, err := w.store.Pointers()
	if err != nil {
		at = versions.Pointers{}
	}
	list, err := w.list(ctx, at.Current)
	if err != nil {
		list = w.services() // each of them says what is wrong
	}
	all := make([]httpapi.Service, 0, len(list))
	for _, s := range list {
		all = append(all, w.one(ctx, s))
	}
	return all
}

// list are the configured services, and those that the version brings.
func (w *watcher) list(ctx context.Context, version string) ([]service.Service, error) {
	if version == "" {
		return w.services(), nil
	}
	task := &steps.Task{Target: versions.Pointers{Current: version}}
	task.Release.Services = w.names(version)
	task, err := running.ToStart(w.stepUnits(), task, version)
	if err != nil {
		return nil, err
	}
	return running.Services(ctx, w.manager, w.services(), task)
}

func (w *watcher) names(version string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of != version {
		m, err := w.store.Manifest(version)
		if err != nil {
			return nil // it was made by hand, or doctor tells what is wrong with it
		}
		w.of, w.named = version, m.Services
	}
	return slices.Clone(w.named)
}

// one looks at a service.
func (w *watcher) one(ctx context.Context, s service.Service) httpapi.Service {
	out := httpapi.Service{Name: s.Name, Versions: []string{}, Outside: s.OutsideVersions}
	now, err := look.ServiceAt(ctx, w.manager, s)
	if err != nil {
		out.Text = "cannot be looked at: " + strings.TrimPrefix(err.Error(), s.Name+": ")
		return out
	}
	switch now.Condition() {
	case look.Unknown, look.Unusable:
		out.Text = now.String()
		return out
	case look.Up:
		out.Running, out.Text = true, "runs"
	default:
		out.Text = fmt.Sprintf("is %s", now.Active)
		if now.Active != service.Starting && now.Result != "" && now.Result != "success" {
			out.Text += fmt.Sprintf(" (%s, exit status %d)", now.Result, now.ExitStatus)
		}
	}
	if s.OutsideVersions {
		out.Text += " outside the versions, as it should"
		return out
	}
	found, err := w.origins().Of(ctx, w.manager, s)
	if err != nil {
		out.Text += ", from where cannot be told: " + err.Error()
		return out
	}
	out.Versions = append(out.Versions, found.Versions()...)
	if len(found.Traces) > 0 {
		out.Text += " " + found.String()
	} else {
		out.Text += ", and would run " + found.String()
	}
	return out
}
