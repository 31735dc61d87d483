package journal

import "time"

// Instant is one moment by both clocks of the device.
type Instant struct {
	Time time.Time     `json:"time"`
	Mono time.Duration `json:"mono_ns"`
	Boot string        `json:"boot"`
}

// Instant is when the record was written.
func (r Record) Instant() Instant { return Instant{r.Time, r.Mono, r.Boot} }

// Entering is when the update entered its state.
func (u *Update) Entering() Instant { return Instant{u.Entered, u.EnteredMono, u.EnteredBoot} }

// Ending is when the update reached its terminal state.
func (u *Update) Ending() Instant { return Instant{u.Ended, u.EndedMono, u.EndedBoot} }

// slack is how much the wall clock may disagree with the uptime of a boot: a
// real-time clock that was read at boot is some seconds off.
const slack = 10 * time.Second

// Until is the time from i to a later moment. It is the only way in which the
// updater measures time between two records.
//
// Within one boot the monotonic clock tells. Across boots only the wall clock is
// left, which a device without a battery sets at random: when it cannot be
// right, sure is false, and d is the least that has passed, which is the time
// since the later boot.
func (i Instant) Until(later Instant) (d time.Duration, sure bool) {
	if i.Boot == later.Boot {
		return max(later.Mono-i.Mono, 0), true
	}
	d = later.Time.Sub(i.Time)
	sure = !unset(i.Time) && !unset(later.Time) && d >= later.Mono-slack
	if !sure {
		d = 0
	}
	return max(d, later.Mono, 0), sure
}

// unset reports whether a clock was never set: it is before this program.
func unset(t time.Time) bool { return t.Year() < 2025 }

// pass adds the time up to r, until the update is over.
func (u *Update) pass(r Record) {
	if u.Terminal {
		return
	}
	u.Span = u.Add(u.Newest, r.Instant())
	u.Newest = r.Instant()
}

// Span is the time over a row of moments, added up from one to the next. A jump
// of the wall clock within a boot does not change it.
type Span struct {
	// Took is the time from the first moment to the newest.
	Took time.Duration `json:"took_ns"`
	// TookUnsure is set when the wall clock could not tell how much time passed
	// over a boot: Took is then the least.
	TookUnsure bool `json:"took_unsure,omitempty"`
}

// Add is the span with the way from one moment to a later one.
func (s Span) Add(from, to Instant) Span {
	d, sure := from.Until(to)
	return Span{Took: s.Took + d, TookUnsure: s.TookUnsure || !sure}
}
