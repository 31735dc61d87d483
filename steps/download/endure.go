package download

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/steps"
)

// worthwhile is how many bytes count as progress. Fewer bytes do not end a series of
// failures, and are not worth a checkpoint of their own when the step is stopped.
const worthwhile = 64 << 10

// course is the way in which a bundle is fetched, whole or in parts, for the loop that
// both share.
type course interface {
	// once makes one attempt.
	once(ctx context.Context) error
	// position counts the bytes that have come, for telling progress.
	position() int64
	// begun reports whether something has been fetched that is worth waiting for.
	begun() bool
	// refused is told of each refusal.
	refused()
	// keep makes durable what has come, before a wait that may be long.
	keep()
	// turn makes the next attempt go by an answer that is believed: the source has
	// another file, or no ranges.
	turn(s *strange) error
}

// fetch makes attempts until one brings everything.
func (r *run) fetch(ctx context.Context, c course) error {
	for {
		err := c.once(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := r.endure(ctx, c, err); err != nil {
			return err
		}
	}
}

// patience is how long a series of failures is.
type patience struct {
	high  int64 // the furthest this run has been: progress that counts
	tries int   // waits in a row without progress
	// said is the newest word of the source, and times how often it has come in a row.
	said  string
	times int
}

// endure waits before the next attempt, or returns the error when there is to be no
// other attempt.
func (r *run) endure(ctx context.Context, c course, err error) error {
	var (
		out   *outage
		odd   *strange
		after time.Duration
	)
	if c.position()-r.high >= worthwhile {
		r.patience = patience{high: c.position()}
	}
	switch {
	case errors.As(err, &out) && out.what == heldBack:
		return r.hold(ctx, c, out)
	case errors.As(err, &out):
		r.event(out.what, err.Error())
		after = out.after
	case errors.As(err, &odd):
		if odd.from == nobody {
			r.single = r.oneUse // whoever answers so does not show that the source has no ranges
		}
		if odd.what == refusal {
			c.refused()
		}
		believed := r.believes(odd, c.begun())
		if believed && !odd.another && !odd.unranged {
			return r.giveUp(odd)
		}
		r.event(odd.what, err.Error())
		if !believed {
			break
		}
		begun := c.begun()
		r.said, r.times = "", 0
		if err := c.turn(odd); err != nil || begun {
			return err
		}
	default:
		return err
	}
	wait := max(after, r.backoff())
	r.tries++
	r.note.Retries++
	r.task.Meter.Stand(steps.Pause{Why: r.why(err), Outline: r.outline(err), Tries: r.tries, For: wait, Until: r.cfg.Clock.Monotonic() + wait})
	r.cfg.Log.Warn("download waits", "update", r.task.Update, "url", r.task.Source.URL,
		"wait", wait, "try", r.tries, "offset", c.position(), "error", err)
	return clock.Sleep(ctx, r.cfg.Clock, wait)
}

// gateTick is how often a gate that holds the download back is asked again.
const gateTick = time.Minute

// hold waits until the gate lets the download go on. Nothing has failed, so this does
// not count as an attempt, and the series of failures before it stays what it was.
func (r *run) hold(ctx context.Context, c course, err error) error {
	r.event(heldBack, err.Error())
	c.keep()
	r.cfg.Log.Info("download waits", "update", r.task.Update, "url", r.task.Source.URL, "offset", c.position(), "why", err)
	for err != nil {
		r.task.Meter.Stand(steps.Pause{Why: err.Error(), For: gateTick, Until: r.cfg.Clock.Monotonic() + gateTick})
		if err := clock.Sleep(ctx, r.cfg.Clock, gateTick); err != nil {
			return err
		}
		err = r.cfg.Web.Gate()
	}
	r.task.Meter.Go()
	return nil
}

// believes reports whether the download goes by a strange answer now.
func (r *run) believes(s *strange, begun bool) bool {
	if s.says != r.said {
		r.said, r.times = s.says, 0
	}
	r.times++
	enough := s.enough
	if enough == 0 {
		enough = r.cfg.Limits.Faults
	}
	switch {
	case s.from == nobody:
		return !begun && r.times >= enough
	case begun:
		return s.from == theSource && r.times >= enough
	}
	return true
}

// giveUp ends the download with an answer that is believed.
func (r *run) giveUp(s *strange) error {
	if s.from == nobody {
		err := unavailable(r.says.fault, "gave up after %d unusable answers in a row: %w", r.times, s.err.Err)
		err.Outline = fmt.Sprintf("gave up after %d unusable answers in a row: %s; %s", r.times, s.err.Outline, r.says.fault)
		return err
	}
	return s.err
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
