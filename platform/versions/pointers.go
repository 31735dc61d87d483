package versions

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/disk"
)

const (
	// marker is a link like the pointers, so that a rescue shell can put the
	// old version back with nothing but mv -T.
	marker = ".uncommitted"
	// markerNone is its target when there was no version to return to.
	markerNone = "none"
)

// Pointers reads the three links. One that leads to anything but a version's
// name in this directory, or is not a link, counts as absent here; Raw tells what
// it is. State tells whether the versions exist.
func (s *Store) Pointers() (Pointers, error) {
	var p Pointers
	for _, one := range []struct {
		name string
		into *string
	}{{Current, &p.Current}, {Previous, &p.Previous}, {Factory, &p.Factory}} {
		target, ok, err := s.Raw(one.name)
		if err != nil && !errors.Is(err, ErrForeign) {
			return Pointers{}, err
		}
		if version, known := s.versionOf(target); ok && known {
			*one.into = version
		}
	}
	return p, nil
}

// Raw is a pointer's target as it stands in the link; ok is false when there is
// no such pointer. A file or directory in a pointer's place is ErrForeign.
func (s *Store) Raw(pointer string) (target string, ok bool, err error) {
	path := filepath.Join(s.dir, pointer)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("pointer %s: %w", pointer, err)
	case info.Mode().Type() != fs.ModeSymlink:
		return "", true, fmt.Errorf("pointer %s: %w: not a symlink; move it away", path, ErrForeign)
	}
	target, err = os.Readlink(path)
	if err != nil {
		return "", true, fmt.Errorf("pointer %s: %w", pointer, err)
	}
	return target, true, nil
}

// Point makes a pointer lead to a version, durably; at every instant it leads
// to the old or the new one. A version that is not usable is refused
// (ErrNotFound, ErrDamaged).
func (s *Store) Point(pointer, version string) error {
	path, err := s.pointerPath(pointer)
	if err != nil {
		return err
	}
	if err := s.usable(version); err != nil {
		return fmt.Errorf("pointer %s: %w", pointer, err)
	}
	err = disk.SwapLink(path, "v"+version)
	if disk.OutOfSpace(err) && pointer == Current {
		if turned, terr := s.turnMarker(version); turned {
			return terr
		}
	}
	return foreign(err)
}

// Unpoint removes a pointer, durably. A file or directory in its place is left
// alone (ErrForeign).
func (s *Store) Unpoint(pointer string) error {
	path, err := s.pointerPath(pointer)
	if err != nil {
		return err
	}
	return foreign(disk.RemoveLink(path))
}

// Sync makes the pointers and the marker durable as they are now. The process that
// set them may have been killed between its rename and its sync: then they are right
// in the cache, and a power cut would take them back.
func (s *Store) Sync() error { return disk.SyncDir(s.dir) }

func (s *Store) pointerPath(pointer string) (string, error) {
	if pointer != Current && pointer != Previous && pointer != Factory {
		return "", fmt.Errorf("%q is not a pointer", pointer)
	}
	return filepath.Join(s.dir, pointer), nil
}

// turnMarker rolls back on a disk that has no room even for a link: it renames the
// marker, a link to the version to return to, to current, which needs no room. At
// every instant current leads to the old or the new target; when the marker is
// gone, current leads to where the marker led.
func (s *Store) turnMarker(version string) (bool, error) {
	if old, ok, err := s.Marker(); err != nil || !ok || old != version {
		return false, nil //nolint:nilerr // the caller tells of the full disk
	}
	if err := os.Rename(filepath.Join(s.dir, marker), filepath.Join(s.dir, Current)); err != nil {
		return false, nil //nolint:nilerr // as above
	}
	return true, disk.SyncDir(s.dir)
}

// usable is nil for a version a pointer may lead to.
func (s *Store) usable(version string) error {
	// Reading the manifest of a large version takes a while, and pointers are
	// set while the services are down.
	if seen, ok := stampOf(s.Path(version)); ok && s.sound.has(version, seen) {
		return nil
	}
	found, err := s.inspect(version)
	switch {
	case err != nil:
		return err
	case found.state == Missing:
		return fmt.Errorf("%s: %w", s.Path(version), ErrNotFound)
	case !found.state.Usable():
		return fmt.Errorf("%s: %w: %s", s.Path(version), ErrDamaged, found.problem)
	}
	return nil
}

// Mark makes the marker durable: from now on a gate is owed, and old is the
// version to return to ("" when there is none).
func (s *Store) Mark(old string) error {
	target := markerNone
	if old != "" {
		if err := ValidVersion(old); err != nil {
			return err
		}
		target = "v" + old
	}
	return foreign(disk.SwapLink(filepath.Join(s.dir, marker), target))
}

// Unmark removes the marker durably. None is fine.
func (s *Store) Unmark() error {
	return foreign(disk.RemoveLink(filepath.Join(s.dir, marker)))
}

// Marker reads the marker: ok when there is one, old as given to Mark. One
// that leads elsewhere is ErrForeign, with ok true.
func (s *Store) Marker() (old string, ok bool, err error) {
	target, ok, err := s.Raw(marker)
	if err != nil || !ok || target == markerNone {
		return "", ok, err
	}
	old, known := s.versionOf(target)
	if !known {
		return "", true, fmt.Errorf("%s leads to %s: %w", filepath.Join(s.dir, marker), target, ErrForeign)
	}
	return old, true, nil
}

// versionOf is the version a link in the versions directory leads to. The
// updater writes plain names; an operator's absolute ones are understood too.
func (s *Store) versionOf(target string) (string, bool) {
	name := filepath.Clean(target)
	if filepath.IsAbs(name) {
		dir := filepath.Dir(name)
		if dir != s.dev && dir != filepath.Clean(s.cfg.Versions) {
			return "", false
		}
		name = filepath.Base(name)
	}
	return versionName(name)
}

// uses returns, for each version, the names of the pointers and the marker that
// lead to it. Pointers that lead to a version by way of other links are followed as
// the device would: their targets must not be deleted either.
func (s *Store) uses() (map[string][]string, error) {
	uses := make(map[string][]string)
	for _, name := range []string{Current, Previous, Factory, marker} {
		target, ok, err := s.Raw(name)
		if err != nil && !errors.Is(err, ErrForeign) {
			return nil, err
		}
		if !ok || err != nil {
			continue
		}
		if version, known := s.versionOf(target); known {
			uses[version] = append(uses[version], name)
		}
		host, err := s.cfg.Root.Resolve(s.dev + "/" + name)
		if err != nil {
			continue // it leads nowhere, so nothing depends on it
		}
		rel, inside := strings.CutPrefix(host, s.dir+"/")
		first, _, _ := strings.Cut(rel, "/")
		if version, known := versionName(first); inside && known && !slices.Contains(uses[version], name) {
			uses[version] = append(uses[version], name)
		}
	}
	return uses, nil
}

// foreign turns disk's ErrNotLink into an ErrForeign.
func foreign(err error) error {
	if errors.Is(err, disk.ErrNotLink) {
		return fmt.Errorf("%w: %w; move it away", ErrForeign, err)
	}
	return err
}
