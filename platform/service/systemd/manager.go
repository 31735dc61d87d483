package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
)

// callTimeout bounds one question to systemd, which answers at once unless it hangs.
const callTimeout = 25 * time.Second

// Config is what a Manager needs; the zero value is right on a device.
type Config struct {
	Clock clock.Clock
	Log   *slog.Logger
	// Dial connects to systemd; by default as the package comment says. The
	// context is the connection's for all its life.
	Dial func(context.Context) (*sd.Conn, error)
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

// New returns a manager. It connects when it is first asked something, so there
// is nothing here that can fail.
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
	m := &Manager{cfg: cfg}
	m.life, m.end = context.WithCancel(context.Background())
	return m
}

// Start implements service.Manager.
func (m *Manager) Start(ctx context.Context, s service.Service) error {
	m.forgive(ctx, s)
	return m.job(ctx, s, job{name: "start", patience: patience(s), call: (*sd.Conn).StartUnitContext})
}

// Restart implements service.Manager.
func (m *Manager) Restart(ctx context.Context, s service.Service) error {
	m.forgive(ctx, s)
	return m.job(ctx, s, job{name: "restart", patience: 2 * patience(s), call: (*sd.Conn).RestartUnitContext})
}

// Stop implements service.Manager.
func (m *Manager) Stop(ctx context.Context, s service.Service) error {
	return m.job(ctx, s, job{name: "stop", patience: patience(s), call: (*sd.Conn).StopUnitContext})
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

// Stopping implements service.Manager.
func (m *Manager) Stopping(ctx context.Context) (stopping bool, err error) {
	err = m.ask(ctx, func(ctx context.Context, c *sd.Conn) error {
		state, err := c.SystemStateContext(ctx)
		if err == nil {
			word, _ := state.Value.Value().(string)
			stopping = word == "stopping"
		}
		return err
	})
	return stopping, m.explain("system state", service.Service{}, err)
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
	err := m.ask(ctx, func(ctx context.Context, c *sd.Conn) error { return c.ResetFailedUnitContext(ctx, unitOf(s)) })
	if err != nil {
		m.cfg.Log.Debug("cannot reset a unit's failures", "unit", unitOf(s), "error", err)
	}
}

// ask puts one question to systemd, and puts it again on a new connection when
// the one at hand turns out to be dead. Every question may be put twice: the
// worst is a service that is restarted twice.
func (m *Manager) ask(ctx context.Context, question func(context.Context, *sd.Conn) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	ctx, cancel := clock.WithTimeout(ctx, m.cfg.Clock, callTimeout, errNoAnswer)
	defer cancel()
	defer context.AfterFunc(m.life, cancel)()
	var err error
	for range 2 {
		var conn *sd.Conn
		if conn, err = m.connect(ctx); err != nil {
			break
		}
		if err = question(ctx, conn); err == nil || conn.Connected() {
			break
		}
		err = &unreachable{err}
	}
	if err != nil && ctx.Err() != nil {
		if m.life.Err() != nil {
			return errClosed
		}
		return context.Cause(ctx)
	}
	return err
}

// connect returns the connection there is, or makes one.
func (m *Manager) connect(ctx context.Context) (*sd.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life.Err() != nil {
		return nil, errClosed
	}
	if m.conn != nil && m.conn.Connected() {
		return m.conn, nil
	}
	m.drop()
	// The connection outlives this call, but its making must not.
	life, giveUp := context.WithCancel(m.life)
	settled := context.AfterFunc(ctx, giveUp)
	conn, err := m.cfg.Dial(life)
	settled()
	if err != nil {
		giveUp()
		return nil, &unreachable{err}
	}
	m.conn, m.endConn = conn, giveUp
	return conn, nil
}

// drop lets go of a connection. mu is held.
func (m *Manager) drop() {
	if m.conn != nil {
		m.conn.Close()
		m.endConn()
		m.conn, m.endConn = nil, nil
	}
}

type dialer func(context.Context) (*sd.Conn, error)

// dial tries the system bus and then, for root, the socket that only root may use.
func dial(ctx context.Context) (*sd.Conn, error) {
	if os.Geteuid() != 0 {
		return sd.NewSystemConnectionContext(ctx)
	}
	return either(ctx, sd.NewSystemConnectionContext, sd.NewSystemdConnectionContext)
}

// either gives both reasons when neither works.
func either(ctx context.Context, bus, private dialer) (*sd.Conn, error) {
	conn, err := bus(ctx)
	if err == nil {
		return conn, nil
	}
	conn, privateErr := private(ctx)
	if privateErr != nil {
		return nil, fmt.Errorf("%w; nor over its private socket: %w", err, privateErr)
	}
	return conn, nil
}

// unitOf is systemd's full name of a service.
func unitOf(s service.Service) string {
	switch {
	case s.Unit == "":
		return s.Name + ".service"
	case !strings.Contains(s.Unit, "."):
		return s.Unit + ".service"
	}
	return s.Unit
}

// grace is what systemd may need beyond a service's own time to kill it and to
// tell us.
const grace = 5 * time.Second

func patience(s service.Service) time.Duration {
	if s.StopTimeout > 0 {
		return s.StopTimeout + grace
	}
	return 30*time.Second + grace
}
