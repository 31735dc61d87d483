package main

import (
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/supply"
	"github.com/tope/updater/steps/commit"
	"github.com/tope/updater/steps/download"
	"github.com/tope/updater/steps/extract"
	"github.com/tope/updater/steps/healthcheck"
	"github.com/tope/updater/steps/restart"
	"github.com/tope/updater/steps/stage"
	"github.com/tope/updater/steps/switchover"
	"github.com/tope/updater/steps/turnback"
	"github.com/tope/updater/steps/verify"
)

// outside, in the run directory, is where tope-updater.service puts the device's
// /tmp for a daemon that has a private /tmp.
const outside = "/outside"

// newEngine is the one place where the engine meets its steps. The manager must
// have been opened.
func (p *parts) newEngine(j engine.Journal) (*engine.Engine, error) {
	w := wiring{p}
	gate, err := w.gate()
	if err != nil {
		return nil, err
	}
	hold := service.NewHold(p.manager, p.log)
	restarts := restart.New(restart.Config{Manager: p.manager, Services: p.services(), Clock: p.clock, Versions: p.store, Hold: hold, Units: p.stepUnits()})
	all, err := w.steps(hold, gate, restarts)
	if err != nil {
		return nil, err
	}
	own, err := p.ownProgram()
	if err != nil {
		return nil, err
	}
	p.trust = p.watchTrust()
	return engine.New(engine.Config{
		Program: own,
		Journal: j, Versions: upkeep{p.store}, Data: data{p.store, p.snapshots}, Keeper: p.keeper(), Gate: gate, Starter: restarts, Steps: all, Clock: p.clock, Log: p.log,
		Budget: p.cfg.Recovery.Budget, TrustWindow: time.Duration(p.cfg.Legacy.TrustWindow),
		Patience: w.patience(), Trust: p.trust.line,
	})
}

// quietEngine makes an engine that can tell the status and recover By Oneshot.
// Neither needs a step, a service manager or a connection.
func (p *parts) quietEngine(j engine.Journal) (*engine.Engine, error) {
	return engine.New(engine.Config{
		Journal: j, Versions: upkeep{p.store}, Data: data{p.store, p.snapshots}, Clock: p.clock, Log: p.log,
		Budget: p.cfg.Recovery.Budget, TrustWindow: time.Duration(p.cfg.Legacy.TrustWindow), Trust: p.watchTrust().line,
	})
}

// wiring makes the steps out of the parts, for newEngine.
type wiring struct{ *parts }

func (w wiring) steps(hold *service.Hold, gate *healthcheck.Gate, restarts *restart.Step) (map[steps.Name]steps.Step, error) {
	b := w.bundles()
	formats, space := b.formats(), b.space()
	writable, err := w.writable()
	if err != nil {
		return nil, err
	}
	shared, err := w.root.Path(w.cfg.Paths.Shared)
	if err != nil {
		return nil, err
	}
	flip := switchover.New(switchover.Config{Manager: w.manager, Services: w.services(), Versions: w.store, Clock: w.clock, Snapshots: w.snapshots, Hold: hold, Units: w.stepUnits()})
	back := turnback.New(flip, restarts, gate)
	return map[steps.Name]steps.Step{
		steps.Download: download.New(download.Config{
			Clock: w.clock, Log: w.log, Version: thisBuild().Version, Partial: b.planner(), Outside: w.cfg.Paths.Run + outside,
		}),
		steps.Verify: verify.New(verify.Config{
			Clock: w.clock, Formats: formats, Limits: bundle.DefaultLimits(),
			TrustWindow: time.Duration(w.cfg.Legacy.TrustWindow), AllowCommands: w.cfg.Legacy.AllowPostCmds,
			Space: space,
		}),
		steps.Extract: extract.New(extract.Config{
			Versions: w.store, Formats: formats, Limits: bundle.DefaultLimits(), Preflight: disk.Preflight,
			Writable: writable, Shared: shared, Lack: supply.Lack,
		}),
		steps.Stage:       stage.New(w.store, w.stageUnits()),
		steps.Switch:      flip,
		steps.Restart:     restarts,
		steps.HealthCheck: gate,
		steps.Commit:      commit.New(gate),
		steps.Rollback:    back,
		steps.Factory:     back,
	}, nil
}

// writable are the directories of a version that are links into the shared
// directory, each with its host path there.
func (w wiring) writable() (map[string]string, error) {
	m := map[string]string{}
	for _, dir := range w.cfg.Paths.Writable {
		host, err := w.root.Path(w.cfg.Paths.Shared + "/" + dir)
		if err != nil {
			return nil, err
		}
		m[dir] = host
	}
	return m, nil
}

func (w wiring) gate() (*healthcheck.Gate, error) {
	var checks []health.Check
	for _, s := range w.cfg.Service {
		if !service.RunsServices(w.manager) {
			break // somebody else runs the services and judges them
		}
		for _, h := range s.Health {
			var err error
			if h.Command, err = w.hostCommand(h.Command); err != nil {
				return nil, err
			}
			checks = append(checks, h)
		}
	}
	cfg := healthcheck.Config{
		Manager: w.manager, Services: w.services(), Checks: checks, Clock: w.clock,
		Versions: w.store, HookOnly: !service.RunsServices(w.manager),
		Units: w.stepUnits(),
	}
	if w.root.Dir() != "/" {
		cfg.Resolve = w.root.Resolve
	}
	return healthcheck.New(cfg), nil
}

// hostCommand finds a device's program below --root.
func (w wiring) hostCommand(command []string) ([]string, error) {
	if len(command) == 0 || w.root.Dir() == "/" {
		return command, nil
	}
	host, err := w.root.Resolve(command[0])
	return append([]string{host}, command[1:]...), err
}

// patience is generous, because a step that misses its deadline fails the update.
// It is finite, so that a step that hangs fails the update too.
func (w wiring) patience() engine.Patience {
	var stop, wait time.Duration
	for _, s := range w.cfg.Service {
		stop += time.Duration(s.StopTimeout)
		for _, h := range s.Health {
			wait = max(wait, time.Duration(h.Timeout)+time.Duration(h.Stable))
		}
	}
	// A release's own checks may wait for an hour, and its hooks take a minute.
	wait = max(wait, health.MaxWait)
	const slack = 3 * time.Minute
	return engine.Patience{
		Stop: 2*stop + slack, Start: 2*stop + slack, Health: 2*wait + slack,
		Copy: 15 * time.Minute,
	}
}
