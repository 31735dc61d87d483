package restart

import (
	"context"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// read makes sure that the manager knows the units as they are now, and lists the
// task's services. It reloads the units only when some have changed: with systemd a
// reload takes as long as stopping and starting a service, and falls into the downtime.
func (s *Step) read(ctx context.Context, t *steps.Task) ([]service.Service, error) {
	known := unchanged(t)
	if !known {
		if err := s.reload(ctx); err != nil {
			return nil, err
		}
	}
	list, err := s.services(ctx, t)
	if err != nil || !known {
		return list, err
	}
	for _, svc := range list {
		st, err := s.cfg.Manager.Status(ctx, svc)
		if err != nil {
			return nil, running.ServiceError(ctx, s.cfg.Manager, steps.Local, "ask for the state of "+svc.Name, err)
		}
		if st.Stale || !st.Loaded {
			if err := s.reload(ctx); err != nil {
				return nil, err
			}
			return s.services(ctx, t)
		}
	}
	return list, nil
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
