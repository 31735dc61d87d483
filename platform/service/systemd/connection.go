package systemd

import (
	"context"
	"errors"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
)

// ask puts one question to systemd, and puts it again on a new connection when
// the one at hand turns out to be dead, or to lead to a bus that has lost
// systemd. Every question may be put twice: at worst a service is restarted
// twice.
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
		if err = question(ctx, conn); err == nil || ctx.Err() != nil {
			break
		}
		if conn.Connected() {
			if !errors.Is(classify(err), service.ErrUnavailable) {
				break
			}
			m.forget(conn)
			continue
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
	// The connection outlives this call, but the attempt to connect must not.
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

// forget drops a connection that does not work, unless it was dropped already.
func (m *Manager) forget(conn *sd.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn == conn {
		m.drop()
	}
}

// drop lets go of a connection. mu is held.
func (m *Manager) drop() {
	if m.conn != nil {
		m.conn.Close()
		m.endConn()
		m.conn, m.endConn = nil, nil
	}
}
