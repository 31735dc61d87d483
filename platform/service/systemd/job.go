package systemd

import (
	"context"
	"fmt"
	"syscall"
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
	mode     string
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
		id, err = j.call(c, ctx, s.UnitName(), j.mode, done)
		return err
	})
	if err != nil {
		if j.name == "stop" && noSuchUnit(err) {
			return nil // Nothing of a unit that does not exist can be running.
		}
		return m.explain(j.name, s, err)
	}
	expired := m.cfg.Clock.After(j.patience)
	for {
		select {
		case result := <-done:
			return m.judge(ctx, s, j, result)
		case <-ctx.Done():
			return m.explain(j.name, s, context.Cause(ctx))
		case <-m.life.Done():
			return m.explain(j.name, s, errClosed)
		case <-expired:
			p, err := m.properties(ctx, s)
			if err == nil {
				err = p.late(s, j)
			}
			return m.explain(j.name, s, err)
		case <-m.cfg.Clock.After(pollEvery):
		}
		p, err := m.properties(ctx, s)
		if err != nil {
			continue // it may come back
		}
		if p.job() == id {
			m.force(ctx, s, j, p, asked)
			continue
		}
		// The job is over. Its signal, which tells more, may have come meanwhile.
		select {
		case result := <-done:
			return m.judge(ctx, s, j, result)
		default:
			return m.explain(j.name, s, p.without(j.name, asked))
		}
	}
}

// force kills a unit's processes that have not ended in time, as systemd itself
// would do at its own, often longer, limit. It is called until the job is over,
// because each command of a stop is a new process.
func (m *Manager) force(ctx context.Context, s service.Service, j job, p properties, asked time.Duration) {
	if m.cfg.Clock.Monotonic()-asked < limit(s) || j.name != "stop" && p.status().Active != service.Deactivating {
		return
	}
	m.cfg.Log.Warn("a service does not stop in time: its processes are killed", "unit", s.UnitName(), "limit", limit(s))
	err := m.ask(ctx, func(ctx context.Context, c *sd.Conn) error {
		return c.KillUnitWithTarget(ctx, s.UnitName(), sd.All, int32(syscall.SIGKILL))
	})
	if err != nil {
		m.cfg.Log.Debug("cannot kill a service's processes", "unit", s.UnitName(), "err", err)
	}
}

// late judges a job that has ended neither in time nor by force.
func (p properties) late(s service.Service, j job) error {
	st := p.status()
	switch {
	case j.name == "stop" && p.gone():
		return nil
	case j.name == "stop":
		return fmt.Errorf("%w (%v), its processes (main process %d) do not end though they were killed; see systemctl status %s, and dmesg for what the kernel waits for",
			service.ErrTimeout, j.patience, st.MainPID, s.UnitName())
	}
	return fmt.Errorf("%w (%v), the unit is %s (%s); see journalctl -u %s for what it waits for", service.ErrTimeout, j.patience, st.Active, st.Sub, s.UnitName())
}

// judge turns a job's result into an error, or nil.
func (m *Manager) judge(ctx context.Context, s service.Service, j job, result string) error {
	var err error
	switch result {
	case "done":
		return nil
	case "skipped":
		if j.name == "stop" {
			return nil // The unit did not run.
		}
		err = service.ErrFailed
	case "timeout":
		err = service.ErrTimeout
	case "canceled":
		err = service.ErrCanceled
	default: // failed, dependency, assert…
		err = service.ErrFailed
	}
	err = fmt.Errorf("%w: systemd says %q", err, result)
	if p, askErr := m.properties(ctx, s); askErr == nil {
		if j.name == "stop" && p.gone() {
			return nil // Nothing of the unit runs, whatever the job's result.
		}
		st := p.status()
		err = fmt.Errorf("%w; the unit is %s, its result %s, its exit status %d", err, st.Active, st.Result, st.ExitStatus)
	}
	return m.explain(j.name, s, fmt.Errorf("%w; see journalctl -u %s", err, s.UnitName()))
}

// without judges a job whose result was lost: the state of the unit decides.
func (p properties) without(job string, asked time.Duration) error {
	st := p.status()
	var ok bool
	switch job {
	case "stop":
		ok = p.gone()
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
