package healthcheck

import (
	"context"
	"errors"
	"fmt"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// active asks the service manager for the state in which the service has settled: a
// job that is done does not tell that state.
func (g *Gate) active(ctx context.Context, t *steps.Task, p planned) error {
	svc := p.svc
	now, err := look.ServiceAt(ctx, g.cfg.Manager, svc)
	if err != nil {
		return err
	}
	if waits, err := g.waits(t, svc, now.Status); err != nil || waits {
		return err
	}
	switch now.Condition() {
	case look.Up:
		return nil
	case look.Unknown:
		return fmt.Errorf("%w: %s", service.ErrNotFound, svc.Name)
	case look.Unusable:
		return fmt.Errorf("%w: %s is %s", service.ErrUnusable, svc.Name, now.Unusable())
	}
	return errors.New(now.String())
}

// waits reports whether a service is as it was before the switch: not running,
// because its socket or timer will start it.
func (g *Gate) waits(t *steps.Task, svc service.Service, st service.Status) (bool, error) {
	if st.Active != service.Stopped {
		return false, nil
	}
	units, err := running.LoadCompanions(t)
	return units.Waits(svc.Name, st), err
}
