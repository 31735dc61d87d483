package switchover

import (
	"context"
	"strings"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// follow replaces the device's unit files with those of the version that is now
// current, while none of these units runs. Restart makes systemd read them. In a second
// attempt to go back, follow only notes its error, so that the services are started.
//
// If the power goes, some unit files are the old version's and some the new one's, each
// of them whole. Recovery completes the work before a service is started.
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
		// Nothing will be started, so Restart does not reload systemd.
		if err := s.cfg.Manager.Reload(ctx); err != nil {
			return running.ServiceError(ctx, s.cfg.Manager, steps.Local, "make the service manager read its units again", err)
		}
	}
	return nil
}
