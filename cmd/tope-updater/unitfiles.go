package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/steps/running"
	"github.com/tope/updater/steps/stage"
)

// units are this device's unit files; nil where systemd runs no services. The
// store must be open.
func (d *device) units() *unitfiles.Store {
	if d.cfg.Services.Manager != config.Systemd {
		return nil
	}
	var configured []string
	for _, s := range d.services() {
		configured = append(configured, s.UnitName())
	}
	return unitfiles.New(unitfiles.Config{Root: d.root, Tree: d.store.Path, Configured: configured})
}

func (d *device) stepUnits() running.Units {
	if u := d.units(); u != nil {
		return u
	}
	return nil
}

func (d *device) stageUnits() stage.Units {
	if u := d.units(); u != nil {
		return u
	}
	return nil
}

// followUnits makes the unit files those of the version that current leads to,
// and tells systemd when that changed any. It comes after each recovery: a cut
// may have come between the flip and the unit files, and recovery itself moves
// current. When current leads to no version that can be told, nothing is
// touched: what is there may be right.
//
// e journals it; it is nil when not even an engine could be made.
func (d *device) followUnits(ctx context.Context, e *engine.Engine, reload func(context.Context) error) error {
	units := d.units()
	if units == nil {
		return nil
	}
	p, err := d.store.Pointers()
	if err != nil || p.Current == "" {
		return err
	}
	done, err := units.Follow(p.Current)
	for _, c := range done.Changes {
		d.log.Info("unit file "+string(c.What), "event", engine.EventUnitFiles, "path", c.Path, "version", p.Current)
	}
	for _, l := range done.Left {
		d.log.Warn("a unit of the version is not in effect", "unit", l.Unit, "why", l.Why, "version", p.Current)
	}
	if !done.Any() {
		return err
	}
	if e != nil {
		err = errors.Join(err, e.NoteUnits(p.Current, done))
	}
	return errors.Join(err, d.reloadUnits(ctx, reload))
}

// reloadUnits has systemd read its units again, on the device itself.
func (d *device) reloadUnits(ctx context.Context, reload func(context.Context) error) error {
	if d.root.Dir() != "/" {
		return nil
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil //nolint:nilerr // this machine runs without systemd
	}
	if err := reload(ctx); err != nil {
		return fmt.Errorf("unit files have changed, and systemd does not know: %w; run systemctl daemon-reload", err)
	}
	return nil
}

// reload is daemon-reload for verbs that have no service manager. Over systemd's
// private socket, it works at boot before there is a D-Bus.
func (d *device) reload(ctx context.Context) error {
	m, err := d.openManager()
	if err != nil {
		return err
	}
	return errors.Join(m.Reload(ctx), m.Close())
}
