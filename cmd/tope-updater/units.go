package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
)

func (a *app) unitsCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "units",
		Short: "repair unit files and drop-ins",
		Long: `Make systemd's unit files agree with the current version and the configuration:
each configured service gets a drop-in that has it start after recovery, and so
does each service that comes with the version; unit files that come with the
version are copied to /etc/systemd/system. What nothing needs any more is removed,
and what was there before is put back.

The updater's own units get drop-ins for what the configuration moves: directories
that the daemon's sandbox has to let it write to, and whose file systems have to be
mounted first. Directories that are missing are made. A daemon that runs has its
sandbox until it is restarted.

With --check it changes nothing, and exits with 1 when there is something to do.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.device()
			if err != nil {
				return err
			}
			if !check {
				if err := d.makeMoved(); err != nil {
					return err
				}
			}
			p, err := d.parts(false)
			if err != nil {
				return err
			}
			if err := p.manage(); err != nil {
				return err
			}
			defer func() { _ = p.close() }() // nothing is left to be lost
			units := p.unitFiles()
			if units == nil {
				return a.term.answer(unitfiles.Changes{Changes: []unitfiles.Change{}}, func(t *terminal) {
					t.say("nothing to do: systemd does not run the services (services.manager is %s)", d.cfg.Services.Manager)
				})
			}
			var done unitfiles.Changes
			if check {
				var at versions.Pointers
				if at, err = p.store.Pointers(); err == nil {
					done, err = units.Plan(at.Current)
				}
			} else if done, err = units.complete(); done.Any() {
				err = errors.Join(err, units.reload(cmd.Context()))
			}
			err = errors.Join(err, a.term.answer(done, func(t *terminal) { t.unitFiles(done, check) }))
			if err == nil && !check && done.Own() {
				a.term.note("the daemon that runs keeps its sandbox until: systemctl restart " + unitfiles.DaemonUnit)
			}
			if err == nil && check && done.Any() {
				return fmt.Errorf("%d unit files are not as they should be; run tope-updater units", len(done.Changes))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "only tell what is to be done")
	return cmd
}

// makeMoved makes the directories that the configuration has moved: the daemon's sandbox
// opens only what is there when the daemon starts. If the power goes now, some of them
// are there, empty.
func (d *device) makeMoved() error {
	if d.cfg.Services.Manager != config.Systemd {
		return nil
	}
	for _, dir := range d.cfg.Needs(d.root).Directories() {
		host, err := d.root.Resolve(dir)
		if err != nil {
			return err
		}
		if err := disk.MkdirAll(host, 0o755); err != nil {
			return fmt.Errorf("cannot make the directory that the configuration names: %w", err)
		}
	}
	return nil
}

func (t *terminal) unitFiles(c unitfiles.Changes, check bool) {
	to := ""
	if check {
		to = "to be "
	}
	for _, one := range c.Changes {
		t.say("%s: %s%s", one.Path, to, one.What)
	}
	for _, l := range c.Left {
		t.say("%s: left alone: %s", l.Unit, l.Why)
	}
	if len(c.Changes) == 0 {
		t.say("all unit files are as they should be")
	}
}
