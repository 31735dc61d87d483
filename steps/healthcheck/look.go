package healthcheck

import (
	"cmp"
	"context"
	"errors"
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
// is up, or the verdict is certain.
func (g *Gate) await(ctx context.Context, t *steps.Task, p planned) Result {
	began := g.cfg.Clock.Monotonic()
	timeout, stable := limit(t, p), time.Duration(0)
	if p.check.Kind == health.Active {
		stable = cmp.Or(time.Duration(p.check.Stable), health.DefaultStable)
	}
	var trueSince time.Duration
	counts := began // since when the check's time runs
	good := false
	for looks := 1; ; looks++ {
		err := g.look(ctx, t, p)
		if err == nil && p.check.Kind == health.Active {
			err = g.fresh(ctx, t, p.svc)
		}
		if ctx.Err() != nil {
			return g.unfinished(ctx, began, looks)
		}
		now := g.cfg.Clock.Monotonic()
		if err == nil && !good {
			good, trueSince = true, now
		} else if err != nil {
			good = false
		}
		if good && now-trueSince >= stable {
			r := g.result(began, looks, nil)
			r.Ready = trueSince - counts
			return r
		}
		if !good {
			switch r, says := g.failed(ctx, t, p, err, now-counts >= timeout); {
			case says == over:
				r.Took, r.Looks = now-began, looks
				r.Text, r.Details = steps.Shorten(steps.OneLine(r.Text), longestText), steps.DetailsOf(err)
				return r
			case says == starting && now-began < g.cfg.StartBound:
				counts = now // it is the manager's to say how long a start may take
			}
		}
		if clock.Sleep(ctx, g.cfg.Clock, g.cfg.Poll) != nil {
			return g.unfinished(ctx, began, looks)
		}
	}
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
	now := look.Service{Service: svc, Status: st}
	switch {
	case err != nil || waits:
		return err
	case st.Restarts > 0 || now.Condition() != look.Up: // it may have ended since the last look
		return errors.New(now.String())
	case !running.StartedSince(st, t.Since, g.cfg.Clock.Boot()):
		return fmt.Errorf("the main process %d of %s was started before the switch", st.MainPID, svc.Name)
	}
	return nil
}

func (g *Gate) result(began time.Duration, looks int, err error) Result {
	r := Result{Passed: err == nil, Took: g.cfg.Clock.Monotonic() - began, Looks: looks}
	if err != nil {
		r.Text, r.Details = steps.Shorten(steps.OneLine(err.Error()), longestText), steps.DetailsOf(err)
	}
	return r
}
