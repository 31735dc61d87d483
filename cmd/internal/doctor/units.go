package doctor

import (
	"context"
	"errors"
	"os"

	"github.com/tope/updater/platform/ownprogram"
	"github.com/tope/updater/platform/service"
)

// The updater's own units.
const (
	recoverUnit = "tope-updater-recover.service"
	daemonUnit  = "tope-updater.service"
	rescueUnit  = "tope-updater-rescue.service"
)

// leastSystemd is the first version whose answers the updater understands.
const leastSystemd = 230

// units must be there, enabled, in order and well. Only a manager that reads unit
// files has units, and only the manager of this host can be asked.
func (c *checkup) units(ctx context.Context) {
	m, ok := c.manager.(service.UnitReader)
	switch {
	case !ok:
		c.pass("not checked: services are not systemd's ([services] manager = %q)", c.Config.Services.Manager)
		return
	case c.Root.Dir() != "/":
		c.pass("not checked: below --root, there is no systemd to ask")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, managerPatience)
	defer cancel()
	c.unitsOf(ctx, m)
}

// unitsOf asks about the updater's units and those of the services.
func (c *checkup) unitsOf(ctx context.Context, m service.UnitReader) {
	number, text, err := m.Version(ctx)
	switch {
	case errors.Is(err, service.ErrUnavailable):
		c.warn("start systemd, or set [services] manager", "not checked: systemd cannot be reached")
		return
	case err != nil:
		c.warn("see what \"systemctl --version\" says", "%s", err)
	case number < leastSystemd:
		c.fail("update systemd", "systemd %s is too old: %d is the oldest that works", text, leastSystemd)
	default:
		c.pass("systemd %s", text)
	}
	c.committed()
	c.recoverUnit(ctx, m)
	c.daemonUnit(ctx, m)
	if f, err := m.Unit(ctx, rescueUnit); err == nil && f.Load != "loaded" {
		c.warn("install the package again, or run install.sh", "%s is %s: nothing rescues a daemon that keeps failing", rescueUnit, f.Load)
	}
	for _, s := range c.Config.Service {
		c.serviceUnit(ctx, m, s.Service().Name, s.Unit)
	}
}

// committed is about the program that the updater's units run. The doctor itself
// may run from another copy.
func (c *checkup) committed() {
	info, err := os.Stat(ownprogram.Path)
	switch {
	case err != nil:
		c.fail("install the package again, or run install.sh", "there is no updater that could recover this device: %s", err)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		c.fail("chmod 755 "+ownprogram.Path, "%s, which recovers this device, cannot be started", ownprogram.Path)
	}
}

func (c *checkup) recoverUnit(ctx context.Context, m service.UnitReader) {
	f, err := m.Unit(ctx, recoverUnit)
	switch {
	case err != nil:
		c.fail("see the service manager's own log", "%s", err)
	case f.Load != "loaded":
		c.fail("install the package, or run install.sh: without it nothing repairs the device after a power cut", "%s is %s", recoverUnit, f.Load)
	case !f.StartsAtBoot():
		c.fail("systemctl enable "+recoverUnit, "%s is %s: it does not run at boot", recoverUnit, f.File)
	case f.Active == "failed":
		c.fail("journalctl -b -u "+recoverUnit, "%s has failed at this boot", recoverUnit)
	default:
		c.fresh(f, recoverUnit)
	}
}

func (c *checkup) daemonUnit(ctx context.Context, m service.UnitReader) {
	f, err := m.Unit(ctx, daemonUnit)
	switch {
	case err != nil:
		c.fail("see the service manager's own log", "%s", err)
	case f.Load != "loaded":
		c.fail("install the package, or run install.sh", "%s is %s", daemonUnit, f.Load)
	case !f.StartsAtBoot():
		c.fail("systemctl enable --now "+daemonUnit, "%s is %s: it does not run after a boot", daemonUnit, f.File)
	case f.Active == "failed":
		c.fail("journalctl -b -u "+daemonUnit, "%s has failed", daemonUnit)
	case f.Active != "active":
		c.warn("systemctl start "+daemonUnit, "%s is %s", daemonUnit, f.Active)
	case !f.StartsAfter(recoverUnit):
		c.fail("install the package again, or run install.sh", "%s does not wait for %s", daemonUnit, recoverUnit)
	default:
		c.fresh(f, daemonUnit)
	}
}

// serviceUnit judges how a unit is set up; the check services judges how the service does.
func (c *checkup) serviceUnit(ctx context.Context, m service.UnitReader, name, unit string) {
	f, err := m.Unit(ctx, unit)
	if err != nil || f.Load == "not-found" {
		return // services says so
	}
	switch {
	case f.Load != "loaded":
		c.fail(howToRepair(f.Load, unit), "%s: %s is %s: it cannot be started", name, unit, f.Load)
	case f.Needs(recoverUnit):
		c.fail("write Wants= instead of Requires=, as \"tope-updater units\" does", "%s: %s requires %s: a failed recovery would keep it from starting", name, unit, recoverUnit)
	case !f.StartsAfter(recoverUnit):
		c.fail("run \"tope-updater units\"", "%s: %s does not wait for %s: after a power cut it may start from a version that is about to be taken back", name, unit, recoverUnit)
	case !f.StartsAtBoot():
		c.warn("systemctl enable "+unit, "%s: %s is %s: it is not started at boot", name, unit, f.File)
	default:
		c.fresh(f, unit)
	}
}

// fresh passes a unit, unless systemd has not read its present files.
func (c *checkup) fresh(f service.UnitFacts, unit string) {
	if f.Stale {
		c.warn("systemctl daemon-reload", "%s has changed since systemd read it", unit)
		return
	}
	c.pass("%s is %s, %s", unit, f.File, f.Active)
}

func howToRepair(load, unit string) string {
	if load == "masked" {
		return "systemctl unmask " + unit
	}
	return "systemd-analyze verify " + unit
}
