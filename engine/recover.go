package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// rounds bounds recovery: each round but the last moves the machine one state
// on or mends one thing, and the longest way (Switching, RollingBack,
// FallingBack, NeedsAttention, then current itself) takes fewer.
const rounds = 12

// Report is what a recovery did, for the program's last line and its exit code.
type Report struct {
	By      By       `json:"by"`
	Actions []Action `json:"actions"`
	// State is where the open update stands afterwards; Idle when there is none.
	State State `json:"state"`
	// Whole is set when current leads to a whole version, or none was ever installed.
	Whole bool `json:"whole"`
}

// Recover looks at the journal and the world and makes them agree. By Oneshot
// it sets pointers and links and counts the boot; by Daemon it leaves to the
// loop what a step does with its services stopped. It may be cut anywhere and
// run again; a second run in the same boot finds nothing to do.
//
// Call it before Run, in the same goroutine.
func (e *Engine) Recover(ctx context.Context, by By) (Report, error) {
	rep := Report{By: by}
	if err := e.tookOver(by); err != nil {
		return rep, err
	}
	failed := false
	for range rounds {
		o, err := e.observe(by)
		if err != nil {
			return rep, err
		}
		o.Failed = failed
		a := decide(e.cfg.Journal.State(), o, e.cfg.Budget)
		rep.Actions = append(rep.Actions, a)
		if err := e.apply(ctx, a, o); err != nil {
			return rep, err
		}
		if a.Again {
			failed = a.Fire == Fail
			continue
		}
		rep.State, _ = e.state()
		rep.Whole = o.usable(o.Pointers.Current) || a.Rule == RuleEmpty
		return rep, nil
	}
	return rep, fmt.Errorf("recovery did not settle within %d rounds; the last rule was %q", rounds, rep.Actions[len(rep.Actions)-1].Rule)
}

// observe looks at the world. It changes nothing.
func (e *Engine) observe(by By) (Observation, error) {
	o := Observation{By: by, Boot: e.cfg.Clock.Boot(), Strange: map[string]string{}, States: map[string]versions.State{}}
	var err error
	if o.Pointers, err = e.cfg.Versions.Pointers(); err != nil {
		return o, fmt.Errorf("cannot read the pointers: %w", err)
	}
	for name, at := range map[string]string{versions.Current: o.Pointers.Current, versions.Previous: o.Pointers.Previous, versions.Factory: o.Pointers.Factory} {
		raw, there, err := e.cfg.Versions.Raw(name)
		switch {
		case errors.Is(err, versions.ErrForeign):
			o.Strange[name] = "(no link)"
		case err != nil:
			return o, fmt.Errorf("cannot read the pointer %s: %w", name, err)
		case there && at == "":
			o.Strange[name] = raw
		}
	}
	switch o.Marker, o.Marked, err = e.cfg.Versions.Marker(); {
	case errors.Is(err, versions.ErrForeign):
		// Not of our making: it tells nothing.
		e.cfg.Log.Warn("the marker leads to no version; it is ignored", "err", err)
		o.Marker, o.Marked = "", false
	case err != nil:
		return o, fmt.Errorf("cannot read the marker: %w", err)
	}
	o.Unprepared = e.unprepared()
	names := []string{o.Pointers.Current, o.Pointers.Previous, o.Pointers.Factory, o.Marker}
	if u := e.open(); u != nil {
		names = append(names, u.From, u.To, u.Before.Previous, u.Before.Factory)
	}
	for _, v := range names {
		if v == "" {
			continue
		}
		if _, known := o.States[v]; known {
			continue
		}
		// A version that cannot be read is as good as damaged: a bad block must
		// not keep a device from going to another version.
		if o.States[v], err = e.cfg.Versions.State(v); err != nil {
			e.cfg.Log.Warn("cannot read a version", "version", v, "err", err)
		}
	}
	return o, nil
}

// seen is an observation as the journal keeps it.
type seen struct {
	By       By                        `json:"by"`
	Pointers versions.Pointers         `json:"pointers"`
	Strange  map[string]string         `json:"strange,omitempty"`
	States   map[string]versions.State `json:"versions,omitempty"`
	Marker   string                    `json:"marker,omitempty"`
	Moves    []Move                    `json:"moves,omitempty"`
}

// apply carries a decision out: the observation and the intent are journaled
// before a pointer is touched, the outcome after. If the power goes in between,
// the next recovery sees the same update with pointers at the old or the new
// target, and decides the same again.
func (e *Engine) apply(ctx context.Context, a Action, o Observation) error {
	u := e.open()
	rec := journal.Record{
		Phase: journal.Observed, Rule: a.Rule, Why: a.Why, Spend: a.Spend,
		Evidence: evidence(seen{o.By, o.Pointers, o.Strange, o.States, o.Marker, a.Moves}),
	}
	for _, m := range a.Moves {
		if m.Pointer == versions.Current {
			rec.Why = e.exempt(rec.Why, m.To)
		}
	}
	if u != nil {
		rec.Update = u.ID
	}
	interrupted := u != nil && !u.Terminal && o.By == Daemon
	if a.Spend != nil || len(a.Moves) > 0 || a.Unmark || interrupted || a.Rule == RuleAttention && o.By == Daemon {
		if err := e.append(rec); err != nil {
			return err
		}
	}
	if a.Unmark {
		e.startStopped(ctx, o)
	}
	if (a.Rule == RuleBack || a.Rule == RuleFactory) && o.By == Oneshot {
		if err := e.putBack(a, u); err != nil {
			return err
		}
	}
	if err := e.move(a); err != nil {
		return err
	}
	if a.Rule == RuleRepair || a.Unmark {
		return e.append(journal.Record{Phase: journal.Outcome, Update: rec.Update, Rule: a.Rule, Why: a.Why})
	}
	switch a.Fire {
	case "":
		return nil
	case GateOwed:
		return e.acceptOwed(ctx, o, a)
	case Fail:
		err := &steps.Error{Class: steps.Local, Code: a.Code, Err: errors.New(a.Why)}
		return e.failAt(ctx, a, err, o)
	}
	return e.fire(ctx, a.Fire, journal.Record{Step: journal.Step(StepOf(u.State)), Rule: a.Rule, Why: a.Why}, e.counted(o, u)...)
}

// startStopped starts the services that do not run: the journal that could tell
// whether Switch had stopped them is lost. If the power goes now, they start
// with the device; if only the updater ends, the marker still stands, and its
// next start does this again.
func (e *Engine) startStopped(ctx context.Context, o Observation) {
	if e.cfg.Starter == nil || o.Pointers.Current == "" {
		return
	}
	t := &steps.Task{Kind: steps.Recovered, Before: o.Pointers, Target: o.Pointers, Meter: &steps.Meter{}}
	if err := e.cfg.Starter.StartAll(ctx, t); err != nil {
		e.cfg.Log.Warn("cannot start all services", "err", err)
	}
}

// move sets the pointers a decision names, each durable before the next. The
// links of a version come before current leads to it; but no link, and no file
// system that cannot take one, keeps a device from being made whole.
func (e *Engine) move(a Action) error {
	for _, m := range a.Moves {
		if m.Pointer == versions.Current && m.To != "" {
			if _, err := e.cfg.Versions.EnsureLinks(m.To); err != nil {
				e.cfg.Log.Warn("cannot make all links", "version", m.To, "err", err)
			}
		}
		set := func() error { return e.cfg.Versions.Point(m.Pointer, m.To) }
		if m.To == "" {
			set = func() error { return e.cfg.Versions.Unpoint(m.Pointer) }
		}
		if err := set(); err != nil {
			return fmt.Errorf("cannot set %s to %s: %w", m.Pointer, show(m.To), err)
		}
	}
	if a.Unmark {
		if err := e.cfg.Versions.Unmark(); err != nil {
			return fmt.Errorf("cannot remove the marker: %w", err)
		}
	}
	return nil
}

// failAt takes the failure edge on recovery's word.
func (e *Engine) failAt(ctx context.Context, a Action, err *steps.Error, o Observation) error {
	u := e.open()
	rec := journal.Record{Step: journal.Step(StepOf(u.State)), Rule: a.Rule, Why: a.Why, Error: failure(err)}
	then := e.counted(o, u)
	if q := e.quarantine(u, err); q != nil {
		then = append(then, journal.Record{Update: u.ID, Phase: journal.Outcome, Quarantine: q})
	}
	return e.fire(ctx, Fail, rec, then...)
}

// counted notes that this boot was counted by recover already, for the state
// that is being entered, so that the daemon's start in it is free.
func (e *Engine) counted(o Observation, u *journal.Update) []journal.Record {
	if o.By != Oneshot {
		return nil
	}
	return []journal.Record{{Update: u.ID, Phase: journal.Observed, Spend: &journal.Spend{By: string(Oneshot)}}}
}

// acceptOwed opens an update for a gate that is owed though the journal that
// knew of it is lost: from where the marker leads, to what is current.
func (e *Engine) acceptOwed(ctx context.Context, o Observation, a Action) error {
	before := o.Pointers
	before.Current = o.Marker
	rec := journal.Record{
		Update: e.newID(), Phase: journal.Outcome, Rule: a.Rule, Why: a.Why,
		Accept: &journal.Accept{Kind: Recovered, From: o.Marker, To: o.Pointers.Current, Before: before},
	}
	if err := e.accept(ctx, rec); err != nil {
		return err
	}
	return e.fire(ctx, GateOwed, journal.Record{Rule: a.Rule, Why: a.Why})
}
