package healthcheck

import (
	"context"
	"fmt"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
)

// active is what systemd knows of a service once it has settled: a job that is
// done says nothing of that.
func (g *Gate) active(ctx context.Context, t *steps.Task, p planned) error {
	svc := p.svc
	st, err := g.cfg.Manager.Status(ctx, svc)
	if err != nil {
		return err
	}
	waits, err := g.waits(t, svc, st)
	switch {
	case err != nil || waits:
		return err
	case !st.Loaded:
		return fmt.Errorf("%w: %s", service.ErrNotFound, svc.Name)
	case st.Unusable() != "":
		return fmt.Errorf("%w: %s is %s", service.ErrUnusable, svc.Name, st.Unusable())
	case st.Active != service.Running && st.Active != service.Reloading:
		return fmt.Errorf("%s is %s (%s, result %s, exit status %d, %d restarts)", svc.Name, st.Active, st.Sub, st.Result, st.ExitStatus, st.Restarts)
	}
	return nil
}

// waits reports whether a service is as it was before the switch: not running,
// for its socket or timer will start it.
func (g *Gate) waits(t *steps.Task, svc service.Service, st service.Status) (bool, error) {
	if st.Active != service.Stopped {
		return false, nil
	}
	units, err := steps.Noted(t)
	return units.Waits(svc.Name, st), err
}
