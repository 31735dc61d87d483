package download

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/source"
)

// worthwhile is how many bytes count as progress. Fewer bytes do not end a series of
// failures, and are not worth a checkpoint of their own when the step is stopped.
const worthwhile = 64 << 10

// endure waits before the next attempt, or returns the error when there is to be no
// other attempt.
func (r *run) endure(ctx context.Context, err error) error {
	var (
		out   *outage
		bad   *fault
		after time.Duration
	)
	position, restart := r.position, r.startOver
	if position == nil {
		position, restart = func() int64 { return r.sink.offset }, r.restart
	}
	if position()-r.high >= worthwhile {
		r.high, r.tries, r.faults = position(), 0, 0
	}
	switch {
	case errors.As(err, &out):
		r.event(out.what, err.Error())
		after = out.after
	case errors.As(err, &bad):
		r.event(bad.what, err.Error())
		if r.faults++; r.faults >= r.cfg.Limits.Faults {
			return unavailable(r.says.fault, "gave up after %d unusable answers in a row: %w", r.faults, bad.err)
		}
		if bad.restart {
			if err := restart(); err != nil {
				return err
			}
		}
	default:
		return err
	}
	wait := max(after, r.backoff())
	r.tries++
	r.note.Retries++
	r.task.Meter.SetNote(fmt.Sprintf("trying again in %v (%d): %v", wait.Round(time.Second), r.tries, err))
	r.cfg.Log.Warn("download waits", "update", r.task.Update, "url", source.Redacted(r.task.Source.URL),
		"wait", wait, "try", r.tries, "offset", position(), "error", err)
	return clock.Sleep(ctx, r.cfg.Clock, wait)
}

// backoff doubles from BackoffMin to BackoffMax; half of it is jitter, so that the
// devices of a fleet do not come back at the same time.
func (r *run) backoff() time.Duration {
	d := r.cfg.Limits.BackoffMax
	if r.tries < 32 && r.cfg.Limits.BackoffMin<<r.tries < d {
		d = r.cfg.Limits.BackoffMin << r.tries
	}
	return d/2 + time.Duration(r.cfg.Random()*float64(d/2))
}
