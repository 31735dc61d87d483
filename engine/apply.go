package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// recovery makes the journal and the world agree, before the loop runs.
type recovery struct {
	book     *book
	observer observer
	programs programs
	versions Versions
	data     dataReturn
	starter  Starter
	budget   int
	// outOfMemory is Config.OutOfMemory.
	outOfMemory func() bool
	log         *slog.Logger
}

func newRecovery(cfg Config, b *book) *recovery {
	return &recovery{
		book: b, programs: programs{cfg.Program}, versions: cfg.Versions, data: dataReturn{cfg.Data, b, cfg.Log}, starter: cfg.Starter, budget: cfg.Budget, outOfMemory: cfg.OutOfMemory, log: cfg.Log,
		observer: observer{journal: cfg.Journal, versions: cfg.Versions, data: cfg.Data, clock: cfg.Clock, log: cfg.Log},
	}
}

// seen is an observation as the journal keeps it.
type seen struct {
	By          By                        `json:"by"`
	OutOfMemory bool                      `json:"out_of_memory,omitempty"`
	Pointers    versions.Pointers         `json:"pointers"`
	Strange     map[string]string         `json:"strange,omitempty"`
	States      map[string]versions.State `json:"versions,omitempty"`
	Marker      string                    `json:"marker,omitempty"`
	Moves       []Move                    `json:"moves,omitempty"`
}

// telling has the reasons for which a decision is journaled before it is
// carried out. Without any of them the decision changes nothing, and to journal
// it would only fill the journal of a device that boots every day.
type telling struct {
	// spends: the start counts against the state's budget.
	spends bool
	// changes: a pointer or the marker is about to be changed.
	changes bool
	// interrupted: the daemon goes on with an update that was cut short.
	interrupted bool
	// alarms: the daemon found no whole version.
	alarms bool
}

func (t telling) needed() bool { return t.spends || t.changes || t.interrupted || t.alarms }

func tellingOf(a Action, o Observation, u *journal.Update) telling {
	return telling{
		spends:      a.Spend != nil,
		changes:     len(a.Moves) > 0 || a.Unmark,
		interrupted: o.By == Daemon && u != nil && !u.Terminal,
		alarms:      o.By == Daemon && a.Rule == RuleAttention,
	}
}

// apply carries a decision out: the observation and the intent are journaled
// before a pointer is touched, the outcome after. If the power goes in between,
// the next recovery sees the same update with pointers at the old or the new
// target, and decides the same again.
func (r *recovery) apply(ctx context.Context, a Action, o Observation) error {
	u := r.book.open()
	if tellingOf(a, o, u).needed() {
		if err := r.book.append(r.observed(a, o, u)); err != nil {
			return err
		}
	}
	if a.Unmark {
		r.startStopped(ctx, o)
	}
	if o.By == Oneshot && (a.Rule == RuleBack || a.Rule == RuleFactory) {
		if err := r.data.putBack(a, u); err != nil {
			return err
		}
	}
	if err := r.setPointers(a); err != nil {
		return err
	}
	if a.Rule == RuleRepair || a.Unmark {
		done := journal.Record{Phase: journal.Outcome, Rule: a.Rule, Why: a.Why}
		if a.Rule == RuleRepair {
			done.Repair = &journal.Repair{To: a.Moves[0].To}
		}
		if u != nil {
			done.Update = u.ID
		}
		return r.book.append(done)
	}
	return r.transition(ctx, a, o, u)
}

// observed is the record of recovery's observation and of its decision.
func (r *recovery) observed(a Action, o Observation, u *journal.Update) journal.Record {
	rec := journal.Record{
		Phase: journal.Observed, Rule: a.Rule, Why: a.Why, Spend: a.Spend,
		Evidence: evidence(seen{o.By, o.OutOfMemory, o.Pointers, o.Strange, o.States, o.Marker, a.Moves}),
	}
	for _, m := range a.Moves {
		if m.Pointer == versions.Current {
			rec.Why = r.book.policy.exempt(rec.Why, m.To)
		}
	}
	if u != nil {
		rec.Update = u.ID
	}
	return rec
}

// transition fires the trigger of a decision, if it has one.
func (r *recovery) transition(ctx context.Context, a Action, o Observation, u *journal.Update) error {
	if a.Fire == "" {
		return nil
	}
	// What was observed is about to become the journal's word. A process that was killed,
	// or an operator's mv, may have left it in the cache only. If the power goes before
	// this returns, the pointers are at the old or the new target, and the same state
	// is decided anew.
	if err := r.versions.Sync(); err != nil {
		return fmt.Errorf("cannot keep the pointers: %w", err)
	}
	if a.Fire == GateOwed {
		return r.admitOwed(ctx, o, a)
	}
	rec := stepRecord(u.State, 0)
	rec.Rule, rec.Why = a.Rule, a.Why
	if a.Fire == Fail {
		err := &steps.Error{Class: steps.Local, Code: a.Code, Err: errors.New(a.Why)}
		return r.book.giveUp(ctx, rec, err, counted(o, u)...)
	}
	return r.book.fire(ctx, a.Fire, rec, counted(o, u)...)
}

// startStopped starts the services that do not run: Switch may have stopped
// them, and the journal that could tell is lost. If the power goes now, they
// start with the device; if only the updater ends, the marker still stands, and
// the updater's next start does this again.
func (r *recovery) startStopped(ctx context.Context, o Observation) {
	if r.starter == nil || o.Pointers.Current == "" {
		return
	}
	t := &steps.Task{Kind: steps.Recovered, Before: o.Pointers, Target: o.Pointers, Meter: &steps.Meter{}}
	if err := r.starter.StartAll(ctx, t); err != nil {
		r.log.Warn("cannot start all services", "err", err)
	}
}

// setPointers sets the pointers a decision names, each durable before the next.
// The links of a version come before current leads to it. A link that cannot be
// made, as on a file system without links, is only logged: the device must still
// be made whole.
func (r *recovery) setPointers(a Action) error {
	for _, m := range a.Moves {
		if m.Pointer == versions.Current && m.To != "" {
			if _, err := r.versions.EnsureLinks(m.To); err != nil {
				r.log.Warn("cannot make all links", "version", m.To, "err", err)
			}
		}
		set := func() error { return r.versions.Point(m.Pointer, m.To) }
		if m.To == "" {
			set = func() error { return r.versions.Unpoint(m.Pointer) }
		}
		if err := set(); err != nil {
			return fmt.Errorf("cannot set %s to %s: %w", m.Pointer, show(m.To), err)
		}
	}
	if a.Unmark {
		if err := r.versions.Unmark(); err != nil {
			return fmt.Errorf("cannot remove the marker: %w", err)
		}
	}
	return nil
}

// counted notes that this boot was counted by recover already, for the state
// that is being entered, so that the daemon's start in it is free.
func counted(o Observation, u *journal.Update) []journal.Record {
	if o.By != Oneshot {
		return nil
	}
	return []journal.Record{{Update: u.ID, Phase: journal.Observed, Spend: &journal.Spend{By: string(Oneshot)}}}
}

// admitOwed opens an update when the marker shows that a gate is owed and the
// journal that knew of it is lost. The update goes from the version that the
// marker leads to, to the one that is current.
func (r *recovery) admitOwed(ctx context.Context, o Observation, a Action) error {
	before := o.Pointers
	before.Current = o.Marker
	if _, err := r.book.admitAs(ctx, journal.Record{
		Update: r.book.newID(), Rule: a.Rule, Why: a.Why, By: &journal.Asker{Kind: journal.ByUpdater},
		Accept: &journal.Accept{Kind: Recovered, From: o.Marker, To: o.Pointers.Current, Before: before},
	}); err != nil {
		return err
	}
	return r.book.fire(ctx, GateOwed, journal.Record{Rule: a.Rule, Why: a.Why})
}
