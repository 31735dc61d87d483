package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/running"
	"github.com/tope/updater/steps/stage"
)

// unitFiles keeps the manager's unit files in agreement with the current version.
type unitFiles struct {
	*unitfiles.Store
	versions *versions.Store
	manager  service.Manager
	root     disk.Root
	log      *slog.Logger
}

// unitFiles are this device's; nil where its services have none.
// The manager must have been opened.
func (p *parts) unitFiles() *unitFiles {
	if _, keeps := p.manager.(service.UnitKeeper); !keeps {
		return nil
	}
	var configured []string
	for _, s := range p.cfg.Service {
		configured = append(configured, s.Service().UnitName())
	}
	return &unitFiles{
		Store:    unitfiles.New(unitfiles.Config{Root: p.root, Tree: p.store.Path, Configured: configured, Allow: p.cfg.Units.Allow, Needs: p.cfg.Needs(p.root)}),
		versions: p.store, manager: p.manager, root: p.root, log: p.log,
	}
}

func (p *parts) stepUnits() running.Units {
	if u := p.unitFiles(); u != nil {
		return u
	}
	return nil
}

func (p *parts) stageUnits() stage.Units {
	if u := p.unitFiles(); u != nil {
		return u
	}
	return nil
}

// follow makes the unit files those of the version that current leads to, and
// tells the manager when any of them changed. It comes after each recovery: a cut
// may have come between the flip and the unit files, and recovery itself moves
// current. While current leads to no version, follow touches nothing: the unit
// files that are there may be right. On nil it does nothing.
//
// e journals the change; e is nil when not even an engine could be made.
func (u *unitFiles) follow(ctx context.Context, e *engine.Engine) error {
	if u == nil {
		return nil
	}
	p, err := u.versions.Pointers()
	if err != nil || p.Current == "" {
		return err
	}
	done, err := u.Follow(p.Current)
	for _, c := range done.Changes {
		u.log.Info("unit file "+string(c.What), "event", engine.EventUnitFiles, "path", c.Path, "version", p.Current)
	}
	for _, l := range done.Left {
		u.log.Warn("a unit of the version is not in effect", "unit", l.Unit, "why", l.Why, "version", p.Current)
	}
	if !done.Any() {
		return err
	}
	if e != nil {
		err = errors.Join(err, e.NoteUnits(p.Current, done))
	}
	return errors.Join(err, u.reload(ctx))
}

// complete makes all unit files whole. It does so again when an update has moved
// current meanwhile: the daemon has then made the unit files the new version's,
// and must have the last word.
func (u *unitFiles) complete() (done unitfiles.Changes, err error) {
	for {
		p, err := u.versions.Pointers()
		if err != nil {
			return done, err
		}
		more, err := u.Complete(p.Current)
		done = unitfiles.Changes{Version: p.Current, Changes: append(done.Changes, more.Changes...), Left: more.Left}
		if now, perr := u.versions.Pointers(); err != nil || perr != nil || now.Current == p.Current {
			return done, errors.Join(err, perr)
		}
	}
}

// reload has systemd read its units again; that of a device that does not run reads
// them when it boots. Over systemd's private socket it works at boot before there is a
// D-Bus.
func (u *unitFiles) reload(ctx context.Context) error {
	if service.Rests(u.manager) {
		return nil
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil //nolint:nilerr // this machine runs without systemd
	}
	if err := u.manager.Reload(ctx); err != nil {
		return fmt.Errorf("unit files have changed, and systemd does not know: %w; run systemctl daemon-reload", err)
	}
	return nil
}
