package steps

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Notes keeps one small value for a step of an update, such as a download's
// checkpoint; each Save replaces it. The value survives power cuts from the moment
// Save returns, and is removed with the update. Each Save costs a journal transaction.
type Notes interface {
	Load(v any) (bool, error)
	Save(v any) error
}

// Meter is a step's live progress: two counters, their percentage and a pause, which
// the HTTP layer reads without touching the disk. Safe for concurrent use. The zero
// Meter begins at 0 %.
type Meter struct {
	done, total atomic.Int64
	pause       atomic.Pointer[Pause]

	most   atomic.Int64 // the percentage, which never goes back
	rising sync.Mutex   // held while most rises
	rises  func(percent int)
	stands func()
}

// NewMeter makes a meter that begins at a percentage, which the step has reached in an
// earlier run. rises is called with each higher one before Percent tells it, in the
// goroutine of the step; nil for none.
func NewMeter(percent int, rises func(percent int)) *Meter {
	m := &Meter{rises: rises}
	m.most.Store(int64(min(max(percent, 0), 100)))
	return m
}

// Set sets bytes done so far and the total; total 0 means unknown.
func (m *Meter) Set(done, total int64) {
	m.total.Store(total)
	m.done.Store(done)
	m.rise(done, total)
}

// Add counts n more bytes as done.
func (m *Meter) Add(n int64) { m.rise(m.done.Add(n), m.total.Load()) }

// Read returns bytes done so far and the total.
func (m *Meter) Read() (done, total int64) { return m.done.Load(), m.total.Load() }

// Percent is the progress from 0 to 100. It never goes back, whatever Set says: more
// may be to come than was thought, and a step may begin again.
func (m *Meter) Percent() int { return int(m.most.Load()) }

func (m *Meter) rise(done, total int64) {
	if total <= 0 {
		return
	}
	p := min(max(done, 0), total) * 100 / total
	if p <= m.most.Load() {
		return
	}
	m.rising.Lock()
	defer m.rising.Unlock()
	if p <= m.most.Load() {
		return
	}
	if m.rises != nil {
		m.rises(int(p))
	}
	m.most.Store(p)
}

// Pause is what a step waits for between two tries.
type Pause struct {
	// Why says in a few words what went wrong, such as "cannot reach host h".
	Why string
	// Outline is Why without what a server answered (Error.Outline); empty when Why says
	// nothing of that.
	Outline string
	// Tries is how many there were in a row without progress; 0 when nothing has gone wrong
	// and the step is held back.
	Tries int
	// For is how long the step waits, and Until when it tries again, on the
	// monotonic clock.
	For, Until time.Duration
}

// Outlined is the pause with its Outline in place of Why.
func (p Pause) Outlined() Pause {
	p.Why = cmp.Or(p.Outline, p.Why)
	return p
}

func (p Pause) String() string {
	if p.Tries == 0 {
		return "waits: " + p.Why
	}
	return fmt.Sprintf("trying again in %v (%d): %s", p.For.Round(time.Second), p.Tries, p.Why)
}

// OnStand has f called, in the goroutine of the step, when a standstill begins, changes or
// ends. It is set before the step begins.
func (m *Meter) OnStand(f func()) { m.stands = f }

// Stand says that the step stands still, from a failure until it gets on again: while
// it waits, and also while it tries.
func (m *Meter) Stand(p Pause) { m.tell(&p) }

// Go says that the step gets on again.
func (m *Meter) Go() { m.tell(nil) }

func (m *Meter) tell(p *Pause) {
	if was := m.pause.Swap(p); (was != nil || p != nil) && m.stands != nil {
		m.stands()
	}
}

// Pause is what Stand told, nil when the step gets on.
func (m *Meter) Pause() *Pause { return m.pause.Load() }
