package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/snapshot"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/download"
	"github.com/tope/updater/steps/running"
)

// keeper is the engine's Keeper: it knows where an update leaves its files.
type keeper struct {
	store     *versions.Store
	snapshots *snapshot.Store
	// work is the host path that has one directory for each open update.
	work string
	// shelf has the part of a download that was not finished; now is the wall clock.
	shelf string
	now   func() time.Time
	// keep is how many versions are kept beside those in use.
	keep int
}

// WorkDir implements engine.Keeper.
func (k keeper) WorkDir(update string) string { return filepath.Join(k.work, update) }

// MakeWorkDir makes the update's directory. Once it has returned, the directory
// survives a power cut. If the power goes before that, the directory may be there
// or not, and is made again.
func (k keeper) MakeWorkDir(update string) error { return disk.MkdirAll(k.WorkDir(update), 0o700) }

// DropWorkDir removes the update's directory. A power cut may leave a part of it,
// which means nothing to anybody once the version is published.
func (k keeper) DropWorkDir(update string) error { return k.remove(update) }

// remove removes an update's directory, and the secrets in it first: a power cut may have
// left them under the name that a file has until it is whole.
func (k keeper) remove(update string) error {
	file := k.source(update)
	return errors.Join(wipe(file), wipe(disk.TempName(file)), disk.RemoveTree(k.WorkDir(update)))
}

// Tidy removes everything that is not needed. Each thing either has a name for
// rubbish already, or is renamed so first: a power cut may leave half of it, and
// the next Tidy removes the rest.
func (k keeper) Tidy(ctx context.Context, n engine.Needs) ([]string, error) {
	var removed []string
	var errs []error
	note := func(some []string, err error) { removed, errs = append(removed, some...), append(errs, err) }
	swept, err := k.store.Sweep(n.Update)
	note(append(append(swept.Trash, swept.Stagings...), swept.Temporaries...), err)
	if ctx.Err() != nil {
		return removed, context.Cause(ctx)
	}
	note(k.dropWork(n))
	note(k.dropShelf())
	note(k.snapshots.Tidy(n.Update))
	note(k.store.Prune(k.keep, n.Versions...))
	if p, err := k.store.Pointers(); err != nil {
		errs = append(errs, err)
	} else if p.Current != "" && n.Update == "" {
		note(k.store.SweepLinks(p.Current))
	}
	return removed, errors.Join(errs...)
}

// dropWork removes the work directories of all updates but the open one, and one that
// waits to be accepted.
func (k keeper) dropWork(n engine.Needs) ([]string, error) {
	entries, err := os.ReadDir(k.work)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the work directories: %w", err)
	}
	var removed []string
	var errs []error
	for _, e := range entries {
		if e.Name() == n.Update || e.Name() == n.Next {
			continue
		}
		if err := k.remove(e.Name()); err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, "work/"+e.Name())
	}
	return removed, errors.Join(errs...)
}

// shelfLife is how long the part of an unfinished download waits for the next update to
// its release.
const shelfLife = 14 * 24 * time.Hour

// dropShelf removes a part that nobody has asked for again. The age is the wall clock's:
// one that is set wrong costs a download, or room for a while.
func (k keeper) dropShelf() ([]string, error) {
	info, err := os.Lstat(filepath.Join(k.shelf, download.NoteFile))
	if errors.Is(err, fs.ErrNotExist) || err == nil && k.now().Sub(info.ModTime()).Abs() < shelfLife {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for an earlier download: %w", err)
	}
	return []string{filepath.Base(k.shelf)}, disk.RemoveTree(k.shelf)
}

// makeRoom removes versions when there is not enough space for a new one. It
// spares those that anything needs, the open update included.
func (k keeper) makeRoom(_ context.Context, t *steps.Task) ([]string, error) {
	return k.store.Prune(0, t.Before.Current, t.Before.Previous, t.Before.Factory, t.Release.Version)
}

// data is the engine's Data.
type data struct {
	store     *versions.Store
	snapshots *snapshot.Store
}

// Owes implements engine.Data.
func (d data) Owes(from, to string) (bool, error) {
	owes, _, err := running.Owes(d.store, from, to)
	return owes, err
}

// Pending implements engine.Data.
func (d data) Pending(update string) ([]string, error) { return d.snapshots.Pending(update) }

// Sync implements engine.Data.
func (d data) Sync(update string) error { return d.snapshots.Sync(update) }

// Restore implements engine.Data.
func (d data) Restore(update string) (any, error) { return d.snapshots.Restore(update) }
