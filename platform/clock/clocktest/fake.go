// Package clocktest is a clock that stands still until a test moves it, so
// that a limit of 24 hours is tested in microseconds and without a sleep.
//
//	c := clocktest.New()
//	go func() { done <- waitForSomething(c) }()
//	c.Await(1)             // until one call of After waits
//	c.Advance(time.Hour)   // calls that wait for an hour or less return
//
// Only tests may import it.
package clocktest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tope/updater/platform/clock"
)

// Fake is a clock.Clock in a test's hands. It is safe for concurrent use.
type Fake struct {
	mu      sync.Mutex
	changed *sync.Cond
	now     time.Time
	mono    time.Duration
	boots   int
	auto    bool
	waiters []waiter
}

type waiter struct {
	due time.Duration
	ch  chan time.Time
}

var _ clock.Clock = (*Fake)(nil)

// New is a fake one minute after boot, on a fixed day.
func New() *Fake {
	f := &Fake{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), mono: time.Minute, boots: 1}
	f.changed = sync.NewCond(&f.mu)
	return f
}

// NewAuto is a fake whose After moves the clock on instead of waiting. It is for
// code that sleeps in one goroutine, as back-off loops do.
func NewAuto() *Fake {
	f := New()
	f.auto = true
	return f
}

// Now is the fake wall clock.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// Monotonic is the fake time since the fake boot.
func (f *Fake) Monotonic() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mono
}

// Boot changes with each Reboot.
func (f *Fake) Boot() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprintf("boot-%d", f.boots)
}

// After fires when Advance has moved the clock by d.
func (f *Fake) After(d time.Duration) <-chan time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := waiter{due: f.mono + d, ch: make(chan time.Time, 1)}
	f.waiters = append(f.waiters, w)
	if f.auto {
		f.move(d)
	}
	f.fire()
	f.changed.Broadcast()
	return w.ch
}

// Advance moves both clocks on and fires what has become due.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.move(d)
	f.fire()
	f.changed.Broadcast()
}

// SetNow moves the wall clock only, as NTP or an operator does, in either direction.
func (f *Fake) SetNow(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = t
}

// Reboot gives a new boot id and starts the monotonic clock again. Pending waits
// are dropped, as the processes that waited are gone.
func (f *Fake) Reboot() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.boots++
	f.mono = time.Minute
	f.waiters = nil
	f.changed.Broadcast()
}

// Await blocks until n calls of After or more are waiting: the point at which
// Advance will not come too early. Its only time limit is the test's own.
func (f *Fake) Await(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.waiters) < n {
		f.changed.Wait()
	}
}

// Waiting is the number of calls of After that have not fired.
func (f *Fake) Waiting() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.waiters)
}

func (f *Fake) move(d time.Duration) {
	if d > 0 {
		f.mono += d
		f.now = f.now.Add(d)
	}
}

func (f *Fake) fire() {
	f.waiters = slices.DeleteFunc(f.waiters, func(w waiter) bool {
		if w.due > f.mono {
			return false
		}
		w.ch <- f.now // one slot, one send: never blocks
		return true
	})
}
