// Package stage is the step that turns an extracted tree into a version. It makes
// the version's manifest from Extract's list, has every file on disk compared with
// the manifest, and gives the tree its name, versions/vX.Y.Z. When the step is done
// the version is complete and durable, and nothing leads to it yet.
//
// A version of that name may be there already. If it is the same release, it is
// verified, file by file from the disk, and used as it is. If it is another release,
// or damaged, it is removed when nothing needs it; otherwise the bundle is refused.
package stage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/filelist"
)

// Versions are the methods of *versions.Store that the step needs.
type Versions interface {
	Staging(update string) string
	DropStaging(update string) error
	Manifest(version string) (*versions.Manifest, error)
	Publish(ctx context.Context, update string, m *versions.Manifest) error
	Trash(version string) error
}

// Step implements steps.Step.
type Step struct {
	versions Versions
	units    Units
}

// Units judges the unit files a release carries: *unitfiles.Store.
type Units interface {
	Allows(files []unitfiles.File) error
}

// New returns the step. u is nil where systemd runs no services: there, unit files
// are files like all others.
func New(v Versions, u Units) *Step { return &Step{v, u} }

// Evidence says what the version is made of.
type Evidence struct {
	Version string `json:"version"`
	Digest  string `json:"digest"`
	filelist.Summary
	// Reused is set when the release was installed already, by another update or by
	// this one before it was cut.
	Reused bool `json:"reused,omitempty"`
	// Replaced is set when another release of this version, or a damaged one, was
	// removed for it.
	Replaced bool `json:"replaced,omitempty"`
}

// Probe implements steps.Step.
func (s *Step) Probe(_ context.Context, t *steps.Task) (steps.Reach, error) {
	staging := s.versions.Staging(t.Update)
	ours, err := s.published(t)
	if err != nil {
		return "", err
	}
	_, err = os.Lstat(staging)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", steps.FromOS(err, "cannot look for "+staging)
	}
	switch staged := err == nil; {
	case ours && !staged:
		// The version's name may not be durable yet: the process that gave it the name may
		// have been killed.
		return steps.Done, steps.FromOS(disk.SyncDir(filepath.Dir(staging)), "cannot keep the version's name")
	case ours:
		return steps.Partly, nil
	default:
		return steps.NotStarted, nil
	}
}

// published reports whether this update has published the version: it is there,
// complete, and of this release.
func (s *Step) published(t *steps.Task) (bool, error) {
	m, err := s.versions.Manifest(t.Release.Version)
	if err == nil {
		return m.Digest == t.Release.Digest && m.Update == t.Update, nil
	}
	if errors.Is(err, versions.ErrNotFound) || errors.Is(err, versions.ErrNoManifest) || errors.Is(err, versions.ErrDamaged) {
		return false, nil
	}
	return false, steps.FromOS(err, "cannot look at version "+t.Release.Version)
}

// Do implements steps.Step.
func (s *Step) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	ev := Evidence{Version: t.Release.Version, Digest: t.Release.Digest}
	if ctx.Err() != nil {
		return steps.Outcome{}, steps.Stopped(ctx, "publish version "+ev.Version)
	}
	before, err := s.versions.Manifest(t.Release.Version)
	ev.Reused = err == nil && before.Digest == t.Release.Digest
	m, err := s.manifest(ctx, t, &ev)
	// Without the list the step can use a version that is there already, but cannot
	// make one.
	listed := err
	if err != nil && (!ev.Reused || ctx.Err() != nil) {
		return steps.Outcome{}, err
	}
	err = s.versions.Publish(ctx, t.Update, m)
	if errors.Is(err, versions.ErrExists) {
		if listed != nil {
			return steps.Outcome{}, listed
		}
		ev.Reused, ev.Replaced = false, true
		if err := s.makeWay(t, err); err != nil {
			return steps.Outcome{Evidence: ev}, err
		}
		// If the power goes now there is no version of that name. Nothing led to
		// the old one, and the new one is whole in its staging directory.
		err = s.versions.Publish(ctx, t.Update, m)
	}
	if err != nil {
		return steps.Outcome{Evidence: ev}, s.failure(ctx, t, err)
	}
	return steps.Outcome{Evidence: ev}, nil
}

// manifest makes the version's manifest from the list that Extract left. If it
// returns an error, the manifest has no files.
func (s *Step) manifest(ctx context.Context, t *steps.Task, ev *Evidence) (*versions.Manifest, error) {
	m := &versions.Manifest{Version: t.Release.Version, Digest: t.Release.Digest, Services: t.Release.Services}
	if err := brought(t, m); err != nil {
		return m, err
	}
	head, err := filelist.Read(t.WorkDir, func(f versions.File) error {
		ev.Count(f)
		m.Files = append(m.Files, f)
		return context.Cause(ctx)
	})
	if ctx.Err() != nil {
		return m, steps.Stopped(ctx, "read the list of files")
	}
	want := filelist.Head{Schema: head.Schema, Update: t.Update, Version: m.Version, Digest: m.Digest}
	if err == nil && head != want {
		err = fmt.Errorf("%w: it is of version %s (%s), update %s", filelist.ErrTorn, head.Version, head.Digest, head.Update)
	}
	if err != nil {
		m.Files = nil
		return m, lost(err)
	}
	if err := present(m); err != nil {
		return m, err
	}
	return m, s.allowed(m)
}

// makeWay trashes the version that has the new version's name, unless something
// needs it.
func (s *Step) makeWay(t *steps.Task, exists error) error {
	v := t.Release.Version
	err := versions.ErrInUse
	if v != t.Before.Current && v != t.Before.Previous && v != t.Before.Factory {
		err = s.versions.Trash(v)
	}
	if errors.Is(err, versions.ErrInUse) {
		return &steps.Error{
			Class: steps.Refused, Code: steps.VersionConflict,
			Err:  fmt.Errorf("version %s cannot be installed: %w, and a pointer leads to it", v, exists),
			Hint: "publish the release under another version",
		}
	}
	if errors.Is(err, versions.ErrNotFound) {
		return nil
	}
	return steps.FromOS(err, "cannot remove the other release of version "+v)
}

func (s *Step) failure(ctx context.Context, t *steps.Task, err error) error {
	switch {
	case ctx.Err() != nil:
		return steps.Stopped(ctx, "publish version "+t.Release.Version)
	case errors.Is(err, versions.ErrMismatch), errors.Is(err, fs.ErrNotExist):
		return lost(err)
	default:
		return steps.FromOS(err, "cannot publish version "+t.Release.Version)
	}
}

// lost is the error for files that Extract had made durable and that have disappeared.
func lost(err error) error {
	return &steps.Error{
		Class: steps.Local, Code: steps.IOError,
		Err:  fmt.Errorf("the extracted files are not complete any more: %w", err),
		Hint: "something changed it, or the storage is failing; check it and install again",
	}
}

// Undo implements steps.Step: the staging directory goes, and so does the
// version if this update published it and nothing leads to it.
func (s *Step) Undo(_ context.Context, t *steps.Task) error {
	if err := s.versions.DropStaging(t.Update); err != nil {
		return steps.FromOS(err, "cannot remove "+s.versions.Staging(t.Update))
	}
	if t.Release.Version == "" {
		return nil
	}
	ours, err := s.published(t)
	if err != nil || !ours {
		return err
	}
	err = s.versions.Trash(t.Release.Version)
	if errors.Is(err, versions.ErrInUse) || errors.Is(err, versions.ErrNotFound) {
		return nil
	}
	return steps.FromOS(err, "cannot remove version "+t.Release.Version)
}
