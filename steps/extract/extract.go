// Package extract is the step that unpacks a verified bundle into the update's
// staging directory, versions/.staging-<update>, taking each file's SHA-256
// while it is written.
//
// The bundle was judged by Verify, and is judged again when it is opened here.
// Extract trusts neither: it writes through os.Root, creates every file with
// O_EXCL, makes links last, so that nothing can be written through one, and
// counts the bytes it writes.
//
// When Do succeeds, the tree is synced, and the list of its entries (package
// filelist) lies in the work directory under its final name. Probe relies on that
// order: a list is only there if its tree is durable.
// A tree without a list was left by a cut, and is removed.
//
// Start at Step.Do; run.go has the pipeline, file.go one file.
package extract

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/filelist"
)

// Versions are the methods of *versions.Store that the step needs.
type Versions interface {
	// Staging is the host path of the update's staging directory.
	Staging(update string) string
}

// Config configures the step. All fields except Limits, Writable and Workers are
// required.
type Config struct {
	Versions Versions
	Formats  []bundle.Format
	Limits   bundle.Limits
	// Preflight returns an error when there is not enough room: disk.Preflight.
	Preflight func(path string, bytes, inodes uint64) error
	// Writable maps a directory that the version's programs write to, to the host
	// path of a shared directory. In the version, a link to the shared directory
	// stands in its place. Shared directories are made as needed. A writable
	// directory is left out when the release does not have its parent directory.
	Writable map[string]string
	// Shared is the host path of the directory that has all shared directories. The
	// release's own writable directories are linked to directories below it of the same path.
	Shared string
	// Owner tells whose a writable directory is to be, for a version whose tree is at a
	// host path; ok is false for root. It may be nil.
	Owner func(tree, dir string) (uid, gid int, ok bool)
	// Workers is how many files are unpacked at once; 0 means 2. Each takes
	// some 250 KiB.
	Workers int
	// Lack notes, durably, which contents have to be fetched because this device's
	// own copies are damaged or missing: supply.Lack. It may be nil for formats
	// without spare contents.
	Lack func(workDir string, sha256 []string) error
}

// Step implements steps.Step.
type Step struct{ cfg Config }

// New returns the step.
func New(cfg Config) *Step {
	if cfg.Workers <= 0 {
		cfg.Workers = 2
	}
	return &Step{cfg}
}

// Evidence counts the unpacked entries.
type Evidence struct {
	filelist.Summary
	// Writable are the directories that were linked to shared ones.
	Writable []string `json:"writable,omitempty"`
	// Lacking counts contents whose copies on this device turned out damaged or
	// missing.
	Lacking int `json:"lacking,omitempty"`
}

// Probe implements steps.Step.
func (s *Step) Probe(ctx context.Context, t *steps.Task) (steps.Reach, error) {
	staging := s.cfg.Versions.Staging(t.Update)
	_, done, err := s.finished(ctx, t, staging)
	if err != nil {
		return "", err
	}
	if done {
		return steps.Done, nil
	}
	if _, err := os.Lstat(staging); errors.Is(err, fs.ErrNotExist) {
		return steps.NotStarted, nil
	}
	return steps.Partly, nil
}

// finished reports whether the list is whole, belongs to this release, and
// describes the tree that is there.
func (s *Step) finished(ctx context.Context, t *steps.Task, staging string) (filelist.Summary, bool, error) {
	head, sum, err := filelist.Check(ctx, t.WorkDir, staging, nil)
	switch {
	case err == nil && head != headOf(t):
		return sum, false, nil
	case err == nil:
		// The process may have been killed after it renamed the list and before the
		// rename was durable. This sync makes it durable.
		return sum, true, steps.FromOS(disk.SyncDir(t.WorkDir), "cannot keep the list of files")
	case ctx.Err() != nil:
		return sum, false, steps.Stopped(ctx, "look at "+staging)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, filelist.ErrTorn), errors.Is(err, filelist.ErrDiffers):
		return sum, false, nil
	default:
		return sum, false, steps.FromOS(err, "cannot look at what was extracted")
	}
}

func headOf(t *steps.Task) filelist.Head {
	return filelist.Head{Schema: 1, Update: t.Update, Version: t.Release.Version, Digest: t.Release.Digest}
}

// Do implements steps.Step.
func (s *Step) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	staging := s.cfg.Versions.Staging(t.Update)
	sum, done, err := s.finished(ctx, t, staging)
	if err != nil {
		return steps.Outcome{}, err
	}
	if done {
		return steps.Outcome{Evidence: Evidence{Summary: sum}}, nil
	}
	if err := wipe(t.WorkDir, staging); err != nil {
		return steps.Outcome{}, err
	}
	path := filepath.Join(t.WorkDir, bundle.FileName)
	b, err := bundle.Open(path, s.cfg.Limits, s.cfg.Formats...)
	if err != nil {
		return steps.Outcome{}, err
	}
	defer b.Close()
	if v := b.Release().Version; v != t.Release.Version {
		return steps.Outcome{}, bundle.InvalidManifest("bundle %s holds version %s, verified was %s", path, v, t.Release.Version)
	}
	bytes, inodes := b.Totals().Room()
	if err := s.cfg.Preflight(filepath.Dir(staging), bytes, inodes); err != nil {
		return steps.Outcome{}, steps.FromOS(err, "cannot extract to "+staging)
	}
	ev, err := s.extract(ctx, t, b, staging)
	if err != nil {
		if ctx.Err() != nil {
			err = steps.Stopped(ctx, "extract to "+staging)
		}
		return steps.Outcome{Evidence: ev}, steps.FromOS(err, "cannot extract to "+staging)
	}
	return steps.Outcome{Evidence: ev}, nil
}

// Undo implements steps.Step: it removes the staging directory and the list.
func (s *Step) Undo(_ context.Context, t *steps.Task) error {
	return wipe(t.WorkDir, s.cfg.Versions.Staging(t.Update))
}

// wipe removes the list, durably, and then the tree. In the other order, or
// without the sync, a power cut could bring back a list of files that are being
// written anew, some of them with the right size and nothing in them.
func wipe(workDir, staging string) error {
	if err := filelist.Remove(workDir); err != nil {
		return steps.FromOS(err, "cannot clear "+workDir)
	}
	// If the power goes from here on: on disk there is no list, and any part of the
	// tree, which the next try removes.
	return steps.FromOS(disk.RemoveTree(staging), "cannot clear "+staging)
}
