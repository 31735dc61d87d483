package main

import (
	"path/filepath"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
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

// outside is where tope-updater.service puts the device's /tmp for a daemon that has a
// private /tmp, wherever the configuration has the run directory.
const outside = "/run/tope-updater/outside"

// newEngine is the one place where the engine meets its steps. The manager must
// have been opened. The engine writes to both the journal and the memory.
func (p *parts) newEngine(j engine.Journal, shown engine.Memory) (*engine.Engine, error) {
	p.knows(j)
	w := wiring{p}
	gate, err := w.gate()
	if err != nil {
		return nil, err
	}
	hold := service.NewHold(p.manager, p.log)
	restarts := restart.New(restart.Config{Manager: p.manager, Services: p.services(), Clock: p.clock, Versions: p.store, Hold: hold, Units: p.stepUnits(), Verdict: gate})
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
		Everywhere: p.everywhere(), Probation: time.Duration(p.cfg.Fleet.Probation), Reached: p.reached,
		Patience: w.patience(), Trust: p.trust.line, Memory: shown, OutOfMemory: p.outOfMemory,
	})
}

// quietEngine makes an engine that can tell the status and recover By Oneshot.
// Neither needs a step, a service manager or a connection.
func (p *parts) quietEngine(j engine.Journal) (*engine.Engine, error) {
	p.knows(j)
	return engine.New(engine.Config{
		Journal: j, Versions: upkeep{p.store}, Data: data{p.store, p.snapshots}, Clock: p.clock, Log: p.log,
		Budget: p.cfg.Recovery.Budget, TrustWindow: time.Duration(p.cfg.Legacy.TrustWindow), Trust: p.watchTrust().line,
		Everywhere: p.everywhere(), // recovery may end an update
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
	shared, err := w.root.Resolve(w.cfg.Paths.Shared)
	if err != nil {
		return nil, err
	}
	seen, err := w.root.Resolve(outside)
	if err != nil {
		return nil, err
	}
	flip := switchover.New(switchover.Config{Manager: w.manager, Services: w.services(), Versions: w.store, Clock: w.clock, Snapshots: w.snapshots, Hold: hold, Units: w.stepUnits()})
	back := turnback.New(flip, restarts, gate)
	return map[steps.Name]steps.Step{
		steps.Download: download.New(download.Config{
			Clock: w.clock, Log: w.log, Version: thisBuild().Version, Web: w.web, Partial: b.planner(), Outside: seen, Shelf: w.shelf,
			Reserve:   uint64(w.cfg.Download.Reserve), //nolint:gosec // not negative
			Authorize: w.authorize,
		}),
		steps.Verify: verify.New(verify.Config{
			Clock: w.clock, Formats: formats, Limits: bundle.DefaultLimits(),
			TrustWindow: time.Duration(w.cfg.Legacy.TrustWindow), Unsigned: b.unsignedBrings(), Units: w.stageUnits() != nil,
			Space: space,
		}),
		steps.Extract: extract.New(extract.Config{
			Versions: w.store, Formats: formats, Limits: bundle.DefaultLimits(), Preflight: disk.Preflight,
			Writable: writable, Shared: shared, Owner: w.ownerOf, Lack: supply.Lack,
		}),
		steps.Stage:       stage.New(w.store, w.stageUnits()),
		steps.Switch:      flip,
		steps.Restart:     restarts,
		steps.HealthCheck: gate,
		steps.Commit:      commit.New(gate),
		steps.Rollback:    back,
		steps.Factory:     back,
		// It only stops the services and moves the pointers. The clean-up starts them:
		// no version has passed, so no verdict is asked for.
		steps.Return: flip,
	}, nil
}

// writable are the directories of a version that are links into the shared
// directory, each with its host path there. What is below the shared directory is not
// looked at: services may change it.
func (w wiring) writable() (map[string]string, error) {
	shared, err := w.root.Resolve(w.cfg.Paths.Shared)
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for _, dir := range w.cfg.Paths.Writable {
		m[dir] = filepath.Join(shared, filepath.FromSlash(dir))
	}
	return m, nil
}

// ownerOf tells whose a writable directory of the version in a tree is to be: the user's whom
// the service runs as that it is for.
func (w wiring) ownerOf(tree, dir string) (uid, gid int, ok bool) {
	dirs := look.UnitDirs(w.manager)
	if len(dirs) == 0 {
		return 0, 0, false
	}
	var names []string
	for _, s := range w.services() {
		names = append(names, s.UnitName())
	}
	p := w.cfg.Paths
	users := look.DataUsers{
		Root: w.root, Units: look.UnitTexts(w.root, dirs, filepath.Join(tree, unitfiles.Dir), names...),
		Versions: p.Versions, Shared: p.Shared, Services: p.Services,
	}
	u, group, ok := users.Owner(dir)
	return int(u.UID), int(group), ok
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
		Units: w.stepUnits(), StartBound: time.Duration(w.cfg.Recovery.StartBound), Site: &healthcheck.Site{Root: w.root, Store: w.store, Snapshots: w.snapshots},
	}
	shared, err := w.root.Resolve(w.cfg.Paths.Shared)
	if err != nil {
		return nil, err
	}
	cfg.Site.Shared, cfg.Site.Commands = shared, w.bundles().unsignedBrings().Commands
	if u := w.unitFiles(); u != nil {
		cfg.Site.UnitFiles = u
	}
	if service.RunsServices(w.manager) {
		cfg.Origins = w.origins()
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
// It is finite, so that a step that hangs fails the update too. What a step waits for
// has limits of its own, which end it much earlier: systemd's for each start and the
// bound for what systemd does not limit, the time limit of each check.
func (w wiring) patience() engine.Patience {
	// A release and its units may add services to the configured ones.
	const further = 4
	var stop, wait time.Duration
	bound := time.Duration(w.cfg.Recovery.StartBound)
	start := time.Duration(len(w.cfg.Service)+further) * bound
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
		// After a boot the gate waits for starts, and on the way back for longer.
		Stop: 2*stop + slack, Start: start + 2*stop + slack, Health: bound + 4*wait + slack,
		Copy: 15 * time.Minute,
	}
}
