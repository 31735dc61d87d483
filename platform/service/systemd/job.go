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

// startLimits is how much longer than StartBound a start may take. systemd rules that: it
// gives each command of a start the unit's TimeoutStartSec=, and more when the service
// asks for it (EXTEND_TIMEOUT_USEC=), and it announces the end. StartBound is for a start
// that systemd would never end, because the unit, or one that it waits for, has no limit.
func (m *Manager) startLimits(ctx context.Context, s service.Service) time.Duration {
	l, err := m.Launch(ctx, s)
	if err != nil {
		return 0
	}
	return max(0, time.Duration(len(l.Commands))*l.StartLimit-m.cfg.StartBound)
}

// job is something systemd does to a unit.
type job struct {
	name     string
	mode     string
	patience time.Duration
	// more is what is added to the patience when it is over: it costs a question, which
	// nobody needs to ask of the many jobs that end in time. May be nil.
	more func(context.Context, service.Service) time.Duration
	call func(c *sd.Conn, ctx context.Context, unit, mode string, done chan<- string) (int, error)
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
	ending := asked // since when the unit is on its way down
	for {
		select {
		case result := <-done:
			return m.judge(ctx, s, j, result)
		case <-ctx.Done():
			return m.explain(j.name, s, context.Cause(ctx))
		case <-m.life.Done():
			return m.explain(j.name, s, errClosed)
		case <-expired:
			if j.more != nil {
				more := j.more(ctx, s)
				j.patience, j.more, expired = j.patience+more, nil, m.cfg.Clock.After(more)
				continue
			}
			p, err := m.properties(ctx, s)
			if err == nil {
				err = p.late(s, j)
			}
			return m.explain(j.name, s, err)
		case <-m.cfg.Clock.After(pollEvery):
		}
		active, pending, err := m.glance(ctx, s)
		if err != nil {
			continue // it may come back
		}
		if pending == id {
			if j.name != "stop" && active != service.Deactivating {
				ending = m.cfg.Clock.Monotonic()
			}
			m.force(ctx, s, ending)
			continue
		}
		p, err := m.properties(ctx, s)
		if err != nil {
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

// force kills the processes of a unit that has been on its way down for longer than
// it may be, as systemd itself would do at its own, often longer, limit. It is called
// until the job is over, because each command of a stop is a new process.
func (m *Manager) force(ctx context.Context, s service.Service, ending time.Duration) {
	if m.cfg.Clock.Monotonic()-ending < limit(s) {
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
	return fmt.Errorf("%w (%v), the unit is %s (%s); see journalctl -u %s for what it waits for; give the unit a TimeoutStartSec= of its own, or raise recovery.start_bound",
		service.ErrEndless, j.patience, st.Active, st.Sub, s.UnitName())
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
	if result != "failed" {
		err = fmt.Errorf("%w: systemd says %q", err, result)
	}
	if p, askErr := m.properties(ctx, s); askErr == nil {
		if j.name == "stop" && p.gone() {
			return nil // Nothing of the unit runs, whatever the job's result.
		}
		st := p.status()
		err = fmt.Errorf("%w: the unit is %s, %s", err, st.Active, st.Ended())
	}
	return m.explain(j.name, s, err)
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
	return fmt.Errorf("%w: the job is gone; the unit is %s, %s", service.ErrFailed, st.Active, st.Ended())
}
