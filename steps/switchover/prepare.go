package switchover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/platform/snapshot"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// Snapshots keeps the data that services wrote, and restores it: *snapshot.Store.
type Snapshots interface {
	Measure(ctx context.Context, paths []string) (snapshot.Size, error)
	Fits(size snapshot.Size) error
	Take(ctx context.Context, update string, paths []string) (snapshot.Taken, error)
	Pending(update string) ([]string, error)
	Restore(update string) (snapshot.Restored, error)
	// Sync makes durable what was put back.
	Sync(update string) error
}

// Snapshot is what the journal keeps of a snapshot that Switch took.
type Snapshot struct {
	snapshot.Taken
	Took time.Duration `json:"took_ns"`
}

// remaining is the work left between the stop and the flip.
type remaining struct {
	snapshots []string
	note      bool
}

// prepare does the work that the versions ask for while the old one still runs. It
// does nothing when current leads to the target already: the new version may have
// run, and a snapshot would hold the data that it wrote. It also does nothing when
// the note says that everything was done.
func (s *Step) prepare(ctx context.Context, t *steps.Task, ev *Evidence) (p remaining, err error) {
	if t.Back || t.Target.Current == "" || ev.Before.Current == t.Target.Current {
		return p, nil
	}
	var note steps.Prepared
	if _, err := t.Notes.Load(&note); err != nil {
		return p, steps.FromOS(err, "read whether the switch is prepared")
	}
	if note.Prepared {
		return p, nil
	}
	if p.note, p.snapshots, err = running.Owes(s.cfg.Versions, ev.Before.Current, t.Target.Current); err != nil {
		return p, err
	}
	hooks := running.Hooks{Versions: s.cfg.Versions, Manager: s.cfg.Manager, Clock: s.cfg.Clock}
	if ev.Hook, err = hooks.Run(ctx, t, t.Target.Current, versions.PreSwitch); err != nil {
		return p, err
	}
	if s.cfg.Snapshots == nil || len(p.snapshots) == 0 {
		p.snapshots = nil
		return p, nil
	}
	size, err := s.cfg.Snapshots.Measure(ctx, p.snapshots)
	if err == nil {
		err = s.cfg.Snapshots.Fits(size)
	}
	return p, s.snapshotError(ctx, err)
}

func (s *Step) snapshotError(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return steps.Stopped(ctx, "take the snapshot of what the services wrote")
	}
	return running.SnapshotError(err, "cannot take the snapshot of what the services wrote")
}

// capture takes the snapshots, with the services stopped. A snapshot of an earlier
// try is taken again: current never left the old version, which may have run and
// written since.
//
// If the power goes before the note is on disk, the old version runs at the
// next boot, and all of this is done again. Afterwards recovery may flip.
func (s *Step) capture(ctx context.Context, t *steps.Task, p remaining, ev *Evidence) error {
	if len(p.snapshots) > 0 {
		began := s.cfg.Clock.Monotonic()
		taken, err := s.cfg.Snapshots.Take(ctx, t.Update, p.snapshots)
		ev.Snapshot = &Snapshot{Taken: taken, Took: s.cfg.Clock.Monotonic() - began}
		if err != nil {
			return s.snapshotError(ctx, err)
		}
	}
	if !p.note {
		return nil
	}
	return steps.FromOS(t.Notes.Save(steps.Prepared{Prepared: true}), "note that the switch is prepared")
}

// putBack puts back the data that the old version had, while nothing runs and
// before current leads to that version. In a second attempt it only notes its error,
// and current is set all the same.
func (s *Step) putBack(t *steps.Task, ev *Evidence) error {
	if !t.Back || s.cfg.Snapshots == nil {
		return nil
	}
	done, err := s.cfg.Snapshots.Restore(t.Update)
	if len(done.Paths)+done.Before > 0 {
		ev.Restored = &done
	}
	if err != nil && t.Attempt > 1 {
		ev.Blocked = strings.TrimSpace(ev.Blocked + " " + err.Error())
		return nil
	}
	return steps.FromOS(err, "cannot put back what the services had written")
}

// owed reports whether data has still to be put back. If it cannot tell, it answers
// yes, and Do reports the error.
func (s *Step) owed(t *steps.Task) bool {
	if !t.Back || s.cfg.Snapshots == nil {
		return false
	}
	pending, err := s.cfg.Snapshots.Pending(t.Update)
	return err != nil || len(pending) > 0
}

// indispensable returns an error when a link that the target's release requires
// cannot be made.
func (s *Step) indispensable(t *steps.Task, err error) error {
	var blocked *versions.BlockedError
	if !errors.As(err, &blocked) {
		return nil
	}
	b, err := running.BroughtBy(s.cfg.Versions, t.Target.Current)
	if err != nil {
		return err
	}
	var missing []string
	for _, entry := range b.Links {
		if path := s.cfg.Versions.LinkPath(entry); slices.Contains(blocked.Paths, path) {
			missing = append(missing, path)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	paths := strings.Join(missing, ", ")
	return &steps.Error{
		Class: steps.Local, Code: steps.DeploymentFailed,
		Err:  fmt.Errorf("version %s cannot do without the link %s: %w", t.Target.Current, paths, versions.ErrForeign),
		Hint: "move " + paths + " away and install again",
	}
}
