package engine

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// board is where the loop shows how things stand. Anybody may read it, without a
// lock and without a disk. Only the loop changes it: publish and meter belong to
// its goroutine, and a worker is handed the meter it may turn.
type board struct {
	versions interface {
		Pointers() (versions.Pointers, error)
	}
	clock  clock.Clock
	trust  func() string
	memory Memory
	// before is what an earlier process has shown.
	before Shown
	// keeping is held while the memory is written: by the loop at a change, by the
	// worker at a percent.
	keeping sync.Mutex
	// replacing is Status.Replacing.
	replacing atomic.Bool

	shown   atomic.Pointer[view]
	changed atomic.Pointer[chan struct{}]
}

// view is what polls are answered from. It is made once for each change and
// never written to, but for the meter in live.
type view struct {
	fold     *journal.Fold
	pointers versions.Pointers
	live     *live
}

// live is the progress of the step of a state; nil when the state has no step.
type live struct {
	update string
	state  State
	meter  *steps.Meter
}

func newBoard(cfg Config) *board {
	b := &board{versions: cfg.Versions, clock: cfg.Clock, trust: cfg.Trust, memory: cfg.Memory}
	b.before, _ = b.memory.Recall()
	ch := make(chan struct{})
	b.changed.Store(&ch)
	return b
}

// publish shows the fold and the pointers as they are now, and wakes those who
// wait for a change.
func (b *board) publish(f *journal.Fold) error {
	p, err := b.versions.Pointers()
	if err != nil {
		return fmt.Errorf("cannot read the pointers: %w", err)
	}
	v := &view{fold: f, pointers: p, live: b.liveOf(f.Open)}
	b.shown.Store(v)
	b.remember(v, -1)
	b.wake()
	return nil
}

// wake wakes those who wait for a change: the loop has made one, or the worker's step
// stands still or gets on again.
func (b *board) wake() {
	ch := make(chan struct{})
	close(*b.changed.Swap(&ch))
}

// liveOf is the progress of the open update's step. A step that is tried again in the
// same state goes on with the same meter; a state that is entered again, or was entered
// by an earlier process, begins where it was.
func (b *board) liveOf(u *journal.Update) *live {
	if u == nil || StepOf(u.State) == "" {
		return nil
	}
	if old := b.shown.Load(); old != nil && old.live != nil && old.live.state == u.State && old.live.update == u.ID {
		return old.live
	}
	l := &live{update: u.ID, state: u.State}
	from := max(u.Reached[u.State], b.before.percent(u.ID, u.State))
	l.meter = steps.NewMeter(from, func(percent int) { b.remember(b.shown.Load(), percent) })
	l.meter.OnStand(b.wake)
	return l
}

// meter returns the meter that is shown while the step of the open update is at work.
func (b *board) meter() *steps.Meter { return b.shown.Load().live.meter }

// left is how far the step of a state has come that is about to be left by a trigger,
// in percent.
func (b *board) left(s State, t Trigger) int {
	switch l := b.shown.Load().live; {
	case StepOf(s) == "":
		return 0
	case t == Succeed:
		return 100
	case l != nil && l.state == s:
		return l.meter.Percent()
	}
	return 0
}

// remember keeps what v shows, with the step at a percentage that is about to be
// shown; -1 for the one that is.
func (b *board) remember(v *view, percent int) {
	b.keeping.Lock()
	defer b.keeping.Unlock()
	st := b.statusOf(v)
	s := Shown{Boot: b.clock.Boot(), Open: st.Update != nil, Update: st.Update}
	if !s.Open {
		s.Update = st.Last
	}
	if s.Update != nil {
		s.Reached = s.Update.Reached
		s.Update.Progress = max(s.Update.Progress, percent)
	}
	b.memory.Keep(s)
}

// pointers are the ones that are shown.
func (b *board) pointers() versions.Pointers { return b.shown.Load().pointers }

// status is what the board shows.
func (b *board) status() Status {
	st := b.statusOf(b.shown.Load())
	st.Replacing = b.replacing.Load()
	return st
}

func (b *board) statusOf(v *view) Status {
	st := Status{
		Schema: 1, State: Idle, Pointers: v.pointers, Committed: v.fold.Committed, Repaired: v.fold.Repaired, Quarantined: len(v.fold.Quarantine),
		Journal: JournalStatus{Seq: v.fold.Seq, Damaged: v.fold.Damage != nil}, Trust: b.trust(),
	}
	st.Quarantine = append([]journal.Quarantined{}, v.fold.Quarantine[max(0, st.Quarantined-shownQuarantine):]...)
	if u := v.fold.Open; u != nil {
		st.State = u.State
		st.Update = b.update(u)
		if v.live != nil {
			b.measure(st.Update, v.live.meter)
		}
	}
	if u := v.fold.Last; u != nil {
		st.Last = b.update(u)
	}
	return st
}

// shownQuarantine is how many entries a Status has: it is asked for often.
const shownQuarantine = 8

// quarantine has all entries, oldest first.
func (b *board) quarantine() []journal.Quarantined { return b.shown.Load().fold.Quarantine }

// measure tells what the meter of the update's step says.
func (b *board) measure(s *UpdateStatus, m *steps.Meter) {
	s.Bytes, s.Total = m.Read()
	s.Progress = m.Percent()
	if p := m.Pause(); p != nil {
		s.Note = p.String()
		s.Pause = &Pause{Why: p.Why, Outline: p.Outline, Note: p.Outlined().String(), Next: max(p.Until-b.clock.Monotonic(), 0)}
	}
}

// update is the journal's update as the status tells of it.
func (b *board) update(u *journal.Update) *UpdateStatus {
	s := &UpdateStatus{
		ID: u.ID, Kind: u.Kind, From: u.From, To: u.To, State: u.State, Hold: holds(u), Check: u.Check, By: u.By, Step: u.Step, Attempt: u.Attempt,
		Reached: u.Reached, Accepted: u.Accepted, Ended: u.Ended, Span: u.Span, Error: errorStatus(u.Error), Cause: errorStatus(u.Cause),
	}
	if Success(s.State) {
		s.Error = nil // a success has no error; the failed attempts are in the journal
	}
	// Unreadable facts are left out here: the step that needs them reports them.
	if facts, _ := steps.ReadFacts(u.Found); facts.Download != nil {
		s.Wire = facts.Download.Wire
	}
	if len(u.Findings) > 0 {
		_ = json.Unmarshal(u.Findings, &s.Findings) // those of a newer program may be unreadable
	}
	if u.Terminal {
		s.Progress = u.Reached[StateOf(steps.Name(u.Step))]
		if u.State == Committed {
			s.Progress = 100
		}
		s.SinceEnd = b.since(u)
	}
	return s
}

// since is how long ago an update ended. Where the wall clock cannot tell, it is
// the time since this boot, which is less.
func (b *board) since(u *journal.Update) time.Duration {
	d, _ := u.Ending().Until(instant(b.clock))
	return d
}

// instant is now.
func instant(c clock.Clock) journal.Instant {
	return journal.Instant{Time: c.Now(), Mono: c.Monotonic(), Boot: c.Boot()}
}

func errorStatus(f *journal.Failure) *ErrorStatus {
	if f == nil {
		return nil
	}
	s := &ErrorStatus{Code: f.Code, Class: f.Class, Text: f.Text, Details: f.Details, Outline: f.Outline}
	// A program before this one wrote all that it knew into the text.
	if short := steps.Shorten(steps.OneLine(f.Text), 2*steps.LongestLine); short != f.Text && f.Details == "" {
		s.Text, s.Details = short, f.Text
	}
	return s
}
