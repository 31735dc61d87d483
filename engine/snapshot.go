package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// snapshot is what polls are answered from: made once for each change, read
// any number of times, without a lock and without a disk.
type snapshot struct {
	journal  *journal.Fold
	pointers versions.Pointers
	live     *live
}

// live is the running step's progress.
type live struct {
	state State
	meter steps.Meter
	most  atomic.Int64 // the highest percentage shown, which never goes back
}

// newMeter begins a step's progress and shows it.
func (e *Engine) newMeter(u *journal.Update, s State) *steps.Meter {
	old := e.status.Load()
	if old.live != nil && old.live.state == s {
		return &old.live.meter
	}
	l := &live{state: s}
	e.status.Store(&snapshot{journal: old.journal, pointers: old.pointers, live: l})
	return &l.meter
}

// publish makes the present state the one that is shown, and wakes those who
// wait for a change.
func (e *Engine) publish() error {
	p, err := e.cfg.Versions.Pointers()
	if err != nil {
		return fmt.Errorf("cannot read the pointers: %w", err)
	}
	s := &snapshot{journal: e.cfg.Journal.State(), pointers: p}
	if old := e.status.Load(); old != nil && s.journal.Open != nil && old.live != nil && old.live.state == s.journal.Open.State {
		s.live = old.live
	}
	e.status.Store(s)
	ch := make(chan struct{})
	close(*e.changed.Swap(&ch))
	return nil
}

// Changed returns a channel that is closed at the next change of state.
func (e *Engine) Changed() <-chan struct{} { return *e.changed.Load() }

// Status tells where the device stands. It reads memory only.
func (e *Engine) Status() Status {
	s := e.status.Load()
	st := Status{
		Schema: 1, State: Idle, Pointers: s.pointers, Quarantine: s.journal.Quarantine,
		Journal: JournalStatus{Seq: s.journal.Seq, Damaged: s.journal.Damage != nil}, Trust: e.cfg.Trust(),
	}
	if st.Quarantine == nil {
		st.Quarantine = []journal.Quarantined{}
	}
	if u := s.journal.Open; u != nil {
		st.State = u.State
		st.Update = e.show(u)
		if l := s.live; l != nil && l.state == st.State {
			st.Update.Bytes, st.Update.Total = l.meter.Read()
			st.Update.Note = l.meter.Note()
			st.Update.Progress = l.percent(st.Update.Bytes, st.Update.Total)
		}
	}
	if u := s.journal.Last; u != nil {
		st.Last = e.show(u)
	}
	return st
}

// percent is the progress, which never goes back within a state.
func (l *live) percent(done, total int64) int {
	var p int64
	if total > 0 {
		p = min(max(done, 0), total) * 100 / total
	}
	for {
		most := l.most.Load()
		if p <= most {
			return int(most)
		}
		if l.most.CompareAndSwap(most, p) {
			return int(p)
		}
	}
}

// show turns the journal's update into the status's.
func (e *Engine) show(u *journal.Update) *UpdateStatus {
	s := &UpdateStatus{
		ID: u.ID, Kind: u.Kind, From: u.From, To: u.To, State: u.State, Step: u.Step, Attempt: u.Attempt,
		Accepted: u.Accepted, Ended: u.Ended, Error: showError(u.Error), Cause: showError(u.Cause),
	}
	if s.State == Committed {
		s.Error = nil // what was tried again is in the journal; nothing can be the matter with a success
	}
	// Facts that cannot be read are told where a step needs them.
	if facts, _ := steps.ReadFacts(u.Found); facts.Download != nil {
		s.Wire = facts.Download.Wire
	}
	if u.Terminal {
		s.Progress = 100
		if u.EndedBoot == e.cfg.Clock.Boot() {
			s.SinceEnd = e.cfg.Clock.Monotonic() - u.EndedMono
		} else {
			s.SinceEnd = max(e.cfg.Clock.Now().Sub(u.Ended), 0)
		}
	}
	return s
}

func showError(f *journal.Failure) *ErrorStatus {
	if f == nil {
		return nil
	}
	return &ErrorStatus{Code: f.Code, Class: f.Class, Text: f.Text}
}

// log tells what was journaled, after it is durable.
func (e *Engine) log(r journal.Record) {
	var attrs []any
	level := slog.LevelInfo
	add := func(k, v string) {
		if v != "" {
			attrs = append(attrs, slog.String(k, v))
		}
	}
	event := eventOf(r)
	add("event", string(event))
	add("update", r.Update)
	if u := e.open(); u != nil && u.ID == r.Update {
		add("from", u.From)
		add("to", u.To)
	}
	add("step", string(r.Step))
	add("was", string(r.From))
	add("state", string(r.To))
	add("rule", string(r.Rule))
	add("why", r.Why)
	if r.Took > 0 {
		attrs = append(attrs, slog.Duration("took", r.Took.Round(time.Millisecond)))
	}
	if r.Error != nil {
		level = slog.LevelError
		if r.Error.Class == string(steps.Interrupted) || r.Error.Code == string(steps.AlreadyCurrent) {
			level = slog.LevelInfo // nobody's fault
		}
		attrs = append(attrs, slog.String("code", r.Error.Code), slog.String("err", r.Error.Text))
	}
	switch event {
	case EventAttention, EventFellBack:
		level = slog.LevelError
	case EventRolledBack, EventQuarantine:
		level = slog.LevelWarn
	}
	switch {
	case r.To != "":
		e.cfg.Log.Log(context.Background(), level, "state", attrs...)
	case r.Quarantine != nil:
		attrs = append(attrs, slog.String("release", r.Quarantine.Version), slog.String("digest", r.Quarantine.Digest))
		e.cfg.Log.Log(context.Background(), level, "quarantined", attrs...)
	case r.Rule != "" || r.Error != nil:
		e.cfg.Log.Log(context.Background(), level, "journal", attrs...)
	}
}
