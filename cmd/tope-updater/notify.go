package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/tope/updater/engine"
)

// notify tells systemd; without one it does nothing.
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("cannot notify systemd", "err", err)
	}
}

// watchdog feeds systemd's watchdog for as long as the engine's loop answers.
// A step may take for hours in its worker; the loop may not take for seconds.
func (d *device) watchdog(ctx context.Context, e *engine.Engine) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return
	}
	for ctx.Err() == nil {
		if e.Alive(ctx) == nil {
			notify(d.log, "WATCHDOG=1")
		}
		select {
		case <-ctx.Done():
		case <-time.After(every / 3):
		}
	}
}
