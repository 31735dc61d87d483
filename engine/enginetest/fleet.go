package enginetest

import (
	"context"
	"fmt"
	"slices"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
)

// Fleet stands outside of a device that updates itself: it is told what is owed, and does
// with an update that waits, or between updates, what its script says. It outlives every
// cut, and acts only while the loop rests, so that equal runs are equal. The zero Fleet is
// told and does nothing.
type Fleet struct {
	// Change is of each engine: whom it tells, and how long it watches a version.
	Change Change
	// Waits says what comes of an offer's update that waits in Ready; nil lets it wait. Idle
	// is asked between updates. Both go by the journal alone, as a loop does that was
	// started anew, and return nil when nothing is to be done.
	Waits func(d *Device, f *journal.Fold) Request
	Idle  func(d *Device, f *journal.Fold) Request
	// Away is what somebody does while the device is without power, the first time.
	Away func(d *Device)
	// Heard is what was told, in this order, once for each time.
	Heard []journal.Notice
}

func (f *Fleet) clone() *Fleet {
	if f == nil {
		return nil
	}
	n := *f
	n.Heard = slices.Clone(f.Heard)
	return &n
}

// String is what was heard, without times and numbers.
func (f *Fleet) String() string {
	if f == nil {
		return ""
	}
	var list []string
	for _, n := range f.Heard {
		list = append(list, fmt.Sprint(n.To, " ", n.Update, " ", n.State, " ", n.End))
	}
	return fmt.Sprint(list, f.Away == nil)
}

// attend does what is to be done while the loop rests. It reports whether nothing is left
// and no update is open.
func (d *Device) attend(l *Life) (over bool, err error) {
	for {
		u := l.Journal().Open
		if u != nil && (d.Fleet.Waits == nil || u.State != engine.Ready || !u.Hold || u.Origin == nil) {
			return false, nil
		}
		// What the loop does at its start is over when it answers.
		if err := l.Ask(answers); err != nil {
			return false, err
		}
		f := l.Journal()
		var next Request
		switch {
		case len(f.Outbox) > 0:
			if err := d.tell(f.Outbox[0]); err != nil {
				return false, err
			}
			next = Told(f.Outbox[0])
		case f.Open != nil:
			next = d.Fleet.Waits(d, f)
		case d.Fleet.Idle != nil:
			next = d.Fleet.Idle(d, f)
		}
		if next == nil {
			return f.Open == nil, nil
		}
		if err := l.Ask(next); err != nil {
			return false, err
		}
	}
}

// tell is an effect outside of the device: when the power goes after it, the recipient has
// heard, and the device does not know.
func (d *Device) tell(n journal.Notice) error {
	return d.Use("tell "+n.To+" "+string(n.State), func() error {
		d.Fleet.Heard = append(d.Fleet.Heard, n)
		return nil
	})
}

// Told takes a notice out of the outbox.
func Told(n journal.Notice) Request {
	return func(ctx context.Context, e *engine.Engine) (string, error) { return "", e.Told(ctx, n, "") }
}

// answers is answered once the loop takes requests.
func answers(ctx context.Context, e *engine.Engine) (string, error) {
	return "", e.BetweenUpdates(ctx, func() {})
}
