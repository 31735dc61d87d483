package healthcheck

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

const activeKind = health.Active

// checks asks whether each check of the gate can pass at all, whatever the release is.
func (p *preflight) checks(ctx context.Context) error {
	plan, err := p.g.plan(ctx, p.t, p.t.Target.Current)
	if err != nil {
		return err
	}
	p.plan = plan
	for _, one := range plan {
		switch one.check.Kind {
		case health.Active:
			err = p.staysUp(ctx, one.svc)
		case health.Command:
			p.program(one)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// staysUp refuses a check that a service runs when the service ends by design: it would
// pass on no version.
func (p *preflight) staysUp(ctx context.Context, svc service.Service) error {
	if slices.Contains(p.idle, svc.Name) || p.gone[svc.Name] {
		return nil // it waits for its timer, and passes by waiting
	}
	st, err := p.g.cfg.Manager.Status(ctx, svc)
	if err != nil {
		return running.ServiceError(ctx, p.g.cfg.Manager, steps.Local, "ask for the state of "+svc.Name, err)
	}
	l, err := p.launch(ctx, svc)
	if err == nil && l.Type == "oneshot" && !l.RemainsAfterExit && st.Active != service.Starting {
		p.fatal(steps.HealthFailed, "set RemainAfterExit=yes, give the service another kind of check, or take it out of the configuration",
			"%s is of Type=oneshot and ends when it has run: a check that it is active can pass on no version", svc.UnitName())
	}
	return err
}

// program refuses a check whose command would not be there.
func (p *preflight) program(one planned) {
	site := p.g.cfg.Site
	run := one.check.Command
	if one.run != nil {
		run = one.run
	}
	if site == nil || len(run) == 0 || !filepath.IsAbs(run[0]) {
		return
	}
	at := p.after.At(site.Root.Device(run[0]))
	if !at.Missing() {
		return
	}
	if name := (Result{Service: one.check.Service, Kind: one.check.Kind, Target: one.check.Target()}).name(); p.acts && at.Version == "" {
		p.warn(steps.HealthFailed, "", "the check %s needs %s", name, at)
	} else {
		p.fatal(steps.HealthFailed, "put the program there, or correct the check", "the check %s needs %s", name, at)
	}
}

// baseline asks how the running version does, by the questions of the gate.
func (p *preflight) baseline(ctx context.Context) error {
	if p.t.Before.Current == "" {
		return nil
	}
	t := *p.t
	// Before a switch nobody has noted which services wait for a socket.
	t.Units = waiting(p.idle)
	results, err := p.g.before(ctx, &t)
	if err != nil {
		return err
	}
	for _, r := range results {
		switch {
		case r.Passed, r.Kind == health.Active && p.told[r.Service]:
		case !r.Stopped:
			p.warn(steps.HealthFailed, "repair it, unless this update does; a release is not blamed for it",
				"%s fails on version %s already: %s", r.name(), p.t.Before.Current, r.Text)
		case r.Kind == health.Active:
			p.warn(steps.ServiceFailed, "", "%s does not run; the update starts it", r.Service)
		}
	}
	p.verdict, err = encode(results)
	return err
}

// waiting is the note of the units that stop with the services, as far as a glance at
// the running version needs it.
type waiting []string

// Load implements steps.Notes.
func (w waiting) Load(v any) (bool, error) {
	c, ok := v.(*running.Companions)
	if ok {
		c.Idle = w
	}
	return ok, nil
}

// Save implements steps.Notes: there is nothing to keep.
func (waiting) Save(any) error { return nil }
