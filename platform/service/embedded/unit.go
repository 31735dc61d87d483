package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/service"
)

// unit is the life of one service. Asked-for operations hold op from end to
// end; mu guards the fields and is held only briefly, so that Status never waits.
type unit struct {
	m         *Manager
	name      string
	marker    string
	statePath string
	logPath   string
	log       *slog.Logger
	op        sync.Mutex

	mu     sync.Mutex
	svc    service.Service
	loaded bool
	rec    record
	// proc is the main process, from its start until its end has been dealt with.
	proc *process
	// clean is set once no process of an earlier run is left.
	clean bool
	// ending: a stop or restart was asked for and is under way, so the end of the
	// process is expected. deadline is when the processes still left get SIGKILL.
	ending   bool
	deadline time.Duration
	killed   bool
	// retry is open while an automatic restart is pending; closing it calls that off.
	retry  chan struct{}
	pause  time.Duration
	starts []time.Duration
}

func newUnit(m *Manager, s service.Service) *unit {
	return &unit{
		m: m, name: s.Name, marker: marker(s.Name, m.cfg.RunDir), pause: firstPause,
		statePath: filepath.Join(m.cfg.RunDir, s.Name+".json"),
		logPath:   filepath.Join(m.cfg.RunDir, s.Name+".log"),
		log:       m.cfg.Log.With("service", s.Name),
	}
}

// use takes over the caller's present description of the service. The first call
// also adopts a process that runs.
func (u *unit) use(s service.Service) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.svc = s
	if u.loaded {
		return nil
	}
	if err := u.load(); err != nil {
		return err
	}
	u.loaded = true
	return nil
}

func (u *unit) status() service.Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.rec
	return service.Status{
		Loaded: true, Active: r.Active, Sub: r.Sub, Result: r.Result,
		MainPID: r.PID, Started: r.Started, Restarts: r.Restarts, ExitStatus: r.ExitStatus,
	}
}

func (u *unit) running() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.rec.PID != 0
}

// want marks a service that runs already as wanted.
func (u *unit) want() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.rec.Wanted {
		u.rec.Wanted = true
		u.save()
	}
	return nil
}

// start begins a new run of a service that has no main process.
func (u *unit) start(ctx context.Context, restarts int) error {
	u.mu.Lock()
	u.callOff()
	ending, clean, patience := u.proc, u.clean, u.patience()
	u.mu.Unlock()
	if ending != nil { // It has just died by itself: wait until that is dealt with.
		select {
		case <-ending.ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-u.m.closing:
			return errClosed
		}
	}
	if !clean && !sweep(u.m.cfg.Clock, u.marker, patience, ctx.Done()) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		return fmt.Errorf("processes of an earlier run do not end: %w", service.ErrTimeout)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.callOff() // The end just waited for may have scheduled a restart.
	u.clean = true
	u.starts, u.pause = nil, firstPause
	u.rec.Wanted, u.rec.Restarts, u.rec.ExitStatus = true, restarts, 0
	return u.launch(true)
}

// stop ends the service. With again set it is about to be started anew, and
// remains wanted: if the updater is killed now, the next one starts it.
func (u *unit) stop(ctx context.Context, again bool) error {
	u.mu.Lock()
	u.callOff()
	u.rec.Wanted = again
	p, patience := u.proc, u.patience()
	if p == nil {
		u.rec.Active, u.rec.Sub, u.rec.Result = service.Stopped, "dead", success
		clean := u.clean
		u.save()
		u.mu.Unlock()
		if !clean && !sweep(u.m.cfg.Clock, u.marker, patience, ctx.Done()) {
			return fmt.Errorf("processes of an earlier run do not end: %w", service.ErrTimeout)
		}
		return nil
	}
	u.ending, u.killed, u.deadline = true, false, u.m.cfg.Clock.Monotonic()+patience
	u.rec.Active, u.rec.Sub = service.Deactivating, "stop-sigterm"
	u.save()
	u.mu.Unlock()
	defer func() {
		// The process is alive here only when the caller gave up. When it ends
		// later, a wanted service is restarted, and any other stays stopped.
		u.mu.Lock()
		u.ending = false
		u.mu.Unlock()
	}()

	p.signal(unix.SIGTERM)
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-u.m.closing:
		return errClosed
	case <-u.m.cfg.Clock.After(patience):
	}
	u.mu.Lock()
	u.killed = true
	u.rec.Sub = "stop-sigkill"
	u.mu.Unlock()
	u.log.Warn("it does not end, killing it", "after", patience)
	p.signal(unix.SIGKILL)
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-u.m.closing:
		return errClosed
	case <-u.m.cfg.Clock.After(2 * killPatience):
		return fmt.Errorf("process %d survives SIGKILL: %w", p.pid, service.ErrTimeout)
	}
}

// patience is the service's StopTimeout. mu is held.
func (u *unit) patience() time.Duration {
	if u.svc.StopTimeout > 0 {
		return u.svc.StopTimeout
	}
	return stopTimeout
}

// callOff cancels a pending automatic restart. mu is held.
func (u *unit) callOff() {
	if u.retry != nil {
		close(u.retry)
		u.retry = nil
	}
}

// save writes the state file. Services also run when the run directory cannot be
// written (full): the next manager still finds the process by its lock and its
// marker. mu is held.
func (u *unit) save() {
	if err := u.rec.write(u.statePath); err != nil {
		u.log.Warn("the next updater will have to look for this service's process", "error", err)
	}
}

// release lets go of the process, and of a restart that is pending.
func (u *unit) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.callOff()
	if u.proc != nil {
		u.proc.release()
	}
}
