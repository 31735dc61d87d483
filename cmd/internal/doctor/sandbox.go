package doctor

import (
	"context"
	"io/fs"
	"os"
	"strings"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
)

// sandbox: what the configuration needs, the daemon's unit has to allow. Of a daemon that
// runs it is the sandbox that counts, which was made when it started; else it is the unit,
// by which the next one is made.
func (c *checkup) sandbox(context.Context) {
	units, byUnits := c.manager.(service.UnitReader)
	running := c.daemonAnswers() && c.socket.PID != 0 && os.Geteuid() == 0 && c.Root.Dir() == "/"
	var unit *unitfiles.Confined
	if byUnits {
		unit = c.confined(units)
	}
	due := c.ownDropIns(byUnits)
	do := c.restart()
	switch {
	case len(due) > 0:
		do = c.updater("units").then(c.restart())
	case !running:
		do = say("give it a drop-in (systemctl edit %s) with ReadWritePaths= for a directory, BindPaths= for one below /tmp", daemonUnit)
	}
	do = c.there(do)
	before := len(c.findings)
	for _, p := range c.Config.Places() {
		switch {
		case running:
			if kind := look.SandboxOf(c.socket.PID).Denies(p.Path, p.Write); kind != look.None {
				c.fail(do, "%s", p.Denied(kind))
			}
		case unit != nil:
			c.foreseen(*unit, p, do)
		}
	}
	if unit != nil && !running {
		c.linked(*unit, do)
	}
	if unit != nil {
		c.limits(*unit, do)
	}
	if len(c.findings) == before && len(due) > 0 {
		c.warn(do, "%s: the drop-in is not what the configuration needs, so that its directories are mounted and can be written", strings.Join(due, ", "))
	}
}

// ownDropIns are the updater's own units whose drop-ins are not as they should be.
func (c *checkup) ownDropIns(byUnits bool) []string {
	if !byUnits {
		return nil
	}
	due, err := unitfiles.New(unitfiles.Config{Root: c.Root, Needs: c.Config.Needs(c.Root)}).OwnDue()
	if err != nil {
		c.warn(say("see what is wrong with that file"), "%s", err)
	}
	return due
}

// confined is what the daemon's unit allows; nil when the device has no such unit.
func (c *checkup) confined(m service.UnitReader) *unitfiles.Confined {
	var texts [][]byte
	for _, f := range look.UnitFiles(c.Root, m.UnitDirs(), daemonUnit) {
		text, err := os.ReadFile(f)
		if err != nil {
			c.warn(asRoot, "%s", err)
			return nil
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil // units says so
	}
	unit := unitfiles.Confine(daemonUnit, texts...)
	return &unit
}

// foreseen judges a place by the unit: where it lies, not what it is called. systemd follows
// the links in a setting, and so does this.
func (c *checkup) foreseen(unit unitfiles.Confined, p config.Place, do advice) {
	host, err := c.Root.Resolve(p.Path)
	if err != nil {
		return // directories says why
	}
	leads := func(device string) (to string, there bool) {
		host, err := c.Root.Resolve(device)
		if err == nil {
			_, err = os.Stat(host)
		}
		return c.Root.Device(host), err == nil
	}
	at := c.Root.Device(host)
	if unit.Binds(p.Path) {
		at = p.Path // a link in it is the device's, and not the daemon's
	}
	switch {
	case unit.Hides(p.Path), unit.Hides(at):
		c.fail(do, "%s", p.Denied(look.Hidden))
	case p.Write && !unit.Writes(at, leads):
		c.fail(do, "%s", p.Denied(look.ReadOnly))
	}
}

// linked finds links where systemd makes a directory of the daemon's.
func (c *checkup) linked(unit unitfiles.Confined, do advice) {
	for _, dir := range unit.Made() {
		host, err := c.Root.Path(dir)
		if err != nil {
			continue
		}
		if info, err := os.Lstat(host); err == nil && info.Mode().Type() == fs.ModeSymlink {
			c.fail(do, "systemd does not start the daemon: %s is a link, where its unit has it make a directory", dir)
		}
	}
}

// limits are those of the unit that the configuration may go beyond.
func (c *checkup) limits(unit unitfiles.Confined, do advice) {
	if port, key := c.Config.LowPort(); port != 0 && !unit.Has("CAP_NET_BIND_SERVICE") && (c.ofAnotherSystem() || !look.FreePort(port)) {
		c.fail(do, "the daemon may not listen on port %d (%s): its unit leaves it no capability for ports below 1024", port, key)
	}
	if need := c.Config.MemoryNeed(); need > unit.Memory {
		c.warn(do, "a patch of the size that [download] max_patch allows takes up to %s, and the daemon's unit allows %s: it would be killed", human.Bytes(need), human.Bytes(unit.Memory))
	}
}
