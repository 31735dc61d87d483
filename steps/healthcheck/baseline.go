package healthcheck

import (
	"context"
	"encoding/json"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// Baseline tells how healthy the running version is. An unhealthy version is not an
// error. Baseline fails when the system is stopping, so that checks say nothing about
// the version.
func (g *Gate) Baseline(ctx context.Context, t *steps.Task) (json.RawMessage, error) {
	results, err := g.before(ctx, t)
	if err != nil {
		return nil, err
	}
	return encode(results)
}

// before asks the gate's questions of the version that runs before a switch.
func (g *Gate) before(ctx context.Context, t *steps.Task) ([]Result, error) {
	before := *t
	before.Since = steps.Moment{} // whatever runs now counts, whenever it was started
	before.Baseline = nil
	plan, err := g.plan(ctx, &before, t.Before.Current)
	if err != nil {
		return nil, err
	}
	results := g.all(ctx, &before, plan, g.glance, func() {})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if failed := failures(results); len(failed) > 0 {
		if err := g.noVerdict(ctx); err != nil {
			return nil, err
		}
	}
	for i, r := range results {
		if !r.Passed && plan[i].svc.Name != "" {
			st, err := g.cfg.Manager.Status(ctx, plan[i].svc)
			results[i].Stopped = err == nil && st.Loaded && st.Active == service.Stopped && st.Result == "success"
		}
	}
	return results, nil
}

func encode(results []Result) (json.RawMessage, error) {
	return json.Marshal(Evidence{Results: results})
}

// baseline tells which of the checks passed before the switch, and which failed though
// they were tried; both are nil without a baseline.
func baseline(t *steps.Task) (passed, failed map[string]bool, err error) {
	b, err := running.BaselineOf(t)
	if err != nil || len(t.Baseline) == 0 {
		return nil, nil, err
	}
	passed, failed = map[string]bool{}, map[string]bool{}
	for _, r := range b.Results {
		key := Result{Service: r.Service, Kind: health.Kind(r.Kind), Target: r.Target}.key()
		before, twice := passed[key] // named by the configuration and by the release
		passed[key] = r.Passed && (before || !twice)
		failed[key] = failed[key] || !r.Passed && !r.Stopped
	}
	return passed, failed, nil
}
