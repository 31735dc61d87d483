package doctor

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
)

// managerPatience is how long the manager may take for all questions of a check.
const managerPatience = 10 * time.Second

// services asks the service manager about every service.
func (c *checkup) services(ctx context.Context) {
	switch {
	case c.managerErr != nil:
		c.fail("start the service manager, or set [services] manager", "%s", c.managerErr)
		return
	case !service.RunsServices(c.manager):
		return
	}
	ctx, cancel := context.WithTimeout(ctx, managerPatience)
	defer cancel()
	for _, s := range c.Config.Service {
		c.service(ctx, s)
		c.workingDirectory(s)
	}
}

func (c *checkup) service(ctx context.Context, s config.Service) {
	now, err := look.ServiceAt(ctx, c.manager, s.Service())
	switch {
	case errors.Is(err, service.ErrUnavailable):
		c.fail("start the service manager, or set [services] manager", "%s", err)
		return
	case err != nil:
		c.fail("see the service manager's own log (journalctl -b)", "%s: %s", s.Name, err)
		return
	}
	switch now.Condition() {
	case look.Unknown:
		c.fail("install its unit, or remove the [[service]] from the configuration", "%s: %s", s.Name, now)
	case look.Unusable, look.Down:
		c.fail(c.logOf(s), "%s is %s (result %s, exit status %d)", s.Name, now.Active, now.Result, now.ExitStatus)
	case look.Up:
		if now.Restarts > 0 {
			c.warn(c.logOf(s), "%s runs, after %d automatic restarts", s.Name, now.Restarts)
			return
		}
		c.pass("%s runs, process %d", s.Name, now.MainPID)
	}
}

// logOf tells where to read what a service printed.
func (c *checkup) logOf(s config.Service) string {
	if l, ok := c.manager.(service.LogKeeper); ok {
		return "see its log: " + l.LogOf(s.Service())
	}
	return "see its log"
}

// workingDirectory looks for a unit that makes its program work inside a
// version, where it will try to write.
func (c *checkup) workingDirectory(s config.Service) {
	r, ok := c.manager.(service.UnitReader)
	if !ok {
		return
	}
	set := look.Settings(look.UnitFiles(c.Root, r.UnitDirs(), s.Service().UnitName()))
	if path := strings.TrimPrefix(set["WorkingDirectory"], "-"); path != "" && c.insideVersion(path) {
		c.warn("set it to a directory below "+c.Config.Paths.Shared+", or list what it writes in [paths] writable", "%s: %s says WorkingDirectory=%s, inside a version, which no program may write to", s.Name, s.Unit, path)
	}
}

func (c *checkup) insideVersion(device string) bool {
	host, err := c.Root.Resolve(device)
	return err == nil && c.store != nil && strings.HasPrefix(host, c.store.Dir()+"/")
}
