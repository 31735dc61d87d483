// Package healthcheck is the step HealthCheck, the health gate: the checks a
// version must pass before it is committed, or before a rollback to it is
// called done.
//
// On the way forward a version must pass all checks. A rollback only has to regain
// the baseline: the checks that passed on the version that ran before Switching
// (Gate.Baseline). Otherwise a device whose web server was broken before the update
// would be driven on to its factory version by the rollback.
//
// Of each service it is also asked whether it runs from the judged version (origin.go):
// a service that was started again is not for that reason another program. In addition
// to the configured checks there are those of the version that is judged,
// which its manifest names (release.go). The judged version is the running one for the
// baseline, and the task's target otherwise.
//
// The gate changes nothing on disk and may be run any number of times.
package healthcheck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
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
	// StartBound is how long a service may be starting, after a boot, before the time
	// of its checks runs; default service.StartBound.
	StartBound time.Duration
	// Versions has the checks and the hook that the judged version brings; nil when
	// versions bring none.
	Versions running.Installed
	// Units are the unit files that versions carry; nil where systemd runs no services.
	Units running.Units
	// Resolve finds a device's program below --root; nil when that is "/".
	Resolve func(device string) (string, error)
	// Site is what the preflight looks at beside the services; without it, it asks
	// about the services only.
	Site *Site
	// Origins tells from which version a service runs; nil when that is not asked.
	Origins *look.Origins
	// HookOnly is set where another program runs and judges the services: then of the
	// version's own checks only its health hook is run.
	HookOnly bool
}

// Evidence is what the journal keeps of the gate.
type Evidence struct {
	Results []Result `json:"results"`
	steps.Judged
}

var _ steps.Fact = Evidence{}

// Result is the result of one check.
type Result struct {
	Service string      `json:"service"`
	Kind    health.Kind `json:"kind"`
	Target  string      `json:"target"`
	Passed  bool        `json:"passed"`
	// Needed is false when a rollback does not have to pass it.
	Needed bool `json:"needed"`
	// FailedBefore is set for a check that the version before the switch did not pass
	// either.
	FailedBefore bool `json:"failed_before,omitempty"`
	// Stopped is set in a baseline for a service that did not run and had not failed
	// either: whether the version could run it was not tried.
	Stopped bool          `json:"stopped,omitempty"`
	Took    time.Duration `json:"took_ns"`
	Looks   int           `json:"looks"`
	// Ready is how long it took until the check was true for good.
	Ready time.Duration `json:"ready_ns,omitempty"`
	// Late says that the check ran out of time, which was Limit, and that nothing of
	// its service had failed.
	Late  bool          `json:"late,omitempty"`
	Limit time.Duration `json:"limit_ns,omitempty"`
	// Skipped says that the check was not waited for: the verdict was certain.
	Skipped bool `json:"skipped,omitempty"`
	// Text says why the check did not pass, in one line. Details are what the check
	// printed; the error of the gate has them for the journal.
	Text    string `json:"text,omitempty"`
	Details string `json:"-"`
	// state is how the service stands when that has decided the check, and saw what the
	// check itself met. Text has both.
	state, saw string
}

func (r Result) key() string { return r.Service + "\x00" + string(r.Kind) + "\x00" + r.Target }

func (r Result) name() string {
	switch {
	case r.Target == "":
		return fmt.Sprintf("%s: %s", r.Service, r.Kind)
	case r.Service == "":
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
	if cfg.StartBound <= 0 {
		cfg.StartBound = service.StartBound
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
	// What cannot change the verdict any more is not waited for.
	limited, decide := context.WithCancelCause(ctx)
	defer decide(nil)
	await := func(_ context.Context, t *steps.Task, p planned) Result { return g.await(limited, t, p) }
	ev, err := g.judge(ctx, t, await, func() { decide(errCertain) })
	if err == nil {
		ev.Figures = figures(ev.Results)
	}
	return steps.Outcome{Evidence: ev, Figures: ev.Figures}, err
}

// Once looks at every check once.
func (g *Gate) Once(ctx context.Context, t *steps.Task) (any, error) {
	ev, err := g.judge(ctx, t, g.glance, func() {})
	return ev, err
}

// planned is one check with its service.
type planned struct {
	check  health.Check
	svc    service.Service
	needed bool
	// own is set when the judged version has brought the check, and its limit.
	own bool
	// failedBefore: the running version did not pass it either.
	failedBefore bool
	// run is the command with its path on this host, dir its working directory; both
	// are empty for a configured check.
	run []string
	dir string
	// version is the judged version, and carried is set when it brings the service's
	// unit; both are for the origin only.
	version string
	carried bool
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
	list = append(list, g.absent(list, named, version)...)
	base, failed, err := baseline(t)
	if err != nil {
		return nil, err
	}
	var plan []planned
	for _, svc := range list {
		for _, c := range g.checksOf(svc) {
			plan = append(plan, planned{check: c, svc: svc})
		}
	}
	own, err := g.brought(list, version)
	if err != nil {
		return nil, err
	}
	plan = append(plan, own...)
	origins, err := g.origins(list, version)
	if err != nil {
		return nil, err
	}
	plan = append(plan, origins...)
	for i := range plan {
		c := plan[i].check
		key := Result{Service: c.Service, Kind: c.Kind, Target: c.Target()}.key()
		plan[i].needed = !t.Back || base == nil || base[key]
		plan[i].failedBefore = failed[key]
		if t.Back && c.Kind == Origin {
			// What does not follow the versions would not follow one further back either.
			plan[i].needed = false
		}
	}
	return plan, nil
}

// absent lists the services that the release names and the manager has no unit for: the
// gate asks about them, too. A unit that only the target brings is not missed before.
func (g *Gate) absent(list []service.Service, t *steps.Task, version string) (absent []service.Service) {
	if t.Back || !service.RunsServices(g.cfg.Manager) {
		return nil
	}
	for _, name := range running.Named(t) {
		svc := service.Service{Name: name}
		listed := slices.ContainsFunc(list, func(s service.Service) bool { return s.Is(name) })
		comes := version != t.Target.Current && g.brings(t.Target.Current, svc.UnitName())
		if !listed && !comes && name != versions.Updater {
			absent = append(absent, svc)
		}
	}
	return absent
}

// brings reports whether a version has a unit's file with it.
func (g *Gate) brings(version, unit string) bool {
	if g.cfg.Versions == nil || version == "" {
		return false
	}
	_, err := os.Lstat(filepath.Join(g.cfg.Versions.Path(version), unitfiles.Dir, unit))
	return !errors.Is(err, fs.ErrNotExist)
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
// stays uncommitted for as long as the gate takes. decided is called as soon as the
// verdict is certain: a check that had to pass has failed.
func (g *Gate) all(ctx context.Context, t *steps.Task, plan []planned, look looker, decided func()) []Result {
	results := make([]Result, len(plan))
	var wg sync.WaitGroup
	for i, p := range plan {
		wg.Go(func() {
			r := look(ctx, t, p)
			r.Service, r.Kind, r.Target = p.check.Service, p.check.Kind, p.check.Target()
			r.Needed, r.FailedBefore = p.needed, p.failedBefore
			results[i] = r
			if p.needed && !r.Passed && !p.failedBefore {
				// What failed before, too, does not tell who is to blame: the others do.
				decided()
			}
		})
	}
	wg.Wait()
	return results
}

// judge runs the checks and gives the verdict.
func (g *Gate) judge(ctx context.Context, t *steps.Task, look looker, certain func()) (Evidence, error) {
	plan, err := g.plan(ctx, t, t.Target.Current)
	if err != nil {
		return Evidence{}, err
	}
	ev := Evidence{Results: g.all(ctx, t, plan, look, certain)}
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
	return ev, g.unhealthy(ctx, t, plan, ev.Results)
}

// failures lists the checks that had to pass and did not.
func failures(results []Result) (failed []Result) {
	for _, r := range results {
		if r.Needed && !r.Passed && !r.Skipped {
			failed = append(failed, r)
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
