package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// book is the journal as the loop and recovery write it, and the machine that
// says which change of state may be written. One goroutine at a time has it: the
// one that calls Recover and then Run.
type book struct {
	journal  Journal
	machine  *machine
	policy   policy
	board    *board
	versions Versions
	clock    clock.Clock
	log      *slog.Logger
	outbox   outbox
	// fresh says that this process has written the newest intent of a step, and
	// has not begun that step yet.
	fresh bool
}

func newBook(cfg Config, p policy, shown *board) *book {
	b := &book{journal: cfg.Journal, policy: p, board: shown, versions: cfg.Versions, clock: cfg.Clock, log: cfg.Log, outbox: outbox{cfg.Everywhere, cfg.Versions, cfg.Log}}
	b.machine = newMachine(b.state, b.write)
	return b
}

// open is the update that is not closed yet; nil when there is none.
func (b *book) open() *journal.Update { return b.journal.State().Open }

// state is the machine's: Idle when no update is open.
func (b *book) state() State {
	if u := b.open(); u != nil {
		return u.State
	}
	return Idle
}

// write is the state mutator: the outcome, the state it leads to and the next
// intent become one transaction. If the power goes before it is durable the
// old state stands and the step is entered again; afterwards the new one does.
func (b *book) write(_ context.Context, to State, c change) error {
	m := c.move
	m.To, m.Terminal = to, Terminal(to)
	m.Update, m.Progress = c.update.ID, b.board.left(m.From, m.Trigger)
	m.Owed = b.outbox.owed(c, m)
	recs := slices.Concat(c.first, []journal.Record{m}, c.then)
	if StepOf(to) != "" {
		next := *c.update
		next.State = to
		if m.Learn != nil && m.Learn.To != "" {
			next.To = m.Learn.To
		}
		recs = append(recs, intent(&next, 1))
	}
	return b.append(recs...)
}

// append journals, and shows the new state to those who poll.
func (b *book) append(recs ...journal.Record) error {
	for _, r := range recs {
		if r.Phase == journal.Intent && r.Step != "" {
			b.fresh = true
		}
	}
	if _, err := b.journal.Append(recs...); err != nil {
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	for _, r := range recs {
		narrate(b.log, b.open(), r)
	}
	return b.publish()
}

// publish shows the fold and the pointers as they are now to those who poll.
func (b *book) publish() error { return b.board.publish(b.journal.State()) }

// fire moves the open update by trigger t. The record and those that follow it
// go into the transaction of the change.
func (b *book) fire(ctx context.Context, t Trigger, move journal.Record, then ...journal.Record) error {
	u := b.open()
	move.From, move.Trigger = b.state(), t
	if t == Fail && Switched(move.From) {
		move.Why = b.policy.exempt(move.Why, wayBack(u, move.From))
	}
	if move.Phase == "" {
		move.Phase = journal.Outcome
	}
	return b.machine.fire(ctx, t, change{update: u, move: move, then: then})
}

// giveUp takes the failure edge of the present state. A release that is to blame
// goes into quarantine in the same transaction.
func (b *book) giveUp(ctx context.Context, rec journal.Record, err *steps.Error, then ...journal.Record) error {
	u := b.open()
	rec.Error = asFailure(err)
	if q := b.policy.verdict(u, err); q != nil {
		then = append(then, journal.Record{Update: u.ID, Phase: journal.Outcome, Quarantine: q})
	}
	return b.fire(ctx, Fail, rec, then...)
}

// refuse takes the failure edge because of what a step has learnt. The step
// itself did its work, so its own record is a success.
func (b *book) refuse(ctx context.Context, done journal.Record, err *steps.Error) error {
	u := b.open()
	done.Update, done.Phase = u.ID, journal.Outcome
	return b.machine.fire(ctx, Fail, change{update: u, first: []journal.Record{done}, move: journal.Record{
		From: u.State, Trigger: Fail, Phase: journal.Outcome, Error: asFailure(err),
	}})
}

// admit opens the update id (newID) with the pointers as they are now, and returns the
// id. Its acceptance is durable when this returns.
func (b *book) admit(ctx context.Context, id string, a journal.Accept) (string, error) {
	p, err := b.versions.Pointers()
	if err != nil {
		return "", fmt.Errorf("cannot read the pointers: %w", err)
	}
	a.Before, a.From = p, p.Current
	rec := journal.Record{Update: id, By: Asker(ctx), Accept: &a}
	if a.Kind == Restore {
		rec.Why = b.policy.exempt("", a.To)
	}
	return b.admitAs(ctx, rec)
}

// admitAs opens the update that rec accepts.
func (b *book) admitAs(ctx context.Context, rec journal.Record) (string, error) {
	rec.Phase = journal.Outcome
	rec.From, rec.Trigger = Idle, Accept
	return rec.Update, b.machine.fire(ctx, Accept, change{
		update: &journal.Update{ID: rec.Update, Kind: rec.Accept.Kind, To: rec.Accept.To}, move: rec,
	})
}

// newID names an update so that names sort by time; the journal's sequence
// number makes it unique even where the clock stands still.
func (b *book) newID() string {
	return fmt.Sprintf("%s-%d", b.clock.Now().UTC().Format("20060102-150405"), b.journal.State().Seq+1)
}

// stepRecord begins a record about the step of a state.
func stepRecord(s State, attempt int) journal.Record {
	return journal.Record{Step: journal.Step(StepOf(s)), Attempt: attempt}
}

// intent announces the step of the state that u is in. When the step moves
// pointers, the record has their targets.
func intent(u *journal.Update, attempt int) journal.Record {
	r := stepRecord(u.State, attempt)
	r.Update, r.Phase = u.ID, journal.Intent
	if u.State == Switching || rowOf(u.State).back {
		r.Evidence = evidence(struct {
			Target versions.Pointers `json:"target"`
		}{target(u)})
	}
	return r
}

func asFailure(err *steps.Error) *journal.Failure {
	line, details := err.Tell()
	return &journal.Failure{Code: string(err.Code), Class: string(err.Class), Text: line, Details: details, Outline: steps.OneLine(err.Outline), Late: figuresOf("", err.Late...)}
}

// evidence marshals a step's evidence. Evidence that cannot be marshalled is
// replaced by the error, so that the outcome is not lost over it.
func evidence(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		b, _ = json.Marshal(map[string]string{"unreadable": err.Error()})
	}
	return b
}
