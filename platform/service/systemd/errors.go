package systemd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/godbus/dbus/v5"

	"github.com/tope/updater/platform/service"
)

var (
	errClosed   = fmt.Errorf("%w: it has been closed", service.ErrUnavailable)
	errNoAnswer = fmt.Errorf("%w: systemd has not answered within %v", service.ErrUnavailable, callTimeout)
)

// unreachable is a failure to connect, or to stay connected.
type unreachable struct{ err error }

func (u *unreachable) Error() string        { return "no connection to systemd: " + u.err.Error() }
func (u *unreachable) Unwrap() error        { return u.err }
func (u *unreachable) Is(target error) bool { return target == service.ErrUnavailable }

// explain turns an error of D-Bus into one of package service.
func (m *Manager) explain(op string, s service.Service, err error) error {
	if err == nil {
		return nil
	}
	what := op
	if s.Name != "" {
		what += " " + s.UnitName()
	}
	err = classify(err)
	if hint := advice(err, s.UnitName()); hint != "" {
		return fmt.Errorf("cannot %s: %w; %s", what, err, hint)
	}
	return fmt.Errorf("cannot %s: %w", what, err)
}

// advice tells what to do about a unit that cannot be run.
func advice(err error, unit string) string {
	var said dbus.Error
	switch {
	case errors.As(err, &said) && said.Name == masked:
		return "run systemctl unmask " + unit
	case errors.Is(err, service.ErrUnusable):
		return "see systemctl status " + unit + " for what is wrong with its file, repair it and run systemctl daemon-reload"
	case errors.Is(err, service.ErrNotFound):
		return "install its unit file and run systemctl daemon-reload, or take the service out of the configuration"
	}
	return ""
}

const masked = "org.freedesktop.systemd1.UnitMasked"

func classify(err error) error {
	for _, known := range []error{
		service.ErrNotFound, service.ErrUnusable, service.ErrFailed, service.ErrTimeout, service.ErrUnavailable,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	// A connection that has just died gives these errors before it is known to be dead.
	for _, dead := range []error{dbus.ErrClosed, net.ErrClosed, io.EOF, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, dead) {
			return fmt.Errorf("%w: %w", service.ErrUnavailable, err)
		}
	}
	var said dbus.Error
	if !errors.As(err, &said) {
		return err // The caller's own cause for a cancelled context, or a bug.
	}
	switch said.Name {
	case "org.freedesktop.systemd1.NoSuchUnit":
		return fmt.Errorf("%w: %w", service.ErrNotFound, err)
	case masked, "org.freedesktop.systemd1.BadUnitSetting", "org.freedesktop.systemd1.LoadFailed":
		return fmt.Errorf("%w: %w", service.ErrUnusable, err)
	case "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired":
		return fmt.Errorf("%w: %w; run the updater as root", service.ErrFailed, err)
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
		"org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Timeout",
		"org.freedesktop.DBus.Error.TimedOut", "org.freedesktop.DBus.Error.Disconnected",
		"org.freedesktop.DBus.Error.NoServer", "org.freedesktop.DBus.Error.LimitsExceeded",
		// These come from a bus to which systemd is not connected, and which tried to start it.
		"org.freedesktop.DBus.Error.Spawn.ChildExited", "org.freedesktop.DBus.Error.Spawn.ExecFailed":
		return fmt.Errorf("%w: %w", service.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", service.ErrFailed, err)
}

func noSuchUnit(err error) bool { return errors.Is(classify(err), service.ErrNotFound) }
