package systemd

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
)

const (
	logind       = "org.freedesktop.login1"
	logindPath   = dbus.ObjectPath("/org/freedesktop/login1")
	loginManager = logind + ".Manager"
	// loginTimeout is short: nothing that logind says is worth waiting for
	// while services are down.
	loginTimeout = time.Second
)

var errNoLogin = errors.New("logind has not answered in time")

// Stopping implements service.Manager: systemd is on its way down, or logind has
// announced that and still waits for the programs that asked it to (Inhibit).
func (m *Manager) Stopping(ctx context.Context) (stopping bool, err error) {
	state, err := m.systemState(ctx)
	if state == "stopping" || m.announced(ctx) {
		return true, nil
	}
	return false, err
}

// Maintenance implements service.Maintained: the rescue or the emergency target is
// reached, or asked for.
func (m *Manager) Maintenance(ctx context.Context) (bool, error) {
	state, err := m.systemState(ctx)
	return state == "maintenance", err
}

// systemState is what `systemctl is-system-running` says.
func (m *Manager) systemState(ctx context.Context) (word string, err error) {
	err = m.ask(ctx, func(ctx context.Context, c *sd.Conn) error {
		state, err := c.SystemStateContext(ctx)
		if err == nil {
			word, _ = state.Value.Value().(string)
		}
		return err
	})
	return word, m.explain("system state", service.Service{}, err)
}

// announced reports whether logind prepares for a shutdown. Where there is no
// logind nothing is announced.
func (m *Manager) announced(ctx context.Context) (yes bool) {
	err := m.login(ctx, func(ctx context.Context, o dbus.BusObject) error {
		var v dbus.Variant
		if err := o.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart, loginManager, "PreparingForShutdown").Store(&v); err != nil {
			return err
		}
		yes, _ = v.Value().(bool)
		return nil
	})
	if err != nil {
		m.cfg.Log.Debug("cannot ask logind whether a shutdown is announced", "err", err)
	}
	return yes
}

// Inhibit implements service.Manager, by a delay inhibitor of logind's. It ends
// when release is called, and with this process at the latest.
func (m *Manager) Inhibit(ctx context.Context, why string) (release func(), err error) {
	var fd dbus.UnixFD
	err = m.login(ctx, func(ctx context.Context, o dbus.BusObject) error {
		return o.CallWithContext(ctx, loginManager+".Inhibit", dbus.FlagNoAutoStart, "shutdown", "tope-updater", why, "delay").Store(&fd)
	})
	if err != nil {
		return func() {}, m.explain("inhibit a shutdown", service.Service{}, err)
	}
	held := os.NewFile(uintptr(fd), "inhibitor")
	return sync.OnceFunc(func() { _ = held.Close() }), nil // closed even when it returns an error
}

// login puts one question to logind, on a connection of its own: it is seldom asked.
func (m *Manager) login(ctx context.Context, question func(context.Context, dbus.BusObject) error) error {
	ctx, cancel := clock.WithTimeout(ctx, m.cfg.Clock, loginTimeout, errNoLogin)
	defer cancel()
	conn, err := m.cfg.Bus(ctx)
	if err == nil {
		err = question(ctx, conn.Object(logind, logindPath))
		_ = conn.Close() // nothing is expected of it any more
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
