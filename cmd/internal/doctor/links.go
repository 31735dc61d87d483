package doctor

import (
	"context"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
)

// links must lead through current.
func (c *checkup) links(ctx context.Context) {
	if !c.haveStore() || c.atErr != nil {
		return
	}
	_, all, err := look.Links(c.store)
	if err != nil {
		c.fail(say("check the file system"), "%s", err)
		return
	}
	for _, l := range all {
		switch l.State {
		case versions.LinkMissing:
			c.warn(c.updater("links"), "%s is missing; it should lead to %s", l.Path, l.Target)
		case versions.LinkBlocked:
			do := c.updater("links --adopt")
			if units := c.executing(ctx, l.Path); len(units) > 0 {
				do = do.then(c.restartServices(units...))
			}
			do.say = "keep what is there as " + base(l.Path) + versions.AsideSuffix + ", and make the link"
			c.fail(do, "%s is not a link to %s", l.Path, l.Target)
		}
	}
}

// executing are the units whose services execute a program by this path.
func (c *checkup) executing(ctx context.Context, path string) (units []string) {
	l, ok := c.manager.(service.Launcher)
	if !ok {
		return nil
	}
	for _, s := range c.Config.Service {
		launch, err := l.Launch(ctx, s.Service())
		main, has := launch.MainCommand()
		if err == nil && has && main.Path == path {
			units = append(units, s.Service().UnitName())
		}
	}
	return units
}
