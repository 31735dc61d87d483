package snapshot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// Restored is what Restore did.
type Restored struct {
	// Paths were put back now; Before is how many had been put back earlier.
	Paths  []string `json:"paths,omitempty"`
	Before int      `json:"before,omitempty"`
}

// Pending lists the directories of the update's set that are not put back yet.
func (s *Store) Pending(update string) ([]string, error) {
	paths, err := s.index(update)
	if err != nil {
		return nil, err
	}
	var pending []string
	for _, p := range paths {
		owed, err := s.pending(update, p)
		if err != nil {
			return nil, err
		}
		if owed {
			pending = append(pending, p)
		}
	}
	return pending, nil
}

// pending reports whether the set still holds the copy of path. The stamp tells
// the copy from the directory that it was exchanged for.
func (s *Store) pending(update, path string) (bool, error) {
	owed, err := exists(stamp(s.kept(update, path), update))
	if err != nil {
		return false, fmt.Errorf("look at the snapshot: %w", err)
	}
	return owed, nil
}

// Restore puts back every directory of the update's set that is not back yet. The
// directory that was there goes into the set in its place. Without a set there is
// nothing to do. Restore goes on after a directory that cannot be put back; the
// error says which.
func (s *Store) Restore(update string) (Restored, error) {
	var done Restored
	paths, err := s.index(update)
	if err != nil {
		return done, err
	}
	var errs []error
	for _, p := range paths {
		owed, err := s.pending(update, p)
		switch {
		case err != nil:
		case owed:
			if err = s.restore(update, p); err == nil {
				done.Paths = append(done.Paths, p)
			}
		default:
			done.Before++
		}
		if err == nil {
			// An earlier process may have made the exchange and been killed before
			// it was durable. If the power goes before this: the old or the new
			// directory, whole, at either place, and the stamp tells which.
			err = errors.Join(disk.SyncDir(filepath.Dir(s.live(p))), disk.SyncDir(filepath.Dir(s.kept(update, p))))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("put back %s: %w", s.live(p), err))
		}
	}
	if len(errs) > 0 {
		// This note keeps Tidy from removing the data. It is written if that
		// works: the disk may be full or failing.
		errs = append(errs, disk.WriteFile(filepath.Join(s.set(update), failedName), nil, 0o600))
	}
	return done, errors.Join(errs...)
}

func (s *Store) restore(update, path string) error {
	live, kept := s.live(path), s.kept(update, path)
	there, err := exists(live)
	if err != nil {
		return err
	}
	if there {
		err := s.exchange(kept, live)
		if err == nil || !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
			return err
		}
		// The file system cannot exchange. If the power goes between the two
		// renames, live is missing and the copy still in the set: the next call
		// finds it so above, and goes on below.
		if err := s.aside(update, live); err != nil {
			return err
		}
	} else if err := disk.MkdirAll(filepath.Dir(live), 0o755); err != nil {
		return err
	}
	return os.Rename(kept, live)
}

// aside moves what is at live into the set, beside the directories that earlier tries moved there.
func (s *Store) aside(update, live string) error {
	dir := filepath.Join(s.set(update), asideName)
	if err := disk.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for n := 0; ; n++ {
		to := filepath.Join(dir, strconv.Itoa(n))
		taken, err := exists(to)
		if err != nil {
			return err
		}
		if !taken {
			return os.Rename(live, to)
		}
	}
}

func exchange(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	if err != nil {
		return fmt.Errorf("exchange %s and %s: %w", a, b, err)
	}
	return nil
}
