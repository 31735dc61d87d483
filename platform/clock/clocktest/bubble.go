package clocktest

import (
	"fmt"
	"sync"
	"time"

	"github.com/tope/updater/platform/clock"
)

// Bubble is the clock of one device in a bubble of testing/synctest: waits take virtual
// time, which all devices of the bubble share. The wall clock of each may be wrong, and each
// boots by itself. It is safe for concurrent use.
type Bubble struct {
	mu sync.Mutex
	// began is when the device was started, and wrong what its wall clock is off.
	began time.Time
	wrong time.Duration
	boots int
	// early is what the device had been running when it began.
	early time.Duration
}

var _ clock.Clock = (*Bubble)(nil)

// NewBubble is the clock of a device that was started a minute ago. Its wall clock shows
// now.
func NewBubble(now time.Time) *Bubble {
	b := &Bubble{began: time.Now(), boots: 1, early: time.Minute}
	b.SetNow(now)
	return b
}

// Now is the device's wall clock.
func (b *Bubble) Now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.wrong).UTC().Round(0)
}

// Monotonic is the time since the device was started.
func (b *Bubble) Monotonic() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.early + time.Since(b.began)
}

// Boot changes with each Reboot.
func (b *Bubble) Boot() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("boot-%d", b.boots)
}

// After fires when d of virtual time has passed.
func (b *Bubble) After(d time.Duration) <-chan time.Time { return time.After(d) }

// SetNow moves the wall clock alone.
func (b *Bubble) SetNow(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = time.Until(t)
}

// Jump moves the wall clock alone.
func (b *Bubble) Jump(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong += d
}

// Reboot begins the next boot; time that passes without power is the caller's to let pass.
func (b *Bubble) Reboot() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.boots++
	b.began, b.early = time.Now(), 5*time.Second
}
