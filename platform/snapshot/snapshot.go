// Package snapshot copies the services' data before a switch, and puts the copy
// back when the update is rolled back.
//
// # What is on disk
//
//	shared/.snapshot-<update>/index.json      the list of the directories in the set
//	shared/.snapshot-<update>/data/<path>     the copy of shared/<path>
//	shared/.snapshot-<update>/data/<path>/.tope-snapshot-<update>   its stamp
//	shared/.snapshot-<update>.tmp             a set that is being made
//
// A set is made under its temporary name, synced as a whole, and renamed: a set
// with the final name is complete. It is put back by exchanging each copy with
// the directory it was made of, atomically. The stamp travels with the copy: its
// place tells whether the copy is back, however often a restore was cut.
//
// # What it promises
//
// Every method is durable when it returns nil and may be called again after a
// cut. One process at a time, with the services stopped. Start at Store.
package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
)

const (
	indexName   = "index.json"
	dataName    = "data"
	asideName   = "aside"
	failedName  = "failed"
	stampPrefix = ".tope-snapshot-"
)

// Kept begins the names of sets in the shared directory that should have been put
// back, and could not be. Nothing removes them.
const Kept = "kept-snapshot-"

// Store is the shared directory, at this host path.
type Store struct {
	dir string
	// exchange swaps two directories; tests replace it.
	exchange func(a, b string) error
}

// New returns the store of a shared directory, which may not exist yet.
func New(shared string) *Store { return &Store{dir: filepath.Clean(shared), exchange: exchange} }

// index says what a set consists of.
type index struct {
	Schema int      `json:"schema"`
	Update string   `json:"update"`
	Paths  []string `json:"paths"`
}

func (s *Store) set(update string) string {
	return filepath.Join(s.dir, versions.SnapshotPrefix+update)
}

func (s *Store) live(path string) string { return filepath.Join(s.dir, filepath.FromSlash(path)) }

func (s *Store) kept(update, path string) string {
	return filepath.Join(s.set(update), dataName, filepath.FromSlash(path))
}

func stamp(dir, update string) string { return filepath.Join(dir, stampPrefix+update) }

// Exists reports whether a complete set of the update is there.
func (s *Store) Exists(update string) (bool, error) {
	paths, err := s.index(update)
	return paths != nil, err
}

// index reads which directories the update's set has; nil when there is none.
func (s *Store) index(update string) ([]string, error) {
	if update == "" || strings.ContainsAny(update, "/\x00") {
		return nil, fmt.Errorf("snapshot: %q is not an update's id", update)
	}
	data, err := os.ReadFile(filepath.Join(s.set(update), indexName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	var i index
	if err := json.Unmarshal(data, &i); err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", s.set(update), err)
	}
	for _, p := range i.Paths {
		if !fs.ValidPath(p) || p == "." {
			return nil, fmt.Errorf("snapshot %s: %q is not a path inside the shared directory", s.set(update), p)
		}
	}
	return append([]string{}, i.Paths...), nil
}

// outermost sorts paths and leaves out those inside another.
func outermost(paths []string) []string {
	var out []string
	for _, p := range slices.Compact(slices.Sorted(slices.Values(paths))) {
		if !slices.ContainsFunc(out, func(o string) bool { return strings.HasPrefix(p, o+"/") }) {
			out = append(out, p)
		}
	}
	return out
}

// exists reports whether something is at path. It does not follow a link.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Tidy removes the sets of all updates but open (empty for none), complete or
// not, with their stamps in the directories that were put back. It returns the
// removed sets, and goes on after a set that cannot be removed.
func (s *Store) Tidy(open string) (removed []string, err error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	var errs []error
	for _, e := range entries {
		name := e.Name()
		update, set := strings.CutPrefix(name, versions.SnapshotPrefix)
		switch {
		case strings.HasPrefix(name, disk.TrashPrefix+versions.SnapshotPrefix):
			err = disk.RemoveTree(filepath.Join(s.dir, name))
		case !set || open != "" && strings.TrimSuffix(update, disk.TempSuffix) == open:
			continue
		default:
			err = s.drop(update)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, "shared/"+name)
	}
	return removed, errors.Join(errs...)
}

// drop removes one set. Its stamps go first, while the index tells where they
// are. A set that is still there without its stamps is not put back any more,
// which is right for an update that is over.
func (s *Store) drop(update string) error {
	paths, err := s.index(update)
	var errs []error
	if err == nil {
		for _, p := range paths {
			errs = append(errs, unstamp(s.live(p), update))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	failed, err := s.failed(update)
	if err != nil {
		return err
	}
	if failed {
		// The copy is all that is left of data that could not be put back: it is
		// kept for a person to look at, under a name that nothing here touches. If
		// the power goes before this is durable: the same under the old name.
		if err := os.Rename(s.set(update), filepath.Join(s.dir, Kept+update)); err != nil {
			return fmt.Errorf("keep the snapshot: %w", err)
		}
		return disk.SyncDir(s.dir)
	}
	// If the power goes from here on: the whole set, or a set with a name that
	// marks it as trash.
	trash, err := disk.Trash(s.set(update))
	if err != nil {
		return err
	}
	return disk.RemoveTree(trash)
}

// failed reports whether a part of the set could not be put back.
func (s *Store) failed(update string) (bool, error) {
	noted, err := exists(filepath.Join(s.set(update), failedName))
	if err != nil || !noted {
		return false, err
	}
	pending, err := s.Pending(update)
	return err == nil && len(pending) > 0, err
}

func unstamp(dir, update string) error {
	err := os.Remove(stamp(dir, update))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove the snapshot's stamp: %w", err)
	}
	return disk.SyncDir(dir)
}
