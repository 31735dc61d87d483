package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
)

// Tidy removes the sets of all updates but open (empty for none), complete or
// not, with their stamps in the directories that were put back. It returns the
// removed sets, and goes on after a set that cannot be removed.
func (s *Store) Tidy(open string) (removed []string, err error) {
	homes, err := s.homes()
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	var errs []error
	for _, home := range homes {
		some, err := s.tidy(home, open)
		removed, errs = append(removed, some...), append(errs, err, home.Close())
	}
	return removed, errors.Join(append(errs, s.dropVault())...)
}

func (s *Store) tidy(home *disk.Dir, open string) (removed []string, err error) {
	names, err := namesOfSets(home)
	errs := []error{err}
	where := "shared/"
	if path.Base(home.Path()) == Vault {
		where = Vault + "/"
	}
	for _, name := range names {
		update, set := strings.CutPrefix(name, versions.SnapshotPrefix)
		switch {
		case !set:
			err = home.RemoveTree(name)
		case open != "" && strings.TrimSuffix(update, disk.TempSuffix) == open:
			continue
		default:
			err = s.drop(home, update)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, where+name)
	}
	return removed, errors.Join(errs...)
}

// namesOfSets are the names of sets, whole or not, and of trash.
func namesOfSets(home *disk.Dir) (names []string, err error) {
	for {
		some, err := home.File().Readdirnames(512)
		for _, name := range some {
			if strings.HasPrefix(name, versions.SnapshotPrefix) || strings.HasPrefix(name, disk.TrashPrefix+versions.SnapshotPrefix) {
				names = append(names, name)
			}
		}
		if errors.Is(err, io.EOF) {
			slices.Sort(names)
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list snapshots: %w", err)
		}
	}
}

// drop removes one set. Its stamps go first, while the index tells where they
// are. One that cannot be reached, because the service has put a link in the way, does no
// harm.
func (s *Store) drop(home *disk.Dir, update string) error {
	name := setName(update)
	set, err := openSet(home, name, strings.TrimSuffix(update, disk.TempSuffix))
	if set != nil {
		for _, p := range set.Paths {
			if live, err := s.liveParent(p); err == nil {
				err = errors.Join(unstamp(live, path.Base(p), set.Stamp), unstamp(live, path.Base(p), oldRefillPrefix+update), live.Close())
				if err != nil && !errors.Is(err, fs.ErrPermission) {
					return errors.Join(fmt.Errorf("remove the snapshot's stamp: %w", err), set.dir.Close())
				}
			}
		}
		failed, err := set.failed()
		if err = errors.Join(err, set.dir.Close()); err != nil {
			return err
		}
		if failed {
			return keep(home, update)
		}
	} else if err != nil && noteIn(home, name, failedName) {
		return err // nobody can tell what is left in it
	}
	// If the power goes meanwhile: the whole set, or a set with a name that marks it as
	// trash, or one whose index says that there is nothing in it.
	void, err := json.Marshal(index{Schema: 1, Update: update})
	if err != nil {
		return err
	}
	err = home.Discard(name, indexName, append(void, '\n'))
	if errors.Is(err, disk.ErrNotDirectory) || errors.Is(err, fs.ErrNotExist) {
		return home.RemoveTree(name)
	}
	return err
}

// keep gives a set a name that nothing here touches: it is all that is left of data that
// could not be put back, and kept for a person to look at. If the power goes before this is
// durable: the same under the old name.
func keep(home *disk.Dir, update string) error {
	as := Kept + update
	for n := 1; ; n++ {
		_, err := home.Lstat(as)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return fmt.Errorf("keep the snapshot: %w", err)
		}
		as = fmt.Sprintf("%s%s.%d", Kept, update, n)
	}
	if err := home.Rename(setName(update), home, as); err != nil {
		return fmt.Errorf("keep the snapshot: %w", err)
	}
	return home.Sync()
}

// failed reports whether a part of the set could not be put back.
func (s *set) failed() (bool, error) {
	noted, err := s.noted(failedName)
	if err != nil || !noted {
		return false, err
	}
	pending, err := s.allPending()
	return err == nil && len(pending) > 0, err
}

// noteIn reports whether there is a note in the set of this name.
func noteIn(home *disk.Dir, name, note string) bool {
	dir, err := home.Open(name)
	if err != nil {
		return false
	}
	_, err = dir.Lstat(note)
	return errors.Join(err, dir.Close()) == nil
}

// dropVault removes an empty vault. One that stays, or is back after a power cut, does no
// harm.
func (s *Store) dropVault() error {
	parent, err := disk.OpenDir(s.beside)
	if err != nil {
		return ignore(err, fs.ErrNotExist)
	}
	if _, err := parent.Lstat(Vault); err == nil {
		_ = parent.Rmdir(Vault) // it fails as long as sets are in it
	}
	return parent.Close()
}
