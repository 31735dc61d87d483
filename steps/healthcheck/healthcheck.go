// Package healthcheck is the step HealthCheck, the health gate: the checks a
// version must pass before it is committed, or before a rollback to it is
// called done.
//
// On the way forward a version must pass all checks. A rollback only has to regain
// the baseline: the checks that passed on the version that ran before Switching
// (Gate.Baseline). Otherwise a device whose web server was broken before the update
// would be driven on to its factory version by the rollback.
//
// In addition to the configured checks there are those of the version that is judged,
// which its manifest names (release.go). The judged version is the running one for the
// baseline, and the task's target otherwise.
//
// The gate changes nothing on disk and may be run any number of times.
package healthcheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// Config configures the gate.
type Config struct {
	Manager  service.Manager
	Services []service.Service
	Checks   []health.Check
	Clock    clock.Clock
	// Poll is the time between two looks at a check; default 200 ms.
	Poll time.Duration
	// Versions has the checks and the hook that the judged version brings; nil when
	// versions bring none.
	Versions running.Installed
	// Units are the unit files that versions carry; nil where systemd runs no services.
	Units running.Units
	// Resolve finds a device's program below --root; nil when that is "/".
	Resolve func(device string) (string, error)
	// HookOnly is set where another program runs and judges the services: then of the
	// version's own checks only its health hook is run.
	HookOnly bool
}

// Evidence is what the journal keeps of the gate.
type Evidence struct {
	Results []Result `json:"results"`
}

// Result is the result of one check.
type Result struct {
	Service string      `json:"service"`
	Kind    health.Kind `json:"kind"`
	Target  string      `json:"target"`
	Passed  bool        `json:"passed"`
	// Needed is false when a rollback does not have to pass it.
	Needed bool          `json:"needed"`
	Took   time.Duration `json:"took_ns"`
	Looks  int           `json:"looks"`
	// Text says why the check did not pass.
	Text string `json:"text,omitempty"`
}

func (r Result) key() string { return r.Service + "\x00" + string(r.Kind) + "\x00" + r.Target }

func (r Result) name() string {
	if r.Service == "" {
		return string(r.Kind) + " " + r.Target
	}
	return fmt.Sprintf("%s: %s %s", r.Service, r.Kind, r.Target)
}

// Gate is the step, and also the engine's baseline and the last look of Commit.
type Gate struct {
	cfg    Config
	client *http.Client
}

// New makes the gate. Services without any check get Active.
func New(cfg Config) *Gate {
	if cfg.Poll <= 0 {
		cfg.Poll = 200 * time.Millisecond
	}
	var http1 http.Protocols // HTTP/2 has no advantage for a single request
	http1.SetHTTP1(true)
	return &Gate{cfg: cfg, client: &http.Client{
		// A check is about this process on this port: no proxy, no connection kept
		// from the version before, no redirect to another server.
		Transport:     &http.Transport{Protocols: &http1, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Probe never answers Done: health has to be looked at now.
func (g *Gate) Probe(context.Context, *steps.Task) (steps.Reach, error) {
	return steps.NotStarted, nil
}

// Undo does nothing: there is nothing to undo.
func (g *Gate) Undo(context.Context, *steps.Task) error { return nil }

// Do waits for every check to come true, each within its own time limit.
func (g *Gate) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	ev, err := g.judge(ctx, t, g.await)
	return steps.Outcome{Evidence: ev}, err
}

// Once looks at every check once.
func (g *Gate) Once(ctx context.Context, t *steps.Task) (any, error) {
	ev, err := g.judge(ctx, t, g.glance)
	return ev, err
}

// Baseline tells how healthy the running version is. An unhealthy version is not an
// error. Baseline fails when a service could not be started again, whatever the version
// (preflight), and when the system is stopping, so that checks say nothing about the
// version.
func (g *Gate) Baseline(ctx context.Context, t *steps.Task) (json.RawMessage, error) {
	before := *t
	before.Since = steps.Moment{} // whatever runs now counts, whenever it was started
	plan, err := g.plan(ctx, &before, t.Before.Current)
	if err != nil {
		return nil, err
	}
	if err := g.preflight(ctx, t); err != nil {
		return nil, err
	}
	results := g.all(ctx, &before, plan, g.glance)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if failed := failures(results); len(failed) > 0 {
		if err := g.noVerdict(ctx); err != nil {
			return nil, err
		}
	}
	return json.Marshal(Evidence{Results: results})
}

// planned is one check with its service.
type planned struct {
	check  health.Check
	svc    service.Service
	needed bool
	// run is the command with its path on this host, dir its working directory; both
	// are empty for a configured check.
	run []string
	dir string
}

// plan lists the checks of a version in a task and which of them must pass.
func (g *Gate) plan(ctx context.Context, t *steps.Task, version string) ([]planned, error) {
	if t.Target.Current == "" {
		return nil, nil
	}
	named, err := running.ToStart(g.cfg.Units, t, version)
	if err != nil {
		return nil, err
	}
	list, err := running.Services(ctx, g.cfg.Manager, g.cfg.Services, named)
	if err != nil {
		return nil, err
	}
	var base map[string]bool
	if t.Back && len(t.Baseline) > 0 {
		var ev Evidence
		if err := json.Unmarshal(t.Baseline, &ev); err != nil {
			return nil, fmt.Errorf("cannot read the baseline in the journal: %w", err)
		}
		base = map[string]bool{}
		for _, r := range ev.Results {
			before, twice := base[r.key()] // named by the configuration and by the release
			base[r.key()] = r.Passed && (before || !twice)
		}
	}
	var plan []planned
	for _, svc := range list {
		for _, c := range g.checksOf(svc) {
			plan = append(plan, planned{check: c, svc: svc})
		}
	}
	own, err := g.brought(ctx, list, version)
	if err != nil {
		return nil, err
	}
	plan = append(plan, own...)
	for i := range plan {
		c := plan[i].check
		plan[i].needed = base == nil || base[Result{Service: c.Service, Kind: c.Kind, Target: c.Target()}.key()]
	}
	return plan, nil
}

func (g *Gate) checksOf(svc service.Service) []health.Check {
	var checks []health.Check
	for _, c := range g.cfg.Checks {
		if c.Service == svc.Name {
			checks = append(checks, c)
		}
	}
	if len(checks) == 0 {
		checks = []health.Check{{Service: svc.Name, Kind: health.Active}}
	}
	return checks
}

type looker func(context.Context, *steps.Task, planned) Result

// all runs the checks at the same time: they do not depend on each other, and a device
// stays uncommitted for as long as the gate takes.
func (g *Gate) all(ctx context.Context, t *steps.Task, plan []planned, look looker) []Result {
	results := make([]Result, len(plan))
	var wg sync.WaitGroup
	for i, p := range plan {
		wg.Go(func() {
			r := look(ctx, t, p)
			r.Service, r.Kind, r.Target, r.Needed = p.check.Service, p.check.Kind, p.check.Target(), p.needed
			results[i] = r
		})
	}
	wg.Wait()
	return results
}

// judge runs the checks and gives the verdict.
func (g *Gate) judge(ctx context.Context, t *steps.Task, look looker) (Evidence, error) {
	plan, err := g.plan(ctx, t, t.Target.Current)
	if err != nil {
		return Evidence{}, err
	}
	ev := Evidence{Results: g.all(ctx, t, plan, look)}
	failed := failures(ev.Results)
	if ctx.Err() != nil {
		return ev, &steps.Error{Class: steps.Interrupted, Code: steps.HealthFailed, Err: context.Cause(ctx)}
	}
	if len(failed) == 0 {
		return ev, nil
	}
	if err := g.noVerdict(ctx); err != nil {
		return ev, err
	}
	return ev, &steps.Error{Class: steps.Unhealthy, Code: steps.HealthFailed, Err: errors.New(strings.Join(failed, "; "))}
}

// failures lists the checks that had to pass and did not.
func failures(results []Result) (failed []string) {
	for _, r := range results {
		if r.Needed && !r.Passed {
			failed = append(failed, fmt.Sprintf("%s: %s", r.name(), r.Text))
		}
	}
	return failed
}

// noVerdict returns an error when a failed check says nothing about the version. While
// the system stops, services end. A service manager that cannot be asked tells neither
// whether the system stops nor how the services are.
func (g *Gate) noVerdict(ctx context.Context) error {
	switch down, err := g.cfg.Manager.Stopping(ctx); {
	case errors.Is(err, service.ErrUnavailable):
		return &steps.Error{Class: steps.Transient, Code: steps.HealthFailed, Err: fmt.Errorf("cannot judge the services: %w", err)}
	case err == nil && down:
		return &steps.Error{Class: steps.Interrupted, Code: steps.HealthFailed, Err: errors.New("the system is stopping")}
	}
	return nil
}
