package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/ownprogram"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/systemd"
)

// The updater's own units.
const (
	recoverUnit = "tope-updater-recover.service"
	daemonUnit  = "tope-updater.service"
	rescueUnit  = "tope-updater-rescue.service"
)

// leastSystemd is the first version whose answers the updater understands.
const leastSystemd = 230

// units must be there, enabled, in order and well. Only systemd has any, and
// only the one that runs can be asked.
func (c *checkup) units(ctx context.Context) {
	switch {
	case c.cfg.Services.Manager != config.Systemd:
		c.pass("not looked at: services are not systemd's ([services] manager = %q)", c.cfg.Services.Manager)
		return
	case c.root.Dir() != "/":
		c.pass("not looked at: below --root, no systemd can be asked")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	m := systemd.New(systemd.Config{Clock: c.clock, Log: c.log})
	defer func() { _ = m.Close() }()
	number, text, err := m.Version(ctx)
	switch {
	case errors.Is(err, service.ErrUnavailable):
		c.warn("start systemd, or set [services] manager", "not looked at: systemd cannot be reached")
		return
	case err != nil:
		c.warn("see what \"systemctl --version\" says", "%s", err)
	case number < leastSystemd:
		c.fail("update systemd", "systemd %s is too old: %d is the oldest that will do", text, leastSystemd)
	default:
		c.pass("systemd %s", text)
	}
	c.committed()
	c.recoverUnit(ctx, m)
	c.daemonUnit(ctx, m)
	if f, err := m.Facts(ctx, rescueUnit); err == nil && f.Load != "loaded" {
		c.warn("install the package again, or run install.sh", "%s is %s: nobody helps a daemon that keeps dying", rescueUnit, f.Load)
	}
	for _, s := range c.cfg.Service {
		c.serviceUnit(ctx, m, s.Service().Name, s.Unit)
	}
}

// committed: the program that the updater's units run. Whoever asks may be
// another copy of it.
func (c *checkup) committed() {
	info, err := os.Stat(ownprogram.Path)
	switch {
	case err != nil:
		c.fail("install the package again, or run install.sh", "there is no updater that could recover this device: %s", err)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		c.fail("chmod 755 "+ownprogram.Path, "%s, which recovers this device, cannot be started", ownprogram.Path)
	}
}

func (c *checkup) recoverUnit(ctx context.Context, m *systemd.Manager) {
	f, err := m.Facts(ctx, recoverUnit)
	switch {
	case err != nil:
		c.fail("see the service manager's own log", "%s", err)
	case f.Load != "loaded":
		c.fail("install the package, or run install.sh: without it nothing makes the device whole after a power cut", "%s is %s", recoverUnit, f.Load)
	case !isEnabled(f):
		c.fail("systemctl enable "+recoverUnit, "%s is %s: it does not run at boot", recoverUnit, f.File)
	case f.Active == "failed":
		c.fail("journalctl -b -u "+recoverUnit, "%s has failed at this boot", recoverUnit)
	default:
		c.fresh(f, recoverUnit)
	}
}

func (c *checkup) daemonUnit(ctx context.Context, m *systemd.Manager) {
	f, err := m.Facts(ctx, daemonUnit)
	switch {
	case err != nil:
		c.fail("see the service manager's own log", "%s", err)
	case f.Load != "loaded":
		c.fail("install the package, or run install.sh", "%s is %s", daemonUnit, f.Load)
	case !isEnabled(f):
		c.fail("systemctl enable --now "+daemonUnit, "%s is %s: it does not run after a boot", daemonUnit, f.File)
	case f.Active == "failed":
		c.fail("journalctl -b -u "+daemonUnit, "%s has failed", daemonUnit)
	case f.Active != "active":
		c.warn("systemctl start "+daemonUnit, "%s is %s", daemonUnit, f.Active)
	case !f.After(recoverUnit):
		c.fail("install the package again, or run install.sh", "%s does not wait for %s", daemonUnit, recoverUnit)
	default:
		c.fresh(f, daemonUnit)
	}
}

// serviceUnit says nothing of how the service is: that is another check's.
func (c *checkup) serviceUnit(ctx context.Context, m *systemd.Manager, name, unit string) {
	f, err := m.Facts(ctx, unit)
	if err != nil || f.Load == "not-found" {
		return // said by services
	}
	switch {
	case f.Load != "loaded":
		c.fail(howToMend(f.Load, unit), "%s: %s is %s: it cannot be started", name, unit, f.Load)
	case f.Requires(recoverUnit):
		c.fail("say Wants= in its place, as \"tope-updater units\" does", "%s: %s requires %s: a failed recovery would keep it from starting", name, unit, recoverUnit)
	case !f.After(recoverUnit):
		c.fail("run \"tope-updater units\"", "%s: %s does not wait for %s: after a power cut it may start from a version that is about to be taken back", name, unit, recoverUnit)
	case !isEnabled(f):
		c.warn("systemctl enable "+unit, "%s: %s is %s: it is not started at boot", name, unit, f.File)
	default:
		c.fresh(f, unit)
	}
}

// fresh passes a unit, unless systemd has not read its present files.
func (c *checkup) fresh(f systemd.Facts, unit string) {
	if f.Stale {
		c.warn("systemctl daemon-reload", "%s has changed since systemd read it", unit)
		return
	}
	c.pass("%s is %s, %s", unit, f.File, f.Active)
}

func howToMend(load, unit string) string {
	if load == "masked" {
		return "systemctl unmask " + unit
	}
	return "systemd-analyze verify " + unit
}

// isEnabled is generous: what is started by a socket or a dependency is as good.
func isEnabled(f systemd.Facts) bool {
	switch f.File {
	case "disabled", "masked", "masked-runtime", "bad", "":
		return false
	}
	return true
}
