// Package systembus connects to the D-Bus system bus. A caller asks one question and
// closes the connection: the updater seldom has one.
package systembus

import (
	"context"
	"os"
	"strconv"

	"github.com/godbus/dbus/v5"
)

// Dial connects to the system bus. The connection ends when ctx does. That counts while
// it is made, too: early in a boot the bus's socket accepts connections long before the
// bus runs.
func Dial(ctx context.Context) (*dbus.Conn, error) {
	conn, err := dbus.SystemBusPrivate(dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	// The user by number: a static program can't look up names.
	if err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err == nil {
		err = conn.Hello()
	}
	if err != nil {
		_ = conn.Close() // the first error counts
		return nil, err
	}
	return conn, nil
}
