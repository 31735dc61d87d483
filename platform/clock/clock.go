// Package clock is the time a device can trust: the wall clock for people, a
// monotonic clock for durations, and the boot id that says whether two
// monotonic readings may be compared at all.
//
// Everything in the updater that waits or measures takes a Clock, so that the
// limits of 24 hours and 65 seconds are tested in microseconds with the fake
// in clocktest.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and waits. Implementations are safe for concurrent use.
type Clock interface {
	// Now is the wall clock. It may jump in either direction at any time:
	// it is for people and for the trust window, never for durations.
	Now() time.Time
	// Monotonic is CLOCK_MONOTONIC: time since the boot, not counting suspend,
	// the same clock systemd stamps its units with. Readings are comparable
	// only within one boot.
	Monotonic() time.Duration
	// Boot identifies this boot: the kernel's boot id followed by PID 1's start
	// time, because a restarted container keeps the kernel's boot id.
	Boot() string
	// After is a channel that receives once d has passed.
	After(d time.Duration) <-chan time.Time
}

// Sleep waits for d or until ctx ends, whichever is first; in the second case
// it returns the cause of ctx.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.After(d):
		return nil
	}
}
