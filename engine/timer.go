package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// lookAgain is how long the loop waits after a step without a verdict, or after
// a clean-up that failed.
const lookAgain = 2 * time.Second

// putOff lets the present step wait for d.
func (l *loop) putOff(d time.Duration) { l.retryAt = l.clock.Monotonic() + d }

// timer returns a channel for the next thing that is due: another attempt, or
// the end of the trust window.
func (l *loop) timer() <-chan time.Time {
	if l.retryAt != 0 {
		return l.clock.After(max(l.retryAt-l.clock.Monotonic(), 0))
	}
	u := l.book.open()
	if u == nil || u.State != Ready || !holds(u) {
		return nil
	}
	return l.clock.After(l.left(u))
}

// left is how long an update may go on waiting in Ready. An offer has a patience of its
// own, counted from its acceptance; when the device has been without power and the clock
// cannot tell for how long, that time does not count.
func (l *loop) left(u *journal.Update) time.Duration {
	if u.Origin != nil {
		return max(u.Patience-u.Add(u.Newest, instant(l.clock)).Took, 0)
	}
	left := l.trustWindow
	if age, ok := l.age(u); ok {
		left -= age
	}
	return max(left, 0)
}

// due does the work that the timer was set for.
func (l *loop) due(ctx context.Context) error {
	if l.retryAt != 0 {
		l.retryAt = 0
		return nil
	}
	u := l.book.open()
	if u == nil || u.State != Ready || !holds(u) || l.left(u) > 0 {
		return nil
	}
	if u.Origin != nil {
		return l.offerExpires(ctx, u)
	}
	age, _ := l.age(u)
	return l.expire(ctx, age)
}

// offerExpires ends an offer that has waited as long as it may.
func (l *loop) offerExpires(ctx context.Context, u *journal.Update) error {
	why := "nobody has let it go on"
	if u.Wait != nil {
		why = u.Wait.Text
	}
	return l.book.fire(ctx, Expire, journal.Record{Error: asFailure(&steps.Error{
		Class: steps.Refused, Code: steps.OfferExpired,
		Err: fmt.Errorf("the offer has waited for %s to be installed: %s", u.Patience.Round(time.Minute), why),
	})})
}

// expire ends an update that has waited too long for its install request.
func (l *loop) expire(ctx context.Context, age time.Duration) error {
	return l.book.fire(ctx, Expire, journal.Record{Error: asFailure(&steps.Error{
		Class: steps.Refused, Code: steps.PackageExpired,
		Err:  fmt.Errorf("verified %s ago, %s allowed", age.Round(time.Minute), l.trustWindow),
		Hint: "request the download again",
	})})
}

// age is how long the update has been in its state. ok is false when a reboot
// lies in between, and the wall clock cannot tell: the age is then unknown.
func (l *loop) age(u *journal.Update) (age time.Duration, ok bool) {
	return u.Entering().Until(instant(l.clock))
}
