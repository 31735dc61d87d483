package systemd

import (
	"context"
	"fmt"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/tope/updater/platform/service"
)

// pollEvery is how often a unit is asked whether it still has our job, in case
// the signal that says so is lost.
const pollEvery = 500 * time.Millisecond

// job is something systemd does to a unit.
type job struct {
	name     string
	patience time.Duration
	call     func(c *sd.Conn, ctx context.Context, unit, mode string, done chan<- string) (int, error)
}

// job asks for a job and waits for its end.
func (m *Manager) job(ctx context.Context, s service.Service, j job) error {
	var (
		// One slot: the library sends the result while it holds a lock that
		// every other job needs, also when we have stopped waiting.
		done  chan string
		id    int
		asked = m.cfg.Clock.Monotonic()
	)
	err := m.ask(ctx, func(ctx context.Context, c *sd.Conn) (err error) {
		done = make(chan string, 1)
		// "replace": of two jobs that contradict each other the later counts.
		id, err = j.call(c, ctx, unitOf(s), "replace", done)
		return err
	})
	if err != nil {
		if j.name == "stop" && noSuchUnit(err) {
			return nil // Nothing of it can be running.
		}
		return m.explain(j.name, s, err)
	}
	expired := m.cfg.Clock.After(j.patience)
	var unasked error // why the last poll failed, if it did
	for {
		select {
		case result := <-done:
			return m.judge(ctx, s, j, result)
		case <-ctx.Done():
			return m.explain(j.name, s, context.Cause(ctx))
		case <-m.life.Done():
			return m.explain(j.name, s, errClosed)
		case <-expired:
			if unasked != nil {
				return m.explain(j.name, s, unasked)
			}
			return m.explain(j.name, s, fmt.Errorf("%w (%v); see systemctl status %s", service.ErrTimeout, j.patience, unitOf(s)))
		case <-m.cfg.Clock.After(pollEvery):
		}
		var p properties
		if p, unasked = m.properties(ctx, s); unasked != nil || p.job() == id {
			continue
		}
		// The job is over. Its signal may have come while we asked; it knows more.
		select {
		case result := <-done:
			return m.judge(ctx, s, j, result)
		default:
			return m.explain(j.name, s, p.without(j.name, asked))
		}
	}
}

// judge turns a job's result into an error, or none.
func (m *Manager) judge(ctx context.Context, s service.Service, j job, result string) error {
	var err error
	switch result {
	case "done":
		return nil
	case "skipped":
		if j.name == "stop" {
			return nil // It did not run.
		}
		err = service.ErrFailed
	case "timeout":
		err = service.ErrTimeout
	default: // failed, canceled, dependency, assert…
		err = service.ErrFailed
	}
	err = fmt.Errorf("%w: systemd says %q", err, result)
	if p, askErr := m.properties(ctx, s); askErr == nil {
		st := p.status()
		err = fmt.Errorf("%w; the unit is %s, its result %s, its exit status %d", err, st.Active, st.Result, st.ExitStatus)
	}
	return m.explain(j.name, s, fmt.Errorf("%w; see journalctl -u %s", err, unitOf(s)))
}

// without judges a job whose result nobody heard, by what has become of the unit.
func (p properties) without(job string, asked time.Duration) error {
	st := p.status()
	var ok bool
	switch job {
	case "stop":
		ok = st.MainPID == 0
	case "restart":
		ok = st.Active != service.Broken && st.Started >= asked
	default:
		ok = st.Active != service.Broken && (st.Active != service.Stopped || st.Result == "success" && st.Started >= asked)
	}
	if ok {
		return nil
	}
	return fmt.Errorf("%w: the job is gone; the unit is %s, its result %s, its exit status %d", service.ErrFailed, st.Active, st.Result, st.ExitStatus)
}
