package healthcheck

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// glance looks once.
func (g *Gate) glance(ctx context.Context, t *steps.Task, p planned) Result {
	began := g.cfg.Clock.Monotonic()
	err := g.look(ctx, t, p)
	if err == nil && p.check.Kind == health.Active {
		err = g.fresh(ctx, t, p.svc)
	}
	return g.result(began, 1, err)
}

// await looks until the check is true, and for Active stays true, or its time
// is up.
func (g *Gate) await(ctx context.Context, t *steps.Task, p planned) Result {
	began := g.cfg.Clock.Monotonic()
	timeout, stable := cmp.Or(time.Duration(p.check.Timeout), health.DefaultTimeout), time.Duration(0)
	if p.check.Kind == health.Active {
		stable = cmp.Or(time.Duration(p.check.Stable), health.DefaultStable)
	}
	var trueSince time.Duration
	good := false
	for looks := 1; ; looks++ {
		err := g.look(ctx, t, p)
		if err == nil && p.check.Kind == health.Active {
			err = g.fresh(ctx, t, p.svc)
		}
		now := g.cfg.Clock.Monotonic()
		if err == nil && !good {
			good, trueSince = true, now
		} else if err != nil {
			good = false
		}
		switch {
		case good && now-trueSince >= stable:
			return g.result(began, looks, nil)
		case !good && now-began >= timeout:
			return g.result(began, looks, fmt.Errorf("not within %s: %w", timeout, err))
		case !good && g.hopeless(ctx, p, err):
			return g.result(began, looks, err)
		}
		if serr := clock.Sleep(ctx, g.cfg.Clock, g.cfg.Poll); serr != nil {
			return g.result(began, looks, serr)
		}
	}
}

// hopeless reports whether an Active check can end early: a unit that failed for good,
// or that restarted by itself since it was started, is not going to pass.
func (g *Gate) hopeless(ctx context.Context, p planned, err error) bool {
	if p.check.Kind != health.Active || err == nil {
		return false
	}
	now, serr := look.ServiceAt(ctx, g.cfg.Manager, p.svc)
	if serr != nil {
		return false
	}
	c := now.Condition()
	return now.Active == service.Broken || now.Restarts > 0 || c == look.Unknown || c == look.Unusable
}

// fresh demands a main process that was started after the flip and that the service
// manager has not restarted since.
func (g *Gate) fresh(ctx context.Context, t *steps.Task, svc service.Service) error {
	st, err := g.cfg.Manager.Status(ctx, svc)
	switch {
	case err != nil:
		return err
	case t.Since == (steps.Moment{}):
		return nil // a baseline: the process may have started at any time
	}
	waits, err := g.waits(t, svc, st)
	switch {
	case err != nil || waits:
		return err
	case st.Restarts > 0:
		return fmt.Errorf("%s restarted %d times by itself (result %s, exit status %d)", svc.Name, st.Restarts, st.Result, st.ExitStatus)
	case !running.StartedSince(st, t.Since, g.cfg.Clock.Boot()):
		return fmt.Errorf("the main process %d of %s was started before the switch", st.MainPID, svc.Name)
	}
	return nil
}

func (g *Gate) result(began time.Duration, looks int, err error) Result {
	r := Result{Passed: err == nil, Took: g.cfg.Clock.Monotonic() - began, Looks: looks}
	if err != nil {
		r.Text = err.Error()
	}
	return r
}
