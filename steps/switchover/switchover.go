// Package switchover is the step Switch: it stops the services, writes previous and
// flips current. The downtime begins here, so the step does nothing else, except the
// hooks and snapshots that a version asks for (prepare.go).
//
// The package cannot be called switch, which is a keyword of Go.
//
// The order of the work, and the state on disk if the power goes:
//
//   - the target's pre-switch hook, while the services still run: only the hook's
//     own writes are on disk, and it may run twice;
//   - links of the target version, made while the services still run: a link leads
//     through current, and dangles until current has the program, which does no harm;
//   - a note in the journal of the further units that ran;
//   - services stopped, with the sockets and timers that could start them in
//     between, and with the units that depend on them: nothing more has changed on
//     disk;
//   - snapshots of the data that the services wrote, where a version asks for them,
//     complete or under a temporary name: the old version runs on at the next boot;
//   - previous at the old version: the old version still runs at the next boot;
//   - current at the new one: the new version runs at the next boot, and everything
//     that a rollback needs is there;
//   - unit files of the version that is now current: if the power goes before all of
//     them are there, recovery completes them before the services start.
//
// On the way back (Task.Back) current is set first, so that the right version runs as
// early as possible. Only the data is put back before that, by renames: the old
// version must not run on data that the new one wrote.
package switchover

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/snapshot"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// Pointers is what the step needs of versions.Store; every change is durable
// when it returns.
type Pointers interface {
	Pointers() (versions.Pointers, error)
	Point(pointer, version string) error
	Unpoint(pointer string) error
	// Sync makes the pointers durable as they are.
	Sync() error
	EnsureLinks(version string) (added []string, err error)
	// LinkPath is the device path of the link of an entry such as "bin/device-api".
	LinkPath(entry string) string
	running.Installed
}

// Config configures the step.
type Config struct {
	Manager  service.Manager
	Services []service.Service
	Versions Pointers
	Clock    clock.Clock
	// Snapshots is nil on a device that takes none.
	Snapshots Snapshots
	// Hold puts off a shutdown until the services run again; may be nil.
	Hold *service.Hold
	// Units are the unit files that versions carry; nil where systemd runs no services.
	Units running.Units
}

// Evidence is what the journal keeps of a switch.
type Evidence struct {
	// Stopped are the services that were stopped, in the reverse of their start order.
	Stopped []string `json:"stopped"`
	// Companions were stopped with the services and have to be started again. Cycles
	// are the orderings between units that were ignored because they close a cycle.
	Companions *running.Companions `json:"companions,omitempty"`
	Cycles     []string            `json:"circles,omitempty"`
	Before     versions.Pointers   `json:"before"`
	After      versions.Pointers   `json:"after"`
	// Links are the links made for new programs. Blocked has the failures that were
	// not worth an error.
	Links   []string `json:"links,omitempty"`
	Blocked string   `json:"blocked,omitempty"`
	steps.Switched
	// Hook is the target's pre-switch hook.
	Hook *running.HookRan `json:"hook,omitempty"`
	// Snapshot describes the data that was kept, Restored the data that was put back.
	Snapshot *Snapshot          `json:"snapshot,omitempty"`
	Restored *snapshot.Restored `json:"restored,omitempty"`
	// StopTook and FlipTook are how long stopping and moving the pointers took.
	StopTook time.Duration `json:"stop_took_ns"`
	FlipTook time.Duration `json:"flip_took_ns"`
}

var _ steps.Fact = Evidence{}

// Step is Switch.
type Step struct{ cfg Config }

// New makes the step.
func New(cfg Config) *Step { return &Step{cfg: cfg} }

// Probe compares the pointers with the target. Links are made before current moves,
// so when the pointers are right the links are there too.
func (s *Step) Probe(_ context.Context, t *steps.Task) (steps.Reach, error) {
	p, err := s.cfg.Versions.Pointers()
	if err != nil {
		return "", steps.FromOS(err, "read the pointers")
	}
	agree := true
	if s.cfg.Units != nil {
		if agree, err = s.cfg.Units.Agrees(t.Target.Current); err != nil {
			agree = false // Do reports the error
		}
	}
	switch {
	case p.Current == t.Target.Current && p.Previous == t.Target.Previous && agree && !s.owed(t):
		return steps.Done, steps.FromOS(s.sync(t), "keep the switch that is done")
	case p.Current == t.Target.Current || p.Previous == t.Target.Previous:
		return steps.Partly, nil
	}
	return steps.NotStarted, nil
}

// sync makes durable what Probe has found done. A process that was killed in its last
// lines has left the pointers, the unit files' names, or data that was put back, right in
// the cache only. If the power goes before this returns, the device is at the old or
// at the new target, and the journal still says that the switch is under way. Links need
// no sync: they were durable before a pointer moved.
func (s *Step) sync(t *steps.Task) error {
	err := s.cfg.Versions.Sync()
	if s.cfg.Units != nil {
		err = errors.Join(err, s.cfg.Units.Sync())
	}
	if t.Back && s.cfg.Snapshots != nil {
		err = errors.Join(err, s.cfg.Snapshots.Sync(t.Update))
	}
	return err
}

// Do stops the services, those that start last first, and moves the pointers. From the first
// stop on it holds a shutdown back, until Restart releases the hold.
func (s *Step) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	out, err := s.do(ctx, t)
	if err != nil {
		s.cfg.Hold.Release() // going back takes it again
	}
	return out, err
}

func (s *Step) do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	var ev Evidence
	leaving, err := running.ToStop(s.cfg.Units, t)
	if err != nil {
		return steps.Outcome{}, err
	}
	list, err := running.Services(ctx, s.cfg.Manager, s.cfg.Services, leaving)
	if err != nil {
		return steps.Outcome{}, err
	}
	instances, err := running.Instances(ctx, s.cfg.Manager, s.cfg.Units, t)
	if err != nil {
		return steps.Outcome{}, err
	}
	if ev.Before, err = s.cfg.Versions.Pointers(); err != nil {
		return steps.Outcome{}, steps.FromOS(err, "read the pointers")
	}
	if err := s.link(t, &ev); err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	todo, err := s.prepare(ctx, t, &ev)
	if err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	s.cfg.Hold.Take(ctx, "services are being switched to another version")
	halt, err := running.StopAll(ctx, s.cfg.Manager, s.cfg.Clock, list, t, instances...)
	ev.StoppedAt, ev.Stopped, ev.Cycles = halt.At, halt.Stopped, halt.Cycles
	ev.Blocked = strings.TrimSpace(ev.Blocked + " " + halt.Blocked)
	if halt.Any() {
		ev.Companions = &halt.Companions
	}
	if err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	stopped := s.cfg.Clock.Monotonic()
	ev.StopTook = stopped - ev.StoppedAt.Mono
	if err := s.capture(ctx, t, todo, &ev); err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	if err := s.putBack(t, &ev); err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	flipping := s.cfg.Clock.Monotonic()
	if err := s.flip(t, &ev); err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	if err := s.follow(ctx, t, &ev); err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	ev.FlipTook = s.cfg.Clock.Monotonic() - flipping
	if ev.After, err = s.cfg.Versions.Pointers(); err != nil {
		return steps.Outcome{Evidence: ev}, steps.FromOS(err, "read the pointers")
	}
	return steps.Outcome{Evidence: ev}, nil
}

// link makes the links of the target version. A file in a link's place does not belong
// to the updater: link leaves it alone and reports it. On the way back a link that
// cannot be made is not worth an error.
func (s *Step) link(t *steps.Task, ev *Evidence) error {
	if t.Target.Current == "" {
		return nil
	}
	var err error
	ev.Links, err = s.cfg.Versions.EnsureLinks(t.Target.Current)
	if err == nil {
		return nil
	}
	if errors.Is(err, versions.ErrForeign) && !t.Back {
		if err := s.indispensable(t, err); err != nil {
			return err
		}
	}
	if errors.Is(err, versions.ErrForeign) || t.Back {
		ev.Blocked = err.Error()
		return nil
	}
	return steps.FromOS(err, "make the links of version "+t.Target.Current)
}

// flip moves the pointers in the order the package comment explains.
func (s *Step) flip(t *steps.Task, ev *Evidence) error {
	moves := []struct{ pointer, to string }{
		{versions.Previous, t.Target.Previous},
		{versions.Current, t.Target.Current},
	}
	if t.Back {
		moves[0], moves[1] = moves[1], moves[0]
	}
	for _, m := range moves {
		err := s.set(m.pointer, m.to)
		if err != nil && t.Back && m.pointer == versions.Previous && t.Attempt > 1 {
			// The right version is current. A wrong previous is not worth an error.
			ev.Blocked = strings.TrimSpace(ev.Blocked + " " + err.Error())
			continue
		}
		if err != nil {
			return steps.FromOS(err, "set "+m.pointer+" to "+m.to)
		}
	}
	return nil
}

// set makes a pointer lead to a version, or removes the pointer when version is empty.
func (s *Step) set(pointer, version string) error {
	if version == "" {
		return s.cfg.Versions.Unpoint(pointer)
	}
	return s.cfg.Versions.Point(pointer, version)
}

// Undo does nothing: a switch is undone by Rollback, which is a switch too.
func (s *Step) Undo(context.Context, *steps.Task) error { return nil }
