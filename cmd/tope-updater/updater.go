package main

import (
	"context"
	"errors"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
)

// updater is a running program: what serve and in-process verbs share.
type updater struct {
	*parts
	engine  *engine.Engine
	journal *journal.Journal
}

func (u *updater) close() error { return errors.Join(u.parts.close(), u.journal.Close()) }

// start opens everything and recovers, as at a daemon's start. The engine does
// not run yet.
func (p *parts) start(ctx context.Context, how opening) (_ *updater, err error) {
	u := &updater{parts: p}
	if u.journal, err = p.openJournal(how); err != nil {
		return nil, err
	}
	if err := p.lockTree(ctx, lockPatience); err != nil {
		return nil, errors.Join(err, u.journal.Close())
	}
	if err := p.manage(); err != nil {
		return nil, errors.Join(err, u.close())
	}
	shown, err := p.memory()
	if err != nil {
		return nil, errors.Join(err, u.close())
	}
	if u.engine, err = p.newEngine(u.journal, shown); err != nil {
		return nil, errors.Join(err, u.close())
	}
	if how.admit != nil {
		if err := how.admit(u.engine); err != nil {
			return nil, errors.Join(err, u.close())
		}
	}
	if err := u.noteLoss(); err != nil {
		return nil, errors.Join(err, u.close())
	}
	report, err := u.engine.Recover(ctx, engine.Daemon)
	if err != nil {
		return nil, errors.Join(err, u.close())
	}
	u.logReport(report)
	if err := p.unitFiles().follow(ctx, u.engine); err != nil {
		// The services run, or will be judged; a switch tries again.
		p.log.Error("unit files do not agree with the current version", "err", err)
	}
	return u, nil
}

// noteLoss has the engine record that a journal must have been lost: the journal
// is new, but an update has been at work on this device. A damaged journal needs
// no such record: the creation of the new journal has recorded the damage.
func (u *updater) noteLoss() error {
	fresh, damage := u.journal.Fresh()
	if damage != nil {
		u.log.Error("the journal was damaged; a new one has begun", "event", engine.EventJournalDamaged, "err", damage.Text)
	}
	if !fresh || damage != nil {
		return nil
	}
	before, err := u.updatedBefore()
	if err != nil || !before {
		return err
	}
	return u.engine.NoteJournalLost()
}

func (u *updater) logReport(r engine.Report) {
	for _, a := range r.Actions {
		if a.Rule != engine.RuleWhole && a.Rule != engine.RuleEmpty {
			u.log.Info("recovery", "event", engine.EventRecovered, "rule", a.Rule, "why", a.Why)
		}
	}
}
