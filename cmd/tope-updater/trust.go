package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/steps/bundle/trust"
)

// policy says whose releases this device installs. It reads the journal, if it is
// asked, beside the process that writes it.
func (d *device) policy() trust.Policy { return d.policyBy(d.signedRelease) }

// policy is the device's, by the journal that the engine at work has.
func (p *parts) policy() trust.Policy {
	if p.signed == nil {
		return p.device.policy()
	}
	return p.policyBy(p.signed)
}

func (d *device) policyBy(committed func() string) trust.Policy {
	return trust.Policy{
		Committed: committed,
		Root:      d.root, Directory: d.cfg.Paths.Keys, Now: d.clock.Now,
		RequireSignature: d.cfg.Trust.RequireSignature, AllowUnsigned: d.cfg.Trust.AllowUnsigned,
	}
}

// signedRelease is engine.SignedRelease by what is on the disk. A journal that cannot be
// read knows of none, and the versions are asked.
func (d *device) signedRelease() string {
	known := &journal.Fold{}
	if r, err := d.openReader(); err == nil {
		known = r.State()
		_ = r.Close() // only read
	}
	store, err := d.openVersions(false)
	if err != nil {
		return engine.SignedRelease(known, nil)
	}
	return engine.SignedRelease(known, upkeep{store})
}

// knows has the policy judge by the journal of an engine.
func (p *parts) knows(j engine.Journal) {
	w := &signers{upkeep: upkeep{p.store}}
	p.newestSigned = func() *journal.Signed { return j.State().Signed }
	p.signed = func() string { return engine.SignedRelease(j.State(), w) }
}

// signers remembers the answer for one version: the status asks every twenty seconds,
// and a manifest may have megabytes. Safe for concurrent use.
type signers struct {
	upkeep
	mu           sync.Mutex
	version, key string
}

func (s *signers) SignedBy(version string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if version == s.version {
		return s.key, nil
	}
	key, err := s.upkeep.SignedBy(version)
	if err == nil {
		s.version, s.key = version, key
	}
	return key, err
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
	// signed is the journal's word in memory, nil without a journal, and by is the one
	// at the last look.
	signed func() *journal.Signed
	by     atomic.Pointer[journal.Signed]
}

// watchTrust looks once, and returns the watch that goes on from there.
func (p *parts) watchTrust() *trustWatch {
	w := &trustWatch{policy: p.policy(), clock: p.clock, log: p.log, signed: p.newestSigned}
	w.look()
	return w
}

// line is the text of the last look. It looks again when a signed release was committed
// since, or let go of.
func (w *trustWatch) line() string {
	if w.signed != nil && w.signed() != w.by.Load() {
		w.look()
	}
	return w.seen.Load().Text
}

// look reports whether the answer has changed since the last look.
func (w *trustWatch) look() (now trust.Standing, changed bool) {
	if w.signed != nil {
		w.by.Store(w.signed())
	}
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
