package restart

import (
	"context"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// read lists the task's services, of units as they are now. The manager reads its units
// again only when some have changed: with systemd a reload takes as long as stopping and
// starting a service, and falls into the downtime.
func (s *Step) read(ctx context.Context, t *steps.Task) ([]service.Service, error) {
	if unchanged(t) {
		return s.services(ctx, t)
	}
	return s.reread(ctx, t)
}

// order puts the services into the order in which they start. When the manager says that
// it does not know the units as they are, it is made to, and asked again. Where no order
// can be had, err says why and list is as it was; failed is an error that ends the step.
func (s *Step) order(ctx context.Context, t *steps.Task, list []service.Service) (_ []service.Service, err, failed error) {
	ordered, survey, _, err := running.Ordered(ctx, s.cfg.Manager, list)
	if err == nil && unchanged(t) && len(survey.Stale) > 0 {
		if list, failed = s.reread(ctx, t); failed != nil {
			return nil, nil, failed
		}
		ordered, _, _, err = running.Ordered(ctx, s.cfg.Manager, list)
	}
	if err != nil {
		return list, err, nil
	}
	return ordered, nil, nil
}

func (s *Step) reread(ctx context.Context, t *steps.Task) ([]service.Service, error) {
	if err := s.reload(ctx); err != nil {
		return nil, err
	}
	return s.services(ctx, t)
}

// unchanged reports whether Switch's evidence says that it changed no unit file. After
// a cut the answer is no, because the evidence is then not relied on.
func unchanged(t *steps.Task) bool {
	switched := t.Facts.Switch
	return t.Attempt <= 1 && switched != nil && switched.StoppedAt != (steps.Moment{}) && switched.Units == nil
}

func (s *Step) reload(ctx context.Context) error {
	if err := s.cfg.Manager.Reload(ctx); err != nil {
		return running.ServiceError(ctx, s.cfg.Manager, steps.Local, "make the service manager read its units again", err)
	}
	return nil
}
