package systemd

import (
	"context"
	"fmt"
	"os"

	sd "github.com/coreos/go-systemd/v22/dbus"
)

type dialer func(context.Context) (*sd.Conn, error)

// dial connects root to the socket that only root may use, as systemctl does,
// and otherwise to the system bus. So root does not depend on a bus that may be
// down or restarted, and `recover` does not hang: early in a boot the bus's socket
// is there, and accepts connections, long before the bus runs.
func dial(ctx context.Context) (*sd.Conn, error) {
	if os.Geteuid() != 0 {
		return sd.NewSystemConnectionContext(ctx)
	}
	return either(ctx, sd.NewSystemdConnectionContext, sd.NewSystemConnectionContext)
}

// either gives both reasons when neither works.
func either(ctx context.Context, private, bus dialer) (*sd.Conn, error) {
	conn, err := private(ctx)
	if err == nil {
		return conn, nil
	}
	conn, busErr := bus(ctx)
	if busErr != nil {
		return nil, fmt.Errorf("%w; nor over the system bus: %w", err, busErr)
	}
	return conn, nil
}
