package healthcheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// errCertain ends the checks that cannot change the verdict any more.
var errCertain = errors.New("not waited for")

// unfinished is the result of a check that was ended from outside.
func (g *Gate) unfinished(ctx context.Context, began time.Duration, looks int) Result {
	cause := context.Cause(ctx)
	r := g.result(began, looks, cause)
	r.Skipped = errors.Is(cause, errCertain)
	return r
}

// prospect is what may become of a check that is not true now.
type prospect int

const (
	// open: it may become true.
	open prospect = iota
	// starting: its manager is starting its service.
	starting
	// over: it is not true, and that is its result.
	over
)

// failed judges a check that is not true now because of err; late says that its time
// has run out. r is the result of one that is over.
func (g *Gate) failed(ctx context.Context, t *steps.Task, p planned, err error, late bool) (r Result, says prospect) {
	var now look.Service
	known := false
	if p.svc.Name != "" { // a hook is nobody's
		var serr error
		now, serr = look.ServiceAt(ctx, g.cfg.Manager, p.svc)
		known = serr == nil
	}
	switch {
	case certain(err):
		return Result{Text: err.Error()}, over
	case known && g.hopeless(t, p, now) && p.check.Kind == health.Active:
		return Result{Text: err.Error()}, over
	case known && g.hopeless(t, p, now):
		return Result{Text: now.String() + ": " + err.Error(), state: now.String(), saw: err.Error()}, over
	case late:
		limit := limit(t, p)
		return Result{
			Text: fmt.Sprintf("not within %s: %v", limit, err),
			Late: known && !p.own && p.check.Kind != Origin && g.onItsWay(ctx, t, now), Limit: limit,
		}, over
	case known && now.Active == service.Starting:
		return r, starting
	}
	return r, open
}

// hopeless reports whether a check that is not true now never will be, so that to wait
// for it would only keep the device dark.
//
// A service that has failed for good passes no check, unless a socket, timer or path
// may start it again. For Active it is enough that the main process has ended once:
// a restart by itself, pending or done, fails the check.
func (g *Gate) hopeless(t *steps.Task, p planned, now look.Service) bool {
	c := now.Condition()
	if p.check.Kind == health.Active {
		return now.Active == service.Broken || c == look.Unknown || c == look.Unusable || running.EndedOnce(now.Status) || g.ended(t, now.Status)
	}
	return (now.Active == service.Broken || c == look.Unusable) && !g.triggered(t)
}

// Doomed implements restart.Verdict: of services that have been started, it finds one whose
// Active check has to pass and never will.
func (g *Gate) Doomed(ctx context.Context, t *steps.Task, services []service.Service) (service.Service, error) {
	plan, _ := g.plan(ctx, t, t.Target.Current) // without one, nothing is certain
	for _, p := range plan {
		judged := p.check.Kind == health.Active && p.needed && !p.failedBefore
		if !judged || !slices.ContainsFunc(services, func(s service.Service) bool { return s.Name == p.svc.Name }) {
			continue
		}
		now, err := look.ServiceAt(ctx, g.cfg.Manager, p.svc)
		if err != nil {
			continue
		}
		if waits, err := g.waits(t, p.svc, now.Status); err == nil && !waits && g.hopeless(t, p, now) {
			return p.svc, errors.New(now.String())
		}
	}
	return service.Service{}, nil
}

// ended reports whether the service was started since the flip and has come to its end,
// and nothing will start it again. A service that the boot has not started yet has no
// start time.
func (g *Gate) ended(t *steps.Task, st service.Status) bool {
	started := st.Started != 0 && (t.Since.Boot != g.cfg.Clock.Boot() || st.Started >= t.Since.Mono)
	return st.Active == service.Stopped && started && !g.triggered(t)
}

// triggered reports whether a unit of this device may start a service at any time. When
// the note of them cannot be read, one may.
func (g *Gate) triggered(t *steps.Task) bool {
	units, err := running.LoadCompanions(t)
	return err != nil || len(units.Triggers) > 0 || len(units.Idle) > 0
}

// onItsWay reports whether a service is up or starting, was started since the flip, and
// has not ended since. When a check of it has run out of time, its limit may be at fault.
func (g *Gate) onItsWay(ctx context.Context, t *steps.Task, now look.Service) bool {
	switch {
	case running.EndedOnce(now.Status):
		return false
	case now.Active == service.Starting:
		return true
	}
	return now.Condition() == look.Up && g.fresh(ctx, t, now.Service) == nil
}

// blame is the class of a failed gate, which says who is to blame, and the checks of
// class Late. A release is to blame when it did worse than the version before it.
//
// When all that failed had failed before, too, the release has not shown anything: what
// the checks need may be missing on this device. Nor has it when a service does not follow
// the versions. The update is rolled back all the same: a release must pass all checks.
func blame(results []Result) (class steps.Class, late []steps.Figure) {
	for _, r := range results {
		switch {
		case !r.Needed || r.Passed || r.Skipped || r.FailedBefore || r.Kind == Origin:
		case !r.Late:
			return steps.Unhealthy, nil
		default:
			late = append(late, steps.Figure{Service: r.Service, What: r.what(), Took: r.Limit})
		}
	}
	if len(late) == 0 {
		return steps.Local, nil
	}
	return steps.Late, late
}

// advice tells whether a limit is to be raised, as far as that is known yet.
func advice(t *steps.Task, late []steps.Figure) string {
	for _, f := range late {
		if seen, ok := t.History.Of(f.Service, f.What); ok && seen.Version == t.Before.Current && !t.Back {
			return fmt.Sprintf("version %s needed %s", seen.Version, short(seen.Took))
		}
	}
	return "raise the timeout of the check if this device needs longer"
}
