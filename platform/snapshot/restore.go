package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// Restored is what Restore did.
type Restored struct {
	// Paths were put back now; Before is how many had been put back earlier.
	Paths  []string `json:"paths,omitempty"`
	Before int      `json:"before,omitempty"`
}

// Restore puts back every directory of the update's set that is not back yet. The
// directory that was there goes into the set in its place; where directories cannot be
// exchanged, it is emptied and filled again. Without a set there is
// nothing to do. Restore goes on after a directory that cannot be put back; the
// error says which.
func (s *Store) Restore(update string) (Restored, error) {
	var done Restored
	set, err := s.open(update)
	if set == nil {
		return done, err
	}
	var errs []error
	for n, p := range set.Paths {
		owed, err := set.pending(p)
		switch {
		case err != nil:
		case owed:
			if err = s.restore(set, n); err == nil {
				done.Paths = append(done.Paths, p)
			}
		default:
			done.Before++
		}
		if err == nil {
			err = s.settle(set, p)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("put back %s: %w", s.live(p), err))
		}
	}
	if len(errs) > 0 {
		// This note keeps Tidy from removing the data. It is written if that
		// works: the disk may be full or failing.
		errs = append(errs, set.note(failedName))
	}
	return done, errors.Join(append(errs, set.close())...)
}

// Sync makes durable what was put back of the update's set, for a caller that found
// nothing pending. Without a set there is nothing to do.
func (s *Store) Sync(update string) error {
	set, err := s.open(update)
	if set == nil {
		return err
	}
	for _, p := range set.Paths {
		err = errors.Join(err, s.settle(set, p))
	}
	return errors.Join(err, set.close())
}

// settle makes the return of one directory durable, and removes the stamp that came back
// with it. The process that brought it back may have been killed before it did.
//
// If the power goes before the syncs: the old or the new directory, whole, at either
// place, and the stamp tells which. After them, at most the stamp is left in the service's
// directory, where it means nothing to anybody.
func (s *Store) settle(set *set, p string) error {
	kept, err := set.parent(p)
	if err != nil {
		return ignore(err, fs.ErrNotExist)
	}
	err = syncBoth(kept, path.Base(p))
	if err = errors.Join(err, kept.Close()); err != nil {
		return err
	}
	live, err := s.liveParent(p)
	if err != nil {
		return ignore(err, fs.ErrNotExist)
	}
	err = syncBoth(live, path.Base(p))
	if err == nil {
		err = unstamp(live, path.Base(p), set.Stamp)
	}
	return errors.Join(err, live.Close())
}

// syncBoth syncs a directory and the one of this name in it, which may hold what refill
// moved. It may be gone, or not be a directory.
func syncBoth(in *disk.Dir, name string) error {
	dir, err := in.Open(name)
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	return errors.Join(absent(err), in.Sync())
}

// absent is nil for an error that says that there is no such directory.
func absent(err error) error { return ignore(ignore(err, fs.ErrNotExist), disk.ErrNotDirectory) }

// unstamp removes a stamp from the directory of this name, if both are there.
func unstamp(in *disk.Dir, name, stamp string) error {
	dir, err := in.Open(name)
	if err != nil {
		return absent(err)
	}
	there, err := stamped(dir, stamp)
	if err == nil && there {
		err = ignore(dir.Remove(stamp), fs.ErrNotExist)
	}
	return errors.Join(err, dir.Close())
}

// liveParent opens the directory in the shared directory that path is in.
func (s *Store) liveParent(p string) (*disk.Dir, error) {
	shared, err := disk.OpenDir(s.dir)
	if err != nil {
		return nil, err
	}
	parent, err := shared.Descend(path.Dir(p))
	return parent, errors.Join(explained(err), shared.Close())
}

// explained says what to do about a symlink on the way to a service's data.
func explained(err error) error {
	if errors.Is(err, disk.ErrNotDirectory) {
		return fmt.Errorf("%w: the updater follows no link below the shared directory; put the directory itself there", err)
	}
	return err
}

// restore puts back one directory of a set.
func (s *Store) restore(set *set, n int) error {
	p := set.Paths[n]
	kept, err := set.parent(p)
	if err != nil {
		return err
	}
	defer kept.Close()
	if err := disk.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	shared, err := disk.OpenDir(s.dir)
	if err != nil {
		return err
	}
	defer shared.Close()
	live, err := shared.MakeAll(path.Dir(p), 0o755)
	if err != nil {
		return explained(err)
	}
	defer live.Close()
	name := path.Base(p)
	begun, err := set.begun(n, live, name)
	if err != nil {
		return err
	}
	if !begun {
		// If the power goes meanwhile: the old or the new directory, whole, and the
		// stamp tells where.
		err := s.swap(kept, name, live)
		// An overlay cannot rename a directory of its lower layer, and some file systems
		// cannot exchange.
		if !errors.Is(err, unix.EXDEV) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
			return err
		}
	}
	return set.refill(n, kept, live, begun)
}

// swap exchanges a copy for the directory of its name in live, or gives it that name
// where there is nothing.
func (s *Store) swap(kept *disk.Dir, name string, live *disk.Dir) error {
	_, err := live.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return kept.Rename(name, live, name)
	}
	if err != nil {
		return err
	}
	return s.exchange(kept, name, live, name)
}
