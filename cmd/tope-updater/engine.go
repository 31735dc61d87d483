package main

import (
	"path/filepath"
	"time"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/embedded"
	"github.com/tope/updater/platform/service/systemd"
	"github.com/tope/updater/platform/snapshot"
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

// outside, in the run directory, is where tope-updater.service puts the
// device's /tmp for a daemon that has one of its own.
const outside = "/outside"

// newEngine is the one place where the engine meets its steps.
func (d *device) newEngine(j engine.Journal, m service.Manager) (*engine.Engine, error) {
	k, err := d.keeper()
	if err != nil {
		return nil, err
	}
	gate, err := d.gate(m)
	if err != nil {
		return nil, err
	}
	hold := service.NewHold(m, d.log)
	restarts := restart.New(restart.Config{Manager: m, Services: d.services(), Clock: d.clock, Versions: d.store, Hold: hold, Units: d.stepUnits()})
	all, err := d.steps(m, hold, gate, restarts, k)
	if err != nil {
		return nil, err
	}
	own, err := d.ownProgram()
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Config{
		Program: own,
		Journal: j, Versions: upkeep{d.store}, Data: data{d.store, k.snapshots}, Keeper: k, Gate: gate, Starter: restarts, Steps: all, Clock: d.clock, Log: d.log,
		Budget: d.cfg.Recovery.Budget, TrustWindow: time.Duration(d.cfg.Legacy.TrustWindow),
		Deadlines: d.deadlines(), Trust: d.trusts(),
	})
}

// quietEngine is an engine that can tell how things stand and recover By
// Oneshot, which needs no step, no service manager and no connection.
func (d *device) quietEngine(j engine.Journal) (*engine.Engine, error) {
	snapshots, err := d.snapshots()
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Config{
		Journal: j, Versions: upkeep{d.store}, Data: data{d.store, snapshots}, Clock: d.clock, Log: d.log,
		Budget: d.cfg.Recovery.Budget, TrustWindow: time.Duration(d.cfg.Legacy.TrustWindow), Trust: d.trusts(),
	})
}

func (d *device) keeper() (keeper, error) {
	work, err := d.root.Resolve(d.cfg.Paths.Work())
	if err != nil {
		return keeper{}, err
	}
	snapshots, err := d.snapshots()
	return keeper{store: d.store, snapshots: snapshots, work: work, keep: d.cfg.Retention.Versions}, err
}

// snapshots keeps what services wrote, in the shared directory.
func (d *device) snapshots() (*snapshot.Store, error) {
	shared, err := d.root.Resolve(d.cfg.Paths.Shared)
	if err != nil {
		return nil, err
	}
	return snapshot.New(shared), nil
}

func (d *device) steps(m service.Manager, hold *service.Hold, gate *healthcheck.Gate, restarts *restart.Step, k keeper) (map[steps.Name]steps.Step, error) {
	formats, space := d.formats(), d.space(k)
	writable, err := d.writable()
	if err != nil {
		return nil, err
	}
	shared, err := d.root.Path(d.cfg.Paths.Shared)
	if err != nil {
		return nil, err
	}
	flip := switchover.New(switchover.Config{Manager: m, Services: d.services(), Versions: d.store, Clock: d.clock, Snapshots: k.snapshots, Hold: hold, Units: d.stepUnits()})
	back := turnback.New(flip, restarts, gate)
	return map[steps.Name]steps.Step{
		steps.Download: download.New(download.Config{
			Clock: d.clock, Log: d.log, Version: thisBuild().Version, Partial: d.planner(space), Outside: d.cfg.Paths.Run + outside,
		}),
		steps.Verify: verify.New(verify.Config{
			Clock: d.clock, Formats: formats, Limits: bundle.DefaultLimits(),
			TrustWindow: time.Duration(d.cfg.Legacy.TrustWindow), AllowCommands: d.cfg.Legacy.AllowPostCmds,
			Space: space,
		}),
		steps.Extract: extract.New(extract.Config{
			Versions: d.store, Formats: formats, Limits: bundle.DefaultLimits(), Preflight: disk.Preflight,
			Writable: writable, Shared: shared, Lack: supply.Lack,
		}),
		steps.Stage:       stage.New(d.store, d.stageUnits()),
		steps.Switch:      flip,
		steps.Restart:     restarts,
		steps.HealthCheck: gate,
		steps.Commit:      commit.New(gate),
		steps.Rollback:    back,
		steps.Factory:     back,
	}, nil
}

// writable are the directories of a version that lead into the shared one.
func (d *device) writable() (map[string]string, error) {
	m := map[string]string{}
	for _, dir := range d.cfg.Paths.Writable {
		host, err := d.root.Path(d.cfg.Paths.Shared + "/" + dir)
		if err != nil {
			return nil, err
		}
		m[dir] = host
	}
	return m, nil
}

// services are the configured ones; none when nobody is to run them.
func (d *device) services() []service.Service {
	if d.cfg.Services.Manager == config.None {
		return nil
	}
	list := make([]service.Service, 0, len(d.cfg.Service))
	for _, s := range d.cfg.Service {
		list = append(list, s.Service())
	}
	return list
}

func (d *device) gate(m service.Manager) (*healthcheck.Gate, error) {
	var checks []health.Check
	for _, s := range d.cfg.Service {
		if d.cfg.Services.Manager == config.None {
			break // whoever runs the services judges them, too
		}
		for _, h := range s.Health {
			var err error
			if h.Command, err = d.hostCommand(h.Command); err != nil {
				return nil, err
			}
			checks = append(checks, h)
		}
	}
	cfg := healthcheck.Config{
		Manager: m, Services: d.services(), Checks: checks, Clock: d.clock,
		Versions: d.store, HookOnly: d.cfg.Services.Manager == config.None,
		Units: d.stepUnits(),
	}
	if d.root.Dir() != "/" {
		cfg.Resolve = d.root.Resolve
	}
	return healthcheck.New(cfg), nil
}

// hostCommand finds a device's program below --root.
func (d *device) hostCommand(command []string) ([]string, error) {
	if len(command) == 0 || d.root.Dir() == "/" {
		return command, nil
	}
	host, err := d.root.Resolve(command[0])
	return append([]string{host}, command[1:]...), err
}

// Deadlines of the steps that wait for others: generous, because missing one
// is a failed update, but finite, so that a step that hangs is one too.
func (d *device) deadlines() map[steps.Name]time.Duration {
	var stop, wait time.Duration
	for _, s := range d.cfg.Service {
		stop += time.Duration(s.StopTimeout)
		for _, h := range s.Health {
			wait = max(wait, time.Duration(h.Timeout)+time.Duration(h.Stable))
		}
	}
	// A release's own checks may wait for an hour, and its hooks take a minute.
	wait = max(wait, health.MaxWait)
	const slack = 3 * time.Minute
	sw, re, he := 2*stop+slack, 2*stop+slack, 2*wait+slack
	return map[steps.Name]time.Duration{
		// A snapshot may have to be copied.
		steps.Switch: sw + 15*time.Minute, steps.Restart: re, steps.HealthCheck: he, steps.Commit: he,
		steps.Rollback: sw + re + he, steps.Factory: sw + re + he,
	}
}

func (d *device) openManager() (service.Manager, error) {
	switch d.cfg.Services.Manager {
	case config.None:
		return nobody{}, nil
	case config.Embedded:
		run, err := d.root.Resolve(d.cfg.Paths.Run)
		if err != nil {
			return nil, err
		}
		return embedded.New(embedded.Config{
			RunDir: filepath.Join(run, "services"), Resolve: d.root.Resolve, Clock: d.clock, Log: d.log,
		})
	}
	return systemd.New(systemd.Config{Clock: d.clock, Log: d.log}), nil
}
