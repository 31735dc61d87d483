package switchover

import (
	"context"
	"strings"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// follow makes the unit files those of the version that is now current, while none
// of those units runs. Restart has systemd read them. In a second attempt to go
// back, a unit file does not keep the services from being started.
//
// If the power goes, some of them are those of the one version and some of the
// other, each whole; recovery goes on before a service is started.
func (s *Step) follow(ctx context.Context, t *steps.Task, ev *Evidence) error {
	if s.cfg.Units == nil {
		return nil
	}
	done, err := s.cfg.Units.Follow(t.Target.Current)
	if len(done.Changes)+len(done.Left) > 0 {
		ev.Units = &done
	}
	if err != nil && t.Back && t.Attempt > 1 {
		ev.Blocked = strings.TrimSpace(ev.Blocked + " " + strings.ReplaceAll(err.Error(), "\n", "; "))
		err = nil
	}
	if err != nil {
		return steps.FromOS(err, "make the unit files those of version "+t.Target.Current)
	}
	if t.Target.Current == "" && done.Any() {
		// Nothing will be started, so nobody else tells systemd.
		if err := s.cfg.Manager.Reload(ctx); err != nil {
			return running.ServiceError(ctx, s.cfg.Manager, steps.Local, "make the service manager read its units again", err)
		}
	}
	return nil
}
