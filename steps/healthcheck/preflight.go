package healthcheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/snapshot"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// Site is what the preflight looks at beside the services.
type Site struct {
	Root  disk.Root
	Store *versions.Store
	// UnitFiles is nil where systemd runs no services, Snapshots on a device that
	// takes none.
	UnitFiles UnitFiles
	Snapshots Snapshots
	// Shared is the host path of the directory that has them.
	Shared string
	// Commands: releases that nobody signed may bring commands that run as root.
	Commands bool
}

// UnitFiles tells what would become of the device's unit files: *unitfiles.Store.
type UnitFiles interface {
	Upcoming(version string) (map[string]unitfiles.Upcoming, error)
	Probe(version string) (left []unitfiles.Left, err error)
	Collisions(version string) ([]unitfiles.Left, error)
	Taken(name string) (at string, err error)
}

// Snapshots tells whether a snapshot could be taken: *snapshot.Store.
type Snapshots interface {
	Measure(ctx context.Context, paths []string) (snapshot.Size, error)
	Fits(size snapshot.Size) error
}

// Preflight asks, with nothing touched yet, what a switch to the task's target and its
// gate would find. It asks all questions, so that a person hears of everything at once.
// The error is that of the device, which cannot be asked now; what was found, however
// bad, is in the findings.
//
// A finding is fatal when it is certain that the gate would fail for it: the services
// would be stopped, started and stopped again for nothing, and the release would be
// blamed for what could have been looked up. It says nothing against the release.
//
// A check that fails on the running version is not fatal: the update may be what repairs
// it. It is told, and the gate does not blame a release for such a check (judge).
//
// On disk if the power goes meanwhile: at most a temporary name of a link or a unit
// file, which the next update removes (versions.Store.ProbeLinks, unitfiles.Store.Probe).
func (g *Gate) Preflight(ctx context.Context, t *steps.Task) (steps.Preflight, error) {
	p := &preflight{g: g, t: t, named: map[string]bool{}}
	ask := []func(context.Context) error{p.begin, p.services, p.shadows, p.order, p.starts, p.effects, p.checks, p.baseline, p.strangers, p.follows, p.pace}
	for _, question := range ask {
		if err := question(ctx); err != nil {
			return steps.Preflight{}, err
		}
		if ctx.Err() != nil {
			return steps.Preflight{}, context.Cause(ctx)
		}
	}
	return steps.Preflight{Baseline: p.verdict, Findings: steps.Bounded(p.found)}, nil
}

// preflight is one run of the questions, each of which uses the answers before it.
type preflight struct {
	g *Gate
	t *steps.Task
	// upcoming are the units whose files the switch would change.
	upcoming map[string]unitfiles.Upcoming
	// acts: a hook or a command of the release runs before the services start, and may
	// make what is missing outside the versions.
	acts bool
	// list are the services that the target starts, as far as the manager knows them;
	// named are those that the configuration does not have.
	list  []service.Service
	named map[string]bool
	// gone are services that the manager does not know, or will not know; told are those
	// of which it was said that they cannot be started.
	gone, told map[string]bool
	idle       []string
	// plan are the checks of the target.
	plan   []planned
	before *look.AsIf
	after  *look.AsIf

	verdict []byte
	found   []steps.Finding
}

func (p *preflight) fatal(code steps.Code, hint, format string, args ...any) {
	p.found = append(p.found, steps.Finding{Fatal: true, Code: code, Text: fmt.Sprintf(format, args...), Hint: hint})
}

func (p *preflight) warn(code steps.Code, hint, format string, args ...any) {
	p.found = append(p.found, steps.Finding{Code: code, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// begin looks at the versions and the unit files.
func (p *preflight) begin(context.Context) error {
	p.gone, p.told = map[string]bool{}, map[string]bool{}
	site := p.g.cfg.Site
	target := p.t.Target.Current
	brought, err := running.BroughtBy(p.g.cfg.Versions, target)
	if err != nil {
		return err
	}
	commands := p.t.Facts.Verify != nil && len(p.t.Facts.Verify.Commands) > 0
	p.acts = commands || brought.Hooks[versions.PreSwitch] != "" || brought.Hooks[versions.PostSwitch] != ""
	if service.Rests(p.g.cfg.Manager) && (p.acts || brought.Hooks[versions.HealthHook] != "") {
		p.fatal(steps.DeploymentFailed, "install it on the device itself, when that runs",
			"version %s has hooks or commands to run with the update, and this device does not run", target)
	}
	if site == nil {
		return nil
	}
	if site.UnitFiles != nil {
		if p.upcoming, err = site.UnitFiles.Upcoming(target); err != nil {
			return steps.FromOS(err, "tell the unit files of version "+target)
		}
	}
	if p.before, err = look.AsIfCurrent(site.Root, site.Store, p.t.Before.Current); err != nil {
		// The version that is left may be damaged: then nothing is compared with it.
		if p.before, err = look.AsIfCurrent(site.Root, site.Store, ""); err != nil {
			return steps.FromOS(err, "look at the versions")
		}
	}
	if p.after, err = look.AsIfCurrent(site.Root, site.Store, target); err != nil {
		return steps.FromOS(err, "look at version "+target)
	}
	return nil
}

// services asks whether the manager knows, or will know, each service that the target
// has to have, and can run it.
func (p *preflight) services(ctx context.Context) error {
	all, err := p.wanted()
	if err != nil {
		return err
	}
	for _, svc := range all {
		now, err := look.ServiceAt(ctx, p.g.cfg.Manager, svc)
		if err != nil {
			return running.ServiceError(ctx, p.g.cfg.Manager, steps.Local, "ask for the state of "+svc.Name, err)
		}
		unit := svc.UnitName()
		up, changes := p.file(unit)
		switch c := now.Condition(); {
		case c == look.Unusable && now.Unusable() == "masked":
			p.told[svc.Name] = true
			p.fatal(steps.ServiceFailed, "run systemctl unmask "+unit+", or take the service out of the configuration", "%v: %s is masked", service.ErrUnusable, unit)
		case c == look.Unusable && !changes:
			p.told[svc.Name] = true
			p.fatal(steps.ServiceFailed, "see systemctl status "+unit+", repair its file and run systemctl daemon-reload", "%v: %s is loaded as %s", service.ErrUnusable, unit, now.Unusable())
		case c == look.Unknown && !changes, changes && up.Text == nil && p.vendor(unit) == "":
			p.gone[svc.Name], p.told[svc.Name] = true, true
			p.unknown(svc)
			continue
		}
		p.list = append(p.list, svc)
	}
	return nil
}

// wanted are the configured services, those that the release names, and those whose
// units the target brings or the switch would enable.
func (p *preflight) wanted() ([]service.Service, error) {
	if !service.RunsServices(p.g.cfg.Manager) {
		return nil, nil
	}
	target := p.t.Target.Current
	t, err := running.ToStart(p.g.cfg.Units, p.t, target)
	if err != nil {
		return nil, err
	}
	names := slices.Clone(running.Named(t))
	for unit, up := range p.upcoming {
		if up.Starts {
			names = append(names, strings.TrimSuffix(unit, ".service"))
		}
	}
	brought, err := running.BroughtBy(p.g.cfg.Versions, target)
	if err != nil {
		return nil, err
	}
	for _, c := range brought.Health {
		if c.Kind == activeKind {
			names = append(names, c.Service)
		}
	}
	all := slices.Clone(p.g.cfg.Services)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		known := slices.ContainsFunc(all, func(s service.Service) bool { return s.Is(name) })
		if name == "" || name == versions.Updater || known {
			continue
		}
		p.named[name] = true
		all = append(all, service.Service{Name: name})
	}
	return all, nil
}

// unknown tells of a service that nobody could start.
func (p *preflight) unknown(svc service.Service) {
	const install = "install its unit and run systemctl daemon-reload (an embedded service needs its exec in a [[service]] table)"
	unit := svc.UnitName()
	switch _, leaves := p.file(unit); {
	case leaves:
		p.fatal(steps.ServiceFailed, "publish a release that has it, or install the unit by itself",
			"%v: %s came with another version, and version %s does not bring it", service.ErrNotFound, unit, p.t.Target.Current)
	case !p.named[svc.Name]:
		p.fatal(steps.ServiceFailed, install+", or take the service out of the configuration", "%v: %s", service.ErrNotFound, unit)
	case p.acts:
		p.warn(steps.ServiceFailed, "", "%v: %s, which the release names; its own commands may install it", service.ErrNotFound, unit)
	default:
		p.fatal(steps.ServiceFailed, install+", or publish a release that brings the unit or does not name the service",
			"%v: %s, which version %s names", service.ErrNotFound, unit, p.t.Target.Current)
	}
}

// order asks the manager how the services depend on each other, and refuses a unit whose
// stop would take the updater down with it.
func (p *preflight) order(ctx context.Context) error {
	known := slices.DeleteFunc(slices.Clone(p.list), func(s service.Service) bool {
		_, upcoming := p.file(s.UnitName())
		return p.named[s.Name] && upcoming // the manager does not know it yet
	})
	_, survey, _, err := running.Ordered(ctx, p.g.cfg.Manager, known)
	if e := (*steps.Error)(nil); errors.As(err, &e) && e.Class == steps.Local {
		p.fatal(e.Code, e.Hint, "%v", e.Err)
		return nil
	}
	p.idle = survey.Idle
	return err
}
