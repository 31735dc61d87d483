package versions

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/disk"
)

// Trash deletes a version: first its name, durably, then its files, so that
// half a version never passes for a version. Where the name cannot go first, the
// manifest does (disk.Discard). disk.ErrMounted when something is mounted in the
// version, ErrInUse when a pointer or the
// marker leads to it, ErrNotFound when there is none.
func (s *Store) Trash(version string) error {
	if err := ValidVersion(version); err != nil {
		return err
	}
	uses, err := s.uses()
	if err != nil {
		return err
	}
	if by := uses[version]; len(by) > 0 {
		return fmt.Errorf("version %s: %w by %s", version, ErrInUse, strings.Join(by, ", "))
	}
	if _, err := os.Lstat(s.Path(version)); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", s.Path(version), ErrNotFound)
	}
	// If the power goes meanwhile: the whole version, or some part of it, in the trash,
	// where Sweep deletes the rest, or damaged, which Prune deletes.
	return disk.Discard(s.Path(version), ManifestName, tombstone())
}

// Prune trashes versions that are not needed and returns which. It keeps those
// that the pointers and the marker lead to, those named in needed, and the newest
// keep of all that it published, damaged ones not counted. A version made by hand
// is never removed: only its maker can make it again.
func (s *Store) Prune(keep int, needed ...string) ([]string, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	uses, err := s.uses()
	if err != nil {
		return nil, err
	}
	var removed []string
	var failed error
	for _, version := range names {
		found, err := s.inspect(version)
		if err != nil {
			failed = errors.Join(failed, err)
			continue // what cannot be read now may be readable tomorrow
		}
		if found.state == Complete && keep > 0 {
			keep--
			continue
		}
		if found.state == Unverified || len(uses[version]) > 0 || slices.Contains(needed, version) || found.state == Missing {
			continue
		}
		if info, err := os.Lstat(s.Path(version)); err != nil || !info.IsDir() {
			continue // an operator's link or file; not ours to delete
		}
		if inside, err := os.ReadDir(s.Path(version)); err == nil && len(inside) == 0 {
			continue // a version made by hand begins like this, and it takes no room
		}
		if err := s.Trash(version); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		removed = append(removed, version)
	}
	return removed, failed
}

// Swept is what Sweep deleted, by name.
type Swept struct {
	Trash       []string `json:"trash,omitempty"`
	Stagings    []string `json:"stagings,omitempty"`
	Temporaries []string `json:"temporaries,omitempty"`
}

// Sweep deletes what cuts have left in the versions directory: the trash, stale
// temporaries, and the staging directories of all updates but those named.
// Sweep reports an entry that cannot be deleted, and goes on.
func (s *Store) Sweep(open ...string) (Swept, error) {
	var swept Swept
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return swept, fmt.Errorf("sweep: %w", err)
	}
	var failed error
	for _, e := range entries {
		name := e.Name()
		var list *[]string
		update, isStaging := strings.CutPrefix(name, stagingPrefix)
		switch {
		case strings.HasPrefix(name, disk.TrashPrefix):
			list = &swept.Trash
		case isStaging && !slices.Contains(open, update):
			list = &swept.Stagings
		case !isStaging && strings.HasPrefix(name, ".") && strings.HasSuffix(name, disk.TempSuffix):
			list = &swept.Temporaries
		default:
			continue
		}
		// Nothing reads entries with these names. One that is half deleted if the
		// power goes now does no harm, and the next Sweep deletes the rest.
		if err := disk.RemoveTree(filepath.Join(s.dir, name)); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		*list = append(*list, name)
	}
	return swept, failed
}
