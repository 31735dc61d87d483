package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
)

// How programs are restarted: systemd's defaults, except that the pause between
// restarts doubles.
const (
	firstPause    = 100 * time.Millisecond
	longestPause  = 10 * time.Second
	limitInterval = 10 * time.Second
	limitStarts   = 5
	// stopTimeout is used where a service names none.
	stopTimeout = 30 * time.Second
	// killPatience is how long the kernel may take to end a process after SIGKILL.
	killPatience = 5 * time.Second
)

// systemd's words for how a process ended, and its status for one that could
// not be executed.
const (
	success    = "success"
	exitCode   = "exit-code"
	notStarted = 203
)

var errClosed = fmt.Errorf("%w: it has been closed", service.ErrUnavailable)

// Config is what a Manager needs. Only RunDir is required.
type Config struct {
	// RunDir holds the state files and logs, as a host path. It is made at the
	// first start. One manager uses it at a time: the journal's lock sees to that.
	RunDir string
	// Resolve gives the host path of a device path with every symlink followed,
	// the last component too (disk.Root's Resolve). Nil: they are the same.
	Resolve func(device string) (string, error)
	Clock   clock.Clock
	Log     *slog.Logger
}

// Manager runs services without systemd. See the package comment.
type Manager struct {
	cfg Config

	mu      sync.Mutex
	units   map[string]*unit
	closed  bool
	closing chan struct{}
	work    sync.WaitGroup
	tidying sync.Once
}

// Manager is not service.Replaceable: its services are children of the process
// that uses it, and would become another program's.
var (
	_ service.Manager    = (*Manager)(nil)
	_ service.Supervisor = (*Manager)(nil)
	_ service.LogKeeper  = (*Manager)(nil)
)

// New returns a manager. It touches nothing yet: services that run already are
// adopted one by one, when they are first asked about.
func New(cfg Config) (*Manager, error) {
	if cfg.RunDir == "" {
		return nil, errors.New("the embedded service manager needs a run directory")
	}
	dir, err := filepath.Abs(cfg.RunDir)
	if err != nil {
		return nil, fmt.Errorf("run directory %s: %w", cfg.RunDir, err)
	}
	cfg.RunDir = dir
	if cfg.Resolve == nil {
		cfg.Resolve = func(device string) (string, error) { return device, nil }
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Manager{cfg: cfg, units: map[string]*unit{}, closing: make(chan struct{})}, nil
}

// Start implements service.Manager.
func (m *Manager) Start(ctx context.Context, s service.Service) error {
	return m.act(ctx, "start", s, func(u *unit) error {
		if u.running() {
			return u.want()
		}
		return u.start(ctx, 0)
	})
}

// Restart implements service.Manager.
func (m *Manager) Restart(ctx context.Context, s service.Service) error {
	return m.act(ctx, "restart", s, func(u *unit) error {
		if err := u.stop(ctx, true); err != nil {
			return err
		}
		return u.start(ctx, 0)
	})
}

// Stop implements service.Manager. A program that has to be killed because it
// does not end within StopTimeout leaves the service failed with the result
// "timeout", as with systemd; that is not an error either.
func (m *Manager) Stop(ctx context.Context, s service.Service) error {
	if len(s.Exec) == 0 {
		return context.Cause(ctx)
	}
	return m.act(ctx, "stop", s, func(u *unit) error { return u.stop(ctx, false) })
}

// Status implements service.Manager. A service is known when it has a command.
func (m *Manager) Status(ctx context.Context, s service.Service) (service.Status, error) {
	if err := context.Cause(ctx); err != nil {
		return service.Status{}, err
	}
	if len(s.Exec) == 0 {
		return service.Status{Active: service.Stopped, Sub: "dead"}, nil
	}
	u, err := m.unit(s)
	if err != nil {
		return service.Status{}, fmt.Errorf("status of %s: %w", s.Name, err)
	}
	return u.status(), nil
}

// Survey implements service.Manager: all relations are in the configuration.
func (m *Manager) Survey(ctx context.Context, _ []service.Service) (service.Survey, error) {
	return service.Survey{}, context.Cause(ctx)
}

// Inhibit implements service.Manager. There is no init system to ask.
func (m *Manager) Inhibit(ctx context.Context, _ string) (func(), error) {
	return func() {}, context.Cause(ctx)
}

// Reload implements service.Manager; there are no unit files to read.
func (m *Manager) Reload(ctx context.Context) error { return context.Cause(ctx) }

// Stopping implements service.Manager. The end of a container is announced only by
// the SIGTERM that also ends the updater.
func (m *Manager) Stopping(ctx context.Context) (bool, error) { return false, context.Cause(ctx) }

// LogOf implements service.LogKeeper.
func (m *Manager) LogOf(s service.Service) string { return filepath.Join(m.cfg.RunDir, s.Name+".log") }

// Tail implements service.LogKeeper. A log begins with the start that was asked for
// last, so that all of it is since then.
func (m *Manager) Tail(ctx context.Context, s service.Service, _ time.Duration, n int) ([]service.LogLine, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	text, err := tail(m.LogOf(s), n)
	var lines []service.LogLine
	for _, line := range text {
		lines = append(lines, service.LogLine{Text: line})
	}
	return lines, err
}

// Supervise implements service.Supervisor: after a boot all services are
// started, otherwise those that died while no manager was open.
func (m *Manager) Supervise(ctx context.Context, services []service.Service) error {
	ordered, err := service.Order(services)
	if err != nil {
		return err
	}
	failed := make([]error, len(ordered))
	service.Together(ordered, false, func(i int, s service.Service) error {
		failed[i] = m.act(ctx, "start", s, func(u *unit) error {
			restarts, missing := u.missing()
			if !missing {
				return nil
			}
			return u.start(ctx, restarts)
		})
		return nil // the others start all the same
	})
	return errors.Join(failed...)
}

// Close implements service.Manager: it stops watching, and returns when nothing
// of the manager is at work any more.
func (m *Manager) Close() error {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		close(m.closing)
	}
	units := m.units
	m.mu.Unlock()
	for _, u := range units {
		u.release()
	}
	m.work.Wait()
	return nil
}

// act runs one asked-for operation, alone for its service.
func (m *Manager) act(ctx context.Context, op string, s service.Service, f func(*unit) error) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("%s %s: %w", op, s.Name, err)
	}
	if len(s.Exec) == 0 {
		return fmt.Errorf("%s %s: %w: it has no exec in the configuration", op, s.Name, service.ErrNotFound)
	}
	u, err := m.unit(s)
	if err == nil {
		u.op.Lock()
		defer u.op.Unlock()
		err = f(u)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", op, s.Name, err)
	}
	return nil
}

// unit finds a service's unit, or makes it and adopts what runs.
func (m *Manager) unit(s service.Service) (*unit, error) {
	if s.Name == "" || s.Name[0] == '.' || strings.ContainsAny(s.Name, "/\x00") {
		return nil, fmt.Errorf("%q cannot name a service: %w", s.Name, service.ErrNotFound)
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, errClosed
	}
	u := m.units[s.Name]
	if u == nil {
		u = newUnit(m, s)
		m.units[s.Name] = u
	}
	m.mu.Unlock()
	m.tidying.Do(func() { m.spawn(m.tidy) })
	return u, u.use(s)
}

// spawn runs f in a goroutine of its own, unless the manager is closed.
func (m *Manager) spawn(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.work.Go(f)
	}
}

// tidy keeps the logs within bounds.
func (m *Manager) tidy() {
	for {
		select {
		case <-m.closing:
			return
		case <-m.cfg.Clock.After(time.Minute):
		}
		m.mu.Lock()
		for _, u := range m.units {
			trim(u.logPath)
		}
		m.mu.Unlock()
	}
}
