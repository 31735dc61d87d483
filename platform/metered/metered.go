// Package metered asks NetworkManager whether the network of this device costs money by
// the byte: a mobile network, or one that somebody has marked so. It looks and changes
// nothing, and starts no service.
package metered

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/tope/updater/platform/systembus"
)

// ErrUnknown means that nobody can tell: there is no system bus or no NetworkManager, it
// does not answer, or it does not know.
var ErrUnknown = errors.New("cannot tell whether the network is metered")

// timeout is how long NetworkManager may take to answer.
const timeout = 5 * time.Second

const (
	manager  = "org.freedesktop.NetworkManager"
	path     = "/org/freedesktop/NetworkManager"
	property = "org.freedesktop.DBus.Properties.Get"
)

// What NetworkManager answers (NMMetered). It guesses where nobody has said: a phone's
// hotspot is likely to be metered, a cable is not.
const (
	yes      = 1
	no       = 2
	guessYes = 3
	guessNo  = 4
)

// Metered reports whether the network with the default route is metered, or likely to be.
// It returns within 5 s. The error wraps ErrUnknown; when ctx has ended, it is the cause
// of that instead. It may be called by several goroutines.
func Metered(ctx context.Context) (bool, error) { return within(ctx, timeout) }

func within(ctx context.Context, limit time.Duration) (bool, error) {
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("NetworkManager has not answered within %s", limit))
	defer cancel()
	word, err := ask(limited)
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case limited.Err() != nil:
		err = context.Cause(limited)
	case err == nil && (word == yes || word == guessYes):
		return true, nil
	case err == nil && (word == no || word == guessNo):
		return false, nil
	case err == nil:
		return false, fmt.Errorf("%w: NetworkManager does not know (%d)", ErrUnknown, word)
	}
	return false, fmt.Errorf("%w: %w", ErrUnknown, err)
}

func ask(ctx context.Context) (word uint32, err error) {
	conn, err := systembus.Dial(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }() // nothing is expected of it any more
	err = conn.Object(manager, path).CallWithContext(ctx, property, dbus.FlagNoAutoStart, manager, "Metered").Store(&word)
	return word, err
}
