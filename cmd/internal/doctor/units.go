package doctor

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/ownprogram"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
)

// The updater's own units.
const (
	recoverUnit = unitfiles.RecoverUnit
	daemonUnit  = unitfiles.DaemonUnit
	rescueUnit  = unitfiles.RescueUnit
)

// leastSystemd is the first version whose answers the updater understands.
const leastSystemd = 230

// reinstall is the advice for what came with the package and is not there.
var reinstall = say("install the package again, or run install.sh")

// units must be there, enabled, in order and well. Only a manager that reads unit
// files has units, and only the manager of this host can be asked.
func (c *checkup) units(ctx context.Context) {
	m, ok := c.manager.(service.UnitReader)
	switch {
	case c.ofAnotherSystem():
		c.pass("not checked: below --root, there is no systemd to ask")
		return
	case !ok:
		c.pass("not checked: services are not systemd's ([services] manager = %q)", c.Config.Services.Manager)
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
		c.warn(say("start systemd, or set [services] manager"), "not checked: systemd cannot be reached")
		return
	case err != nil:
		c.warn(say("see what \"systemctl --version\" says"), "%s", err)
	case number < leastSystemd:
		c.fail(say("update systemd"), "systemd %s is too old: %d is the oldest that works", text, leastSystemd)
	default:
		c.pass("systemd %s", text)
	}
	c.committedProgram()
	c.recoverUnit(ctx, m)
	c.daemonUnit(ctx, m)
	if f, err := m.Unit(ctx, rescueUnit); err == nil && f.Load != "loaded" {
		c.warn(c.loadedAgain(f.Load, rescueUnit), "%s is %s: nothing rescues a daemon that keeps failing", rescueUnit, f.Load)
	}
	for _, s := range c.Config.Service {
		c.serviceUnit(ctx, m, s.Service().Name, s.Unit)
	}
}

// committedProgram is about the program that the updater's units run. The doctor itself
// may run from another copy.
func (c *checkup) committedProgram() {
	info, err := os.Stat(ownprogram.Path)
	switch {
	case err != nil:
		c.fail(reinstall, "there is no updater that could recover this device: %s", err)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		c.fail(run("chmod 755 %s", ownprogram.Path), "%s, which recovers this device, cannot be started", ownprogram.Path)
	}
}

// recoverUnit is what repairs a device before its services start. Without it the
// daemon does the same, later: updates still work.
func (c *checkup) recoverUnit(ctx context.Context, m service.UnitReader) {
	f, err := m.Unit(ctx, recoverUnit)
	switch {
	case err != nil:
		c.fail(say("see the service manager's own log"), "%s", err)
	case f.Load != "loaded":
		c.warn(c.loadedAgain(f.Load, recoverUnit), "%s is %s: after a power cut, services may start from a version that is about to be taken back", recoverUnit, f.Load)
	case c.foreign(m, recoverUnit) != "":
		c.warn(c.ownAgain(m, recoverUnit), "%s is not the updater's: %s executes something else", recoverUnit, c.foreign(m, recoverUnit))
	case !f.StartsAtBoot():
		c.warn(run("systemctl enable %s", recoverUnit), "%s is %s: it does not run at boot", recoverUnit, f.File)
	case f.Active == "failed":
		do := run("systemctl restart %s", recoverUnit)
		do.say = "journalctl -b -u " + recoverUnit + " says why; then try again"
		c.warn(do, "%s has failed at this boot", recoverUnit)
	default:
		c.fresh(f, recoverUnit)
	}
}

// daemonUnit is the daemon as systemd knows it. A unit of this name that executes
// something else is not the daemon, whatever state it is in.
func (c *checkup) daemonUnit(ctx context.Context, m service.UnitReader) {
	f, err := m.Unit(ctx, daemonUnit)
	other := c.foreign(m, daemonUnit)
	switch {
	case err != nil:
		c.fail(say("see the service manager's own log"), "%s", err)
	case f.Load != "loaded":
		c.fail(c.loadedAgain(f.Load, daemonUnit), "%s is %s", daemonUnit, f.Load)
	case other != "":
		c.fail(c.ownAgain(m, daemonUnit), "%s is not the updater's: %s executes something else", daemonUnit, other)
	case f.Active == "failed":
		do := run("systemctl reset-failed %s && systemctl start %s", daemonUnit, daemonUnit)
		do.say = "journalctl -b -u " + daemonUnit + " says why; then start it"
		c.fail(do, "%s has failed, and is off", daemonUnit)
	case !f.StartsAtBoot():
		c.warn(run("systemctl enable --now %s", daemonUnit), "%s is %s: it does not run after a boot", daemonUnit, f.File)
	case f.Active != "active":
		c.fail(run("systemctl start %s", daemonUnit), "%s is %s: updates that are asked for over the API, or by other programs, get no answer", daemonUnit, f.Active)
	case !f.StartsAfter(recoverUnit):
		c.warn(reinstall, "%s does not wait for %s", daemonUnit, recoverUnit)
	default:
		c.fresh(f, daemonUnit)
	}
}

// foreign is the file that has a unit of ours execute something else than the committed
// updater; "" when none does.
func (c *checkup) foreign(m service.UnitReader, unit string) (file string) {
	for _, f := range look.UnitFiles(c.Root, m.UnitDirs(), unit) {
		command, has := look.Settings([]string{f})["ExecStart"]
		switch {
		case !has, command == "":
		case strings.Contains(command, ownprogram.Path):
			file = ""
		default:
			file = f
		}
	}
	return file
}

// ownAgain gives a unit's name back to the updater. What ran under it is stopped: an
// operator who wants it can give it another name.
func (c *checkup) ownAgain(m service.UnitReader, unit string) advice {
	do := run("systemctl stop %s && mv -T %s %s && systemctl daemon-reload", unit, quote(c.foreign(m, unit)), quote(c.foreign(m, unit)+".aside"))
	if unit == daemonUnit {
		do = do.then(run("systemctl enable --now %s", unit))
	}
	do.say = "if nobody needs what it runs, which would have to have another name, move it aside"
	return do
}

// serviceUnit judges how a unit is set up; the check services judges how the service does.
func (c *checkup) serviceUnit(ctx context.Context, m service.UnitReader, name, unit string) {
	f, err := m.Unit(ctx, unit)
	if err != nil || f.Load == "not-found" {
		return // services says so
	}
	switch {
	case f.Load != "loaded":
		c.fail(c.usableAgain(f.Load, unit), "%s: %s is %s: it cannot be started", name, unit, f.Load)
	case f.Needs(recoverUnit):
		c.warn(say("write Wants= instead of Requires=, as \"tope-updater units\" does"), "%s: %s requires %s: a failed recovery would keep it from starting", name, unit, recoverUnit)
	case !f.StartsAfter(recoverUnit):
		c.warn(c.updater("units"), "%s: %s does not wait for %s: after a power cut it may start from a version that is about to be taken back", name, unit, recoverUnit)
	case !f.StartsAtBoot():
		c.warn(run("systemctl enable %s", unit), "%s: %s is %s: it is not started at boot", name, unit, f.File)
	default:
		c.fresh(f, unit)
	}
}

// fresh passes a unit, unless systemd has not read its present files.
func (c *checkup) fresh(f service.UnitFacts, unit string) {
	if f.Stale {
		c.warn(run("systemctl daemon-reload"), "%s has changed since systemd read it", unit)
		return
	}
	c.pass("%s is %s, %s", unit, f.File, f.Active)
}

// usableAgain is what to do about a service's unit that systemd does not run.
func (c *checkup) usableAgain(load, unit string) advice {
	if load == "masked" {
		return run("systemctl unmask %s && systemctl start %s", unit, unit)
	}
	if file := c.setBy(unit, "ExecStart"); file != "" {
		do := withoutDropIn(file, unit)
		do.say = "systemd-analyze verify " + unit + " shows what is wrong; the last change is a drop-in"
		return do
	}
	return say("\"systemd-analyze verify %s\" shows the line; correct it, then systemctl daemon-reload && systemctl restart %s", unit, unit)
}

// loadedAgain is what to do about a unit of the updater's own.
func (c *checkup) loadedAgain(load, unit string) advice {
	if load == "masked" {
		return run("systemctl unmask %s && systemctl start %s", unit, unit)
	}
	return reinstall
}
