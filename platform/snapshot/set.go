package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// index says what a set consists of. Schema 1 has no Stamp, and notes in the services' own
// directories.
type index struct {
	Schema int      `json:"schema"`
	Update string   `json:"update"`
	Stamp  string   `json:"stamp,omitempty"`
	Paths  []string `json:"paths"`
}

// set is a complete set, open.
type set struct {
	index
	home *disk.Dir // the directory that has it
	name string
	dir  *disk.Dir
}

func (s *set) close() error { return errors.Join(s.dir.Close(), s.home.Close()) }

// open opens the update's set; nil when there is none.
func (s *Store) open(update string) (*set, error) {
	if err := validUpdate(update); err != nil {
		return nil, err
	}
	homes, err := s.homes()
	if err != nil {
		return nil, err
	}
	for i, home := range homes {
		found, err := openSet(home, setName(update), update)
		if err != nil {
			return nil, errors.Join(err, closed(homes[i:]...))
		}
		if found != nil {
			return found, closed(homes[i+1:]...)
		}
		if err := home.Close(); err != nil {
			return nil, errors.Join(err, closed(homes[i+1:]...))
		}
	}
	return nil, nil
}

// openSet opens a set in home. It is nil when there is none, and when somebody else has
// made what has its name.
func openSet(home *disk.Dir, name, update string) (*set, error) {
	dir, err := home.Open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, disk.ErrNotDirectory) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	found := &set{home: home, name: name, dir: dir}
	st, err := dir.Stat()
	if err == nil && ours(&st) {
		found.index, err = readIndex(dir)
	}
	if err == nil && found.Paths != nil {
		if found.Stamp == "" {
			found.Stamp = stampPrefix + update
		}
		return found, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return nil, errors.Join(err, dir.Close())
}

// readIndex reads the index of a set. Its Paths are not nil.
func readIndex(dir *disk.Dir) (i index, err error) {
	f, err := dir.OpenFile(indexName, os.O_RDONLY, 0)
	if err != nil {
		return i, err
	}
	data, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return i, fmt.Errorf("read snapshot: %w", err)
	}
	if err := json.Unmarshal(data, &i); err != nil {
		return i, fmt.Errorf("snapshot %s: %w", dir.Path(), err)
	}
	for _, p := range i.Paths {
		if !fs.ValidPath(p) || p == "." {
			return i, fmt.Errorf("snapshot %s: %q is not a path inside the shared directory", dir.Path(), p)
		}
	}
	i.Paths = append([]string{}, i.Paths...)
	return i, nil
}

// parent opens the directory of the set that has the copy of path.
func (s *set) parent(p string) (*disk.Dir, error) {
	return s.dir.Descend(path.Join(dataName, path.Dir(p)))
}

// pending reports whether the set still holds the copy of path. The stamp tells
// the copy from the directory that it was exchanged for.
func (s *set) pending(p string) (bool, error) {
	copied, err := s.dir.Descend(path.Join(dataName, p))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, disk.ErrNotDirectory) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the snapshot: %w", err)
	}
	owed, err := stamped(copied, s.Stamp)
	if err = errors.Join(err, copied.Close()); err != nil {
		return false, fmt.Errorf("look at the snapshot: %w", err)
	}
	return owed, nil
}

// stamped reports whether a directory has the stamp: a file of the updater's own, that is. In
// sets of schema 1 a service knew the name.
func stamped(dir *disk.Dir, stamp string) (bool, error) {
	st, err := dir.Lstat(stamp)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && ours(&st), err
}

// noted reports whether the set has a note.
func (s *set) noted(name string) (bool, error) {
	_, err := s.dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// note makes a note in the set, durably.
func (s *set) note(name string) error {
	return errors.Join(s.dir.WriteFile(name, nil, 0o600), s.dir.Sync())
}

func refillNote(n int) string { return refillName + strconv.Itoa(n) }

// Pending lists the directories of the update's set that are not put back yet.
func (s *Store) Pending(update string) ([]string, error) {
	set, err := s.open(update)
	if set == nil {
		return nil, err
	}
	pending, err := set.allPending()
	return pending, errors.Join(err, set.close())
}

func (s *set) allPending() (pending []string, err error) {
	for _, p := range s.Paths {
		owed, err := s.pending(p)
		if err != nil {
			return nil, err
		}
		if owed {
			pending = append(pending, p)
		}
	}
	return pending, nil
}
