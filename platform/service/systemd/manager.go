package systemd

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/systembus"
)

// callTimeout bounds one question to systemd, which answers at once unless it hangs.
const callTimeout = 25 * time.Second

// Config is what a Manager needs; the zero value is right on a device.
type Config struct {
	Clock clock.Clock
	Log   *slog.Logger
	// Dial connects to systemd, Bus to the bus that logind is on; by default as
	// the package comment says. The connection ends with the context.
	Dial func(context.Context) (*sd.Conn, error)
	Bus  func(context.Context) (*dbus.Conn, error)
	// Journalctl runs journalctl and returns what it prints; by default the
	// program of that name.
	Journalctl func(ctx context.Context, args ...string) ([]byte, error)
	// Grace is what systemd may need beyond a service's own time, to kill it
	// and to tell us; default 5 s.
	Grace time.Duration
	// StartBound is how long a start may take that systemd does not end by itself;
	// default service.StartBound. A unit whose own limits add up to more has that.
	StartBound time.Duration
}

// Manager runs services through systemd. See the package comment.
type Manager struct {
	cfg  Config
	life context.Context
	end  context.CancelFunc

	mu      sync.Mutex
	conn    *sd.Conn
	endConn context.CancelFunc
}

var _ service.Manager = (*Manager)(nil)

// New returns a manager. It cannot fail: the manager connects when it is first
// asked something.
func New(cfg Config) *Manager {
	if cfg.Clock == nil {
		cfg.Clock = clock.System()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = dial
	}
	if cfg.Bus == nil {
		cfg.Bus = systembus.Dial
	}
	if cfg.Journalctl == nil {
		cfg.Journalctl = journalctl
	}
	if cfg.Grace <= 0 {
		cfg.Grace = 5 * time.Second
	}
	if cfg.StartBound <= 0 {
		cfg.StartBound = service.StartBound
	}
	m := &Manager{cfg: cfg}
	m.life, m.end = context.WithCancel(context.Background())
	return m
}

// Start implements service.Manager.
func (m *Manager) Start(ctx context.Context, s service.Service) error {
	m.forgive(ctx, s)
	return m.job(ctx, s, job{name: "start", mode: mode(s), patience: m.cfg.StartBound + m.cfg.Grace, more: m.startLimits, call: (*sd.Conn).StartUnitContext})
}

// Restart implements service.Manager.
func (m *Manager) Restart(ctx context.Context, s service.Service) error {
	m.forgive(ctx, s)
	return m.job(ctx, s, job{name: "restart", mode: mode(s), patience: limit(s) + 2*m.cfg.Grace + m.cfg.StartBound, more: m.startLimits, call: (*sd.Conn).RestartUnitContext})
}

// Stop implements service.Manager.
func (m *Manager) Stop(ctx context.Context, s service.Service) error {
	was, _, perr := m.glance(ctx, s)
	err := m.job(ctx, s, job{name: "stop", mode: "replace", patience: limit(s) + m.cfg.Grace, call: (*sd.Conn).StopUnitContext})
	if err == nil && perr == nil && was == service.Broken {
		m.forgive(ctx, s) // it had failed before: a job waits for its timer now
	}
	return err
}

// Status implements service.Manager.
func (m *Manager) Status(ctx context.Context, s service.Service) (service.Status, error) {
	p, err := m.properties(ctx, s)
	if err != nil {
		return service.Status{}, m.explain("status", s, err)
	}
	return p.status(), nil
}

// Reload implements service.Manager.
func (m *Manager) Reload(ctx context.Context) error {
	err := m.ask(ctx, func(ctx context.Context, c *sd.Conn) error { return c.ReloadContext(ctx) })
	return m.explain("daemon-reload", service.Service{}, err)
}

// Close implements service.Manager. It also ends calls that are under way.
func (m *Manager) Close() error {
	m.end()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop()
	return nil
}

// forgive clears the start limit and the restart count of earlier failures.
// Failing is fine: the job that follows says what is wrong.
func (m *Manager) forgive(ctx context.Context, s service.Service) {
	err := m.ask(ctx, func(ctx context.Context, c *sd.Conn) error { return c.ResetFailedUnitContext(ctx, s.UnitName()) })
	if err != nil {
		m.cfg.Log.Debug("cannot reset a unit's failures", "unit", s.UnitName(), "error", err)
	}
}

// limit is how long a service may take to stop.
func limit(s service.Service) time.Duration {
	if s.StopTimeout > 0 {
		return s.StopTimeout
	}
	return 30 * time.Second
}

// mode is the mode of a start job. "replace": of two jobs that contradict each
// other the later counts. A target is only marked as reached: of the units that it
// pulls in, those that ran are started one by one, and the others stay stopped.
func mode(s service.Service) string {
	if strings.HasSuffix(s.UnitName(), ".target") {
		return "ignore-dependencies"
	}
	return "replace"
}
