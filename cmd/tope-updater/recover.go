package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
)

func (a *app) recoverCommand() *cobra.Command {
	var finish bool
	var logFormat string
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "make the device whole after a power cut, before its services start",
		Long: `Make pointers and links whole after a power cut or crash, and count the boot. It
runs at boot, before the services and the daemon: it downloads nothing, deletes
no trees and starts no service; the daemon does the rest.

Without a journal that can be written it makes "current" resolve all the same,
and exits with 1; but a device that was never updated has no journal yet: it
exits with 0.

With --finish it goes on until the update is over, as the daemon would: for
devices on which no daemon runs, and rescue shells.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.device()
			if err != nil {
				return err
			}
			// Standard output tells what recover does. Only systemd's journal gets
			// more: fields to search for.
			if a.term.underJournal() || logFormat != logAuto {
				if d.log, err = a.term.logger(logFormat); err != nil {
					return err
				}
			}
			if finish {
				return a.recoverFinish(cmd.Context(), d)
			}
			return a.recoverOnce(cmd.Context(), d)
		},
	}
	logFlag(cmd, &logFormat)
	cmd.Flags().BoolVar(&finish, "finish", false, "go on until the update is over")
	return cmd
}

// recoverOnce is the oneshot at boot.
func (a *app) recoverOnce(ctx context.Context, d *device) error {
	p, err := d.parts(false)
	if err != nil {
		return err
	}
	// Do not wait for another writer. Services pull recover in: when recover has not
	// run in this boot, a service that an update restarts would wait here.
	var j engine.Journal = newScratch()
	real, jerr := d.openJournal(opening{hasty: true})
	switch {
	case jerr == nil:
		j = real
	case errors.Is(jerr, errLocked):
		return jerr // a daemon runs, and has recovered already
	}
	if err := p.lockTree(ctx, 0); err != nil {
		// An updater with another configuration has this tree: its pointers are not ours.
		if real != nil {
			err = errors.Join(err, real.Close())
		}
		return err
	}
	e, err := p.quietEngine(j)
	repaired := false
	if err == nil {
		var report engine.Report
		if report, err = e.Recover(ctx, engine.Oneshot); err == nil {
			err = a.reported(report)
		}
		for _, act := range report.Actions {
			repaired = repaired || act.Rule != engine.RuleWhole && act.Rule != engine.RuleEmpty
		}
	}
	err = errors.Join(err, p.manage(), p.unitFiles().follow(ctx, e), p.close())
	if real != nil {
		err = errors.Join(err, real.Close())
	}
	if errors.Is(jerr, journal.ErrMissing) && err == nil && !repaired {
		// A device that was never updated has no journal yet at its first boot, and
		// nothing is wrong with it. A device that was updated has lost its journal, or
		// its partition is not mounted.
		var before bool
		if before, err = p.updatedBefore(); err == nil && !before {
			return nil
		}
	}
	if jerr != nil {
		jerr = fmt.Errorf("recovered without a journal: %w", jerr)
		if errors.Is(jerr, journal.ErrMissing) {
			jerr = fmt.Errorf("%w; the daemon makes one when it first starts; if there was one before, mount its partition", jerr)
		}
	}
	return errors.Join(err, jerr)
}

// recoverFinish does what a daemon would, until nothing is left to do.
func (a *app) recoverFinish(ctx context.Context, d *device) error {
	s, err := a.workIn(ctx, d, finishes)
	if err != nil {
		return err
	}
	defer s.close()
	st, err := s.Status(ctx)
	if err != nil {
		return err
	}
	if st.Update == nil {
		if err := s.tidied(); err != nil {
			return err
		}
		return a.term.answer(st, func(t *terminal) { t.say("nothing to finish; current is %s", orNone(st.Pointers.Current)) })
	}
	// An update without a hold passes through Ready too. When a cut stopped it
	// there, it goes on by itself.
	if st.Update.State == engine.Ready && st.Update.Hold {
		return a.term.answer(st, func(t *terminal) { t.say("update %s waits for its install request", st.Update.ID) })
	}
	u, err := a.follow(ctx, s, st.Update.ID)
	if a.term.json && u.ID != "" {
		return errors.Join(err, a.term.document(u))
	}
	return err
}

// reported tells what recovery did. A device without a whole version is not
// well, whatever else went right.
func (a *app) reported(r engine.Report) error {
	err := a.term.answer(r, func(t *terminal) {
		for _, act := range r.Actions {
			t.say("%s: %s", act.Rule, act.Why)
			for _, m := range act.Moves {
				t.say("  %s now leads to %s", m.Pointer, orNone(m.To))
			}
		}
	})
	if r.Differs != "" {
		a.term.note("%s", r.Differs)
	}
	if err == nil && !r.Whole {
		return fmt.Errorf("%w: no pointer leads to a whole version", errAttention)
	}
	return err
}
