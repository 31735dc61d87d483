package healthcheck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// preflight refuses a switch that would end with services that cannot be started. It
// runs before anything has been touched. It refuses a unit that is masked, that cannot
// be read, or that is missing and does not come with the release. It also refuses a
// unit whose stop would take the updater down with it. The version is not to blame.
func (g *Gate) preflight(ctx context.Context, t *steps.Task) error {
	list, err := running.Services(ctx, g.cfg.Manager, g.cfg.Services, t)
	if err != nil {
		return err
	}
	for _, svc := range list {
		now, err := look.ServiceAt(ctx, g.cfg.Manager, svc)
		if err != nil {
			return running.ServiceError(ctx, g.cfg.Manager, steps.Local, "ask for the state of "+svc.Name, err)
		}
		unit := svc.UnitName()
		switch c := now.Condition(); {
		case c == look.Unusable && now.Unusable() == "masked":
			return refuse(service.ErrUnusable, unit+" is masked", "run systemctl unmask "+unit+", or take the service out of the configuration")
		case c == look.Unusable:
			return refuse(service.ErrUnusable, unit+" is loaded as "+now.Unusable(), "see systemctl status "+unit+", repair its file and run systemctl daemon-reload")
		case c == look.Unknown && !g.brings(t.Target.Current, unit):
			return refuse(service.ErrNotFound, unit, "install it and run systemctl daemon-reload (an embedded service needs its exec), or take the service out of the configuration")
		}
	}
	if _, _, _, err := running.Ordered(ctx, g.cfg.Manager, list); err != nil {
		return err
	}
	return nil
}

func refuse(kind error, what, hint string) error {
	return &steps.Error{
		Class: steps.Local, Code: steps.ServiceFailed, Hint: hint,
		Err: fmt.Errorf("nothing was changed, for the service could not be started afterwards: %w: %s", kind, what),
	}
}

// brings reports whether a version has a unit's file with it.
func (g *Gate) brings(version, unit string) bool {
	if g.cfg.Versions == nil || version == "" {
		return false
	}
	_, err := os.Lstat(filepath.Join(g.cfg.Versions.Path(version), "systemd", unit))
	return !errors.Is(err, fs.ErrNotExist)
}
