package doctor

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
)

// canStart looks for what a start of a service needs and would not find: it would not
// come up again after the next switch, nor after a boot.
func (c *checkup) canStart(ctx context.Context, s config.Service) {
	l, ok := c.manager.(service.Launcher)
	if !ok || c.store == nil || c.atErr != nil || c.at.Current == "" {
		return
	}
	launch, err := l.Launch(ctx, s.Service())
	as, aerr := look.AsIfCurrent(c.Root, c.store, c.at.Current)
	if err != nil || aerr != nil {
		return // service, or versions, says why
	}
	for _, n := range as.Needs(launch, c.store.CannotStart) {
		if n.Problem != "" && !n.Optional {
			c.fail(c.startable(s, n), "%s would not start again: %s", s.Name, n)
		}
	}
}

// startable is what to do about one thing that a start needs.
func (c *checkup) startable(s config.Service, n look.Needed) advice {
	unit := s.Service().UnitName()
	if n.Closed {
		if dir := n.Shut; dir != "" {
			if host, err := c.Root.Resolve(dir); err == nil {
				return run("chmod a+x %s", quote(host))
			}
		}
		return say("let the user of %s pass the directories on the way", unit)
	}
	if file := c.setBy(unit, n.What); file != "" {
		return withoutDropIn(file, unit)
	}
	if n.What == look.WorkingDirectory && n.Version == "" && n.Missing() {
		if host, err := c.Root.Path(n.Path); err == nil {
			do := run("mkdir -p %s", quote(host))
			do.say = "make it, with the owner that the service needs"
			return do
		}
	}
	return say("correct %s= in %s (systemctl edit --full %s), or install a release that has it", n.What, unit, unit)
}

// setBy is the drop-in that gives a setting of a unit, "" when that is the unit's file.
func (c *checkup) setBy(unit, setting string) string {
	r, ok := c.manager.(service.UnitReader)
	if !ok || !c.bySystemd() {
		return ""
	}
	if setting == look.Executed {
		setting = "ExecStart"
	}
	found := ""
	for _, f := range look.UnitFiles(c.Root, r.UnitDirs(), unit) {
		if value, has := look.Settings([]string{f})[setting]; has && value != "" {
			found = f
		}
	}
	if strings.HasSuffix(filepath.Dir(found), ".d") {
		return found
	}
	return ""
}
