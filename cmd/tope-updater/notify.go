package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/steps"
)

// notify sends a state to systemd; without systemd it does nothing.
func notify(log *slog.Logger, state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		log.Warn("cannot notify systemd", "err", err)
	}
}

// watchdog feeds systemd's watchdog for as long as the engine's loop answers. A
// step may work for hours in its worker; the loop must answer within seconds.
func watchdog(ctx context.Context, log *slog.Logger, e *engine.Engine) {
	every, err := sd.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return
	}
	for ctx.Err() == nil {
		if e.Alive(ctx) == nil {
			notify(log, "WATCHDOG=1")
		}
		select {
		case <-ctx.Done():
		case <-time.After(every / 3):
		}
	}
}

// announce keeps the line that `systemctl status` shows up to date, until ctx ends.
func announce(ctx context.Context, log *slog.Logger, e *engine.Engine) {
	said := ""
	for {
		changed := e.Changed()
		if now := statusLine(e.Status()); now != said {
			notify(log, "STATUS="+now)
			said = now
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// statusLine says in a line where the device stands.
func statusLine(st engine.Status) string {
	switch {
	case st.Update != nil && st.Update.Pause != nil:
		// Without the seconds to the next try: the line stays until something changes.
		return fmt.Sprintf("%s of %s waits: %s (update %s)", st.State, orNone(st.Update.To), steps.Brief(st.Update.Pause.Why, steps.LongestLine), st.Update.ID)
	case st.Update != nil:
		return fmt.Sprintf("%s, from %s to %s (update %s)", st.State, orNone(st.Update.From), orNone(st.Update.To), st.Update.ID)
	case st.Last != nil && st.Last.State == engine.NeedsAttention:
		return fmt.Sprintf("%s since update %s; current is %s", engine.NeedsAttention, st.Last.ID, orNone(st.Pointers.Current))
	}
	return fmt.Sprintf("%s, current is %s", st.State, orNone(st.Pointers.Current))
}

// inherited are the sockets that systemd holds for us, if it does.
func inherited() ([]net.Listener, error) {
	var all []net.Listener
	for _, f := range activation.Files(true) {
		l, err := net.FileListener(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("cannot take the socket %s from systemd: %w; see tope-updater.socket", f.Name(), err)
		}
		all = append(all, l)
	}
	return all, nil
}
