package versions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/disk"
)

const stagingPrefix = ".staging-"

// Staging is the host path of the directory in which an update puts its version
// together. The writer makes it; DropStaging removes it.
func (s *Store) Staging(update string) string {
	return filepath.Join(s.dir, stagingPrefix+update)
}

// DropStaging deletes an update's staging directory, if there is one.
func (s *Store) DropStaging(update string) error {
	if err := validUpdate(update); err != nil {
		return err
	}
	// If the power goes now, half of it may be left. That does no harm: it does
	// not bear a version's name, and Extract begins with a fresh directory.
	return disk.RemoveTree(s.Staging(update))
}

// Publish turns an update's staging directory into the version m.Version. It
// checks every file on disk against m (ErrMismatch), writes the manifest, clears
// all write bits, makes everything durable and only then gives it its name.
//
// A complete version of that name and of the same digest is verified and kept
// instead, and the staging directory dropped. Any other version of that name is
// ErrExists: Trash it first, if nothing needs it.
//
// What m.Files leaves out is filled in: directories that paths imply, and the
// modes that clearing write bits leads to. Files' digests are taken on trust:
// they were computed while the files were written, and Verify can check them.
func (s *Store) Publish(ctx context.Context, update string, m *Manifest) error {
	if err := validUpdate(update); err != nil {
		return err
	}
	if m.Digest == "" {
		return fmt.Errorf("publish version %s: the release has no digest", m.Version)
	}
	final := *m
	final.Files = slices.Clone(m.Files)
	final.Update = update
	if final.Created.IsZero() {
		final.Created = s.cfg.Clock.Now().UTC()
	}
	final.normalise()
	data, err := final.encode()
	if err != nil {
		return fmt.Errorf("publish version %s: %w", m.Version, err)
	}
	if reused, err := s.reuse(ctx, update, &final); err != nil || reused {
		return err
	}
	if err := s.finish(ctx, update, &final, data); err != nil {
		return fmt.Errorf("publish version %s: %w", m.Version, err)
	}
	// If an Open was killed after it made the versions directory, the directory's
	// own name may still be missing on disk; nothing in it would survive then.
	if err := disk.SyncDir(filepath.Dir(s.dir)); err != nil {
		return err
	}
	return disk.Publish(s.Staging(update), s.Path(m.Version))
}

// reuse keeps the installed version when it is the one to be published.
func (s *Store) reuse(ctx context.Context, update string, m *Manifest) (bool, error) {
	found, err := s.inspect(m.Version)
	if err != nil {
		return false, err
	}
	final := s.Path(m.Version)
	switch {
	case found.state == Missing:
		return false, nil
	case found.state != Complete:
		return false, fmt.Errorf("%s is %s: %w", final, found.state, ErrExists)
	case found.manifest.Digest != m.Digest:
		return false, fmt.Errorf("%s is of %s, not %s: %w", final, found.manifest.Digest, m.Digest, ErrExists)
	}
	// This same update may have published the version and been cut between the
	// rename and now. Its files were on disk before they had that name. Any other
	// version is read.
	if found.manifest.Update != update {
		v, err := s.Verify(ctx, m.Version)
		if err != nil {
			return false, err
		}
		if !v.OK() {
			return false, fmt.Errorf("%s has changed since it was published (%s): %w", final, v.Problems[0], ErrExists)
		}
	}
	if err := disk.SyncPublished(s.Staging(update), final); err != nil {
		return false, err
	}
	return true, s.DropStaging(update)
}

// finish makes the staging directory ready to be named: checked, with its
// manifest, read-only, on disk.
func (s *Store) finish(ctx context.Context, update string, m *Manifest, manifest []byte) error {
	dir := s.Staging(update)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := s.checkLinks(m); err != nil {
		return err
	}
	problems, err := compare(root, m, staged)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return mismatch(dir, problems)
	}
	// The manifest needs no sync of its own: until the rename, whatever a power
	// cut leaves of it is in a staging directory, which is not a version.
	if err := writeManifest(root, manifest); err != nil {
		return err
	}
	if err := seal(root); err != nil {
		return err
	}
	// On disk if the power goes before this returns: any part of the tree,
	// under its staging name. After it: all of it. Only then may it be named.
	return disk.SyncFS(ctx, dir)
}

// checkLinks allows links that stay inside the version or lead into Shared.
// Targets are judged by their text, as seen from the version's final name.
func (s *Store) checkLinks(m *Manifest) error {
	version := path.Join(s.dev, "v"+m.Version)
	for _, f := range m.Files {
		if f.Type != TypeLink {
			continue
		}
		to := path.Clean(f.Target)
		if !path.IsAbs(to) {
			to = path.Join(version, path.Dir(f.Path), f.Target)
			if within(version, to) {
				continue
			}
		}
		if s.cfg.Shared == "" || !within(path.Clean(s.cfg.Shared), to) {
			return fmt.Errorf("%w: link %s leads out of the version, to %s", ErrMismatch, f.Path, f.Target)
		}
	}
	return nil
}

func within(dir, p string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// writeManifest puts the manifest into a tree that is not named yet, also when
// an earlier attempt has sealed the tree already.
func writeManifest(root *os.Root, data []byte) error {
	if err := root.Chmod(".", 0o755); err != nil {
		return err
	}
	if err := root.Remove(ManifestName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(ManifestName, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// seal takes all write bits away: directories 0555, files keep the rest of
// their permissions.
func seal(root *os.Root) error {
	return disk.Walk(root, func(name string, info fs.FileInfo) error {
		want := info.Mode().Perm() &^ 0o222
		switch {
		case info.IsDir():
			want = 0o555
		case !info.Mode().IsRegular():
			return nil
		}
		if info.Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) == want {
			return nil
		}
		return root.Chmod(name, want)
	}, nil)
}

// validUpdate keeps an update's id safe in a file name.
func validUpdate(id string) error {
	ok := id != "" && len(id) <= 100
	for i := range len(id) {
		c := id[i]
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-')
	}
	if !ok {
		return fmt.Errorf("%q is not an update's id: want letters, digits and dashes", id)
	}
	return nil
}
