package enginetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/tope/updater/platform/clock/clocktest"
)

// Clock is a clock on which no wait takes real time: After fires at once, and
// the time has passed.
type Clock struct {
	mu   sync.Mutex
	wall time.Time
	mono time.Duration
	boot int
	// endless counts the calls of After that never end.
	endless int
	// live takes the place of all the above; nil for none.
	live *clocktest.Bubble
}

// LiveClock is a clock on which waits take the virtual time of a bubble.
func LiveClock(b *clocktest.Bubble) *Clock { return &Clock{live: b} }

// NewClock starts at a fixed moment of boot 1.
func NewClock() *Clock {
	return &Clock{wall: time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC), mono: time.Minute, boot: 1}
}

// Clone is an independent clock that shows the same time.
func (c *Clock) Clone() *Clock {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &Clock{wall: c.wall, mono: c.mono, boot: c.boot}
}

// Pass lets time go by on both clocks.
func (c *Clock) Pass(d time.Duration) {
	if c.live != nil {
		panic("time passes by itself")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall, c.mono = c.wall.Add(d), c.mono+d
}

// Now implements clock.Clock; each look costs a millisecond.
func (c *Clock) Now() time.Time {
	if c.live != nil {
		return c.live.Now()
	}
	c.Pass(time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

// Monotonic implements clock.Clock; each look costs a millisecond.
func (c *Clock) Monotonic() time.Duration {
	if c.live != nil {
		return c.live.Monotonic()
	}
	c.Pass(time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mono
}

// Boot implements clock.Clock.
func (c *Clock) Boot() string {
	if c.live != nil {
		return c.live.Boot()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("boot-%d", c.boot)
}

// After implements clock.Clock. A wait of an hour or more never ends: the trust
// window is tested with clocktest, where a test moves the time by hand.
func (c *Clock) After(d time.Duration) <-chan time.Time {
	if c.live != nil {
		return c.live.After(d)
	}
	if d >= time.Hour {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.endless++
		return nil
	}
	c.Pass(d)
	ch := make(chan time.Time, 1)
	ch <- c.Now()
	return ch
}

// Endless is how often After was called for a wait that never ends. It tells a test that
// the loop has set its timer: only from then on the time can pass without its notice.
func (c *Clock) Endless() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endless
}

// Reboot begins the next boot: the monotonic clock starts again.
func (c *Clock) Reboot() {
	if c.live != nil {
		c.live.Reboot()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.boot++
	c.mono = 5 * time.Second
	c.wall = c.wall.Add(time.Minute)
}

// Jump moves the wall clock alone.
func (c *Clock) Jump(d time.Duration) {
	if c.live != nil {
		c.live.Jump(d)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(d)
}
