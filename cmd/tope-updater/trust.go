package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/steps/bundle/trust"
)

// policy says whose releases this device installs.
func (d *device) policy() trust.Policy {
	return trust.Policy{
		Root: d.root, Directory: d.cfg.Paths.Keys, Now: d.clock.Now,
		RequireSignature: d.cfg.Trust.RequireSignature, AllowUnsigned: d.cfg.Trust.AllowUnsigned,
	}
}

// trustPause is how often a daemon looks whether its keys have changed. That is
// for its status: each bundle is judged by the keys that are there at that moment.
const trustPause = 20 * time.Second

// trustWatch keeps the status's line about trust: it remembers the last look, so
// that a status does not read the disk.
type trustWatch struct {
	policy trust.Policy
	clock  clock.Clock
	log    *slog.Logger
	seen   atomic.Pointer[trust.Standing]
}

// watchTrust looks once, and returns the watch that goes on from there.
func (d *device) watchTrust() *trustWatch {
	w := &trustWatch{policy: d.policy(), clock: d.clock, log: d.log}
	w.look()
	return w
}

// line is the text of the last look.
func (w *trustWatch) line() string { return w.seen.Load().Text }

// look reports whether the answer has changed since the last look.
func (w *trustWatch) look() (now trust.Standing, changed bool) {
	now = w.policy.Standing()
	was := w.seen.Swap(&now)
	return now, was != nil && was.Text != now.Text
}

// follow logs whom the device trusts, and then keeps the line true while keys
// come and go, until ctx ends. Each change is logged.
func (w *trustWatch) follow(ctx context.Context) {
	w.say(*w.seen.Load())
	for clock.Sleep(ctx, w.clock, trustPause) == nil {
		if now, changed := w.look(); changed {
			w.say(now)
		}
	}
}

// say logs whom the device trusts, as a warning when it trusts anybody.
func (w *trustWatch) say(s trust.Standing) {
	if s.Anybody {
		w.log.Warn("this device trusts "+s.Text, "event", engine.EventUntrusting)
		return
	}
	w.log.Info("this device trusts " + s.Text)
}
