package doctor

import (
	"context"
	"errors"
	"slices"
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
		c.fail(say("start the service manager, or set [services] manager"), "%s", c.managerErr)
		return
	case c.ofAnotherSystem():
		c.pass("not checked: below --root, there is no systemd to ask")
		return
	case !service.RunsServices(c.manager):
		return
	}
	ctx, cancel := context.WithTimeout(ctx, managerPatience)
	defer cancel()
	c.servicesOf(ctx)
}

// servicesOf asks about each service.
func (c *checkup) servicesOf(ctx context.Context) {
	var all []service.Service
	for _, s := range c.Config.Service {
		all = append(all, s.Service())
	}
	survey, err := c.manager.Survey(ctx, all)
	if err != nil && !errors.Is(err, service.ErrUnavailable) {
		// A switch surveys the services in the same way.
		c.fail(say("see the service manager's own log (journalctl -b)"), "%s", err)
	}
	for _, s := range c.Config.Service {
		c.service(ctx, s, slices.Contains(survey.Idle, s.Name))
		c.canStart(ctx, s)
		c.workingDirectory(s)
	}
}

// service judges how a service stands. An idle one waits for its socket or timer, and
// rightly does not run.
func (c *checkup) service(ctx context.Context, s config.Service, idle bool) {
	now, err := look.ServiceAt(ctx, c.manager, s.Service())
	switch {
	case errors.Is(err, service.ErrUnavailable):
		c.fail(say("start the service manager, or set [services] manager"), "%s", err)
		return
	case err != nil:
		c.fail(say("see the service manager's own log (journalctl -b)"), "%s: %s", s.Name, err)
		return
	}
	switch now.Condition() {
	case look.Unknown:
		c.fail(say("install its unit, or remove the [[service]] from the configuration"), "%s: %s", s.Name, now)
	case look.Unusable:
		c.fail(c.usableAgain(now.Unusable(), s.Service().UnitName()), "%s: %s", s.Name, now)
	case look.Down:
		if from := c.origin(ctx, s); idle && !from.right {
			c.fail(from.do, "%s waits for its socket or timer, but %s", s.Name, from.text)
			return
		}
		c.down(now, s, idle)
	case look.Up:
		c.up(ctx, now, s)
	}
}

// down tells of a service that does not run.
func (c *checkup) down(now look.Service, s config.Service, idle bool) {
	switch {
	case idle && now.Active == service.Stopped:
		c.pass("%s does not run: it waits for its socket or timer", s.Name)
	case c.awaitsRelease() && !s.OutsideVersions:
		c.warn(say("install a release, which starts it"), "%s does not run: there is no version yet", s.Name)
	case now.Active == service.Starting && now.Sub != "auto-restart":
		c.warn(c.logOf(s), "%s is on its way up (%s)", s.Name, now.Sub)
	case c.bySystemd():
		unit := s.Service().UnitName()
		do := run("systemctl reset-failed %s && systemctl start %s", unit, unit)
		do.say = c.logOf(s).say + "; then start it"
		c.fail(do, "%s is %s (result %s, exit status %d)", s.Name, now.Active, now.Result, now.ExitStatus)
	default:
		c.fail(c.logOf(s), "%s is %s (result %s, exit status %d)", s.Name, now.Active, now.Result, now.ExitStatus)
	}
}

// up tells from which version a service runs, seen now.
func (c *checkup) up(ctx context.Context, now look.Service, s config.Service) {
	from := c.origin(ctx, s)
	switch {
	case !from.right:
		c.fail(from.do, "%s runs, but %s", s.Name, from.text)
	case now.Restarts > 0:
		do := c.logOf(s)
		if c.bySystemd() {
			do = advice{do.say + "; then count anew", "systemctl reset-failed " + s.Service().UnitName()}
		}
		c.warn(do, "%s runs%s, after %d automatic restarts", s.Name, from.text, now.Restarts)
	default:
		c.pass("%s runs%s, process %d", s.Name, from.text, now.MainPID)
	}
}

// logOf tells where to read what a service printed.
func (c *checkup) logOf(s config.Service) advice {
	if l, ok := c.manager.(service.LogKeeper); ok {
		return say("see its log: %s", l.LogOf(s.Service()))
	}
	return say("see its log")
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
		do := say("set it to a directory below %s, or list what it writes in [paths] writable", c.Config.Paths.Shared)
		if file := c.setBy(s.Service().UnitName(), look.WorkingDirectory); file != "" {
			do.run = withoutDropIn(file, s.Service().UnitName()).run
		}
		c.warn(do, "%s: %s says WorkingDirectory=%s, inside a version, which no program may write to", s.Name, s.Unit, path)
	}
}

func (c *checkup) insideVersion(device string) bool {
	host, err := c.Root.Resolve(device)
	return err == nil && c.store != nil && strings.HasPrefix(host, c.store.Dir()+"/")
}
