package engine

import (
	"fmt"
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
	clock clock.Clock
	trust func() string

	shown   atomic.Pointer[view]
	changed atomic.Pointer[chan struct{}]
}

// view is what polls are answered from. It is made once for each change and
// never written to, but for the two counters in live.
type view struct {
	fold     *journal.Fold
	pointers versions.Pointers
	live     *live
}

// live is the progress of the step of a state.
type live struct {
	state State
	meter steps.Meter
	most  atomic.Int64 // the highest percentage shown, which never goes back
}

func newBoard(cfg Config) *board {
	b := &board{versions: cfg.Versions, clock: cfg.Clock, trust: cfg.Trust}
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
	v := &view{fold: f, pointers: p}
	if old := b.shown.Load(); old != nil && f.Open != nil && old.live != nil && old.live.state == f.Open.State {
		v.live = old.live
	}
	b.shown.Store(v)
	ch := make(chan struct{})
	close(*b.changed.Swap(&ch))
	return nil
}

// meter returns the meter that is shown while the step of state s is at work. A
// step that is tried again in the same state goes on with the same meter.
func (b *board) meter(s State) *steps.Meter {
	old := b.shown.Load()
	if old.live != nil && old.live.state == s {
		return &old.live.meter
	}
	l := &live{state: s}
	b.shown.Store(&view{fold: old.fold, pointers: old.pointers, live: l})
	return &l.meter
}

// pointers are the ones that are shown.
func (b *board) pointers() versions.Pointers { return b.shown.Load().pointers }

// status is what the board shows.
func (b *board) status() Status {
	v := b.shown.Load()
	st := Status{
		Schema: 1, State: Idle, Pointers: v.pointers, Quarantine: v.fold.Quarantine,
		Journal: JournalStatus{Seq: v.fold.Seq, Damaged: v.fold.Damage != nil}, Trust: b.trust(),
	}
	if st.Quarantine == nil {
		st.Quarantine = []journal.Quarantined{}
	}
	if u := v.fold.Open; u != nil {
		st.State = u.State
		st.Update = b.update(u)
		if l := v.live; l != nil && l.state == st.State {
			st.Update.Bytes, st.Update.Total = l.meter.Read()
			st.Update.Note = l.meter.Note()
			st.Update.Progress = l.percent(st.Update.Bytes, st.Update.Total)
		}
	}
	if u := v.fold.Last; u != nil {
		st.Last = b.update(u)
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

// update is the journal's update as the status tells of it.
func (b *board) update(u *journal.Update) *UpdateStatus {
	s := &UpdateStatus{
		ID: u.ID, Kind: u.Kind, From: u.From, To: u.To, State: u.State, Hold: u.Hold, Step: u.Step, Attempt: u.Attempt,
		Accepted: u.Accepted, Ended: u.Ended, Error: errorStatus(u.Error), Cause: errorStatus(u.Cause),
	}
	if s.State == Committed {
		s.Error = nil // a success has no error; the failed attempts are in the journal
	}
	// Unreadable facts are left out here: the step that needs them reports them.
	if facts, _ := steps.ReadFacts(u.Found); facts.Download != nil {
		s.Wire = facts.Download.Wire
	}
	if u.Terminal {
		s.Progress = 100
		s.SinceEnd = b.since(u)
	}
	return s
}

// since is how long ago an update ended.
func (b *board) since(u *journal.Update) time.Duration {
	if u.EndedBoot == b.clock.Boot() {
		return b.clock.Monotonic() - u.EndedMono
	}
	return max(b.clock.Now().Sub(u.Ended), 0)
}

func errorStatus(f *journal.Failure) *ErrorStatus {
	if f == nil {
		return nil
	}
	return &ErrorStatus{Code: f.Code, Class: f.Class, Text: f.Text}
}
