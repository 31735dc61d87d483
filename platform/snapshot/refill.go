package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/likeness"
)

// begun reports whether a refill of directory n has begun. Earlier versions of the updater
// noted that in the directory itself, where the refill removes it before it is over: the
// note in the set is made now. If the power goes before it is durable, the old one is there.
func (s *set) begun(n int, live *disk.Dir, name string) (bool, error) {
	noted, err := s.noted(refillNote(n))
	if noted || err != nil || s.Schema > 1 {
		return noted, err
	}
	dir, err := live.Open(name)
	if err != nil {
		return false, absent(err)
	}
	noted, err = stamped(dir, oldRefillPrefix+s.Update)
	if err = errors.Join(err, dir.Close()); err == nil && noted {
		err = s.note(refillNote(n))
	}
	return noted, err
}

// refill gives the directory in live the content of the copy in kept, where the two cannot
// be exchanged. It may be cut at any instant: as long as the stamp is in kept, the next
// call goes on. A note in the set tells it that it was begun: what is there came from kept.
func (s *set) refill(n int, keptParent, liveParent *disk.Dir, begun bool) error {
	name := filepath.Base(s.Paths[n])
	kept, err := keptParent.Open(name)
	if err != nil {
		return err
	}
	defer kept.Close()
	if st, err := liveParent.Lstat(name); err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		// If the power goes meanwhile: a link or file of the service, or nothing.
		if err := liveParent.Remove(name); err != nil {
			return err
		}
	}
	if err := liveParent.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	live, err := liveParent.Open(name)
	if err != nil {
		return explained(err)
	}
	defer live.Close()
	// The first asks by the path, for all that is below; the second of the directory itself,
	// wherever it is by now.
	if err := errors.Join(disk.NothingMounted(live.Path()), liveParent.Holds(live)); err != nil {
		return err
	}
	if !begun {
		// If the power goes meanwhile: a part of what the new version wrote, which is to
		// go, and the whole copy in the set. The next call empties live again.
		if err := live.Empty(""); err != nil {
			return err
		}
		// Without this, the note could be on disk before the end of these entries, and they
		// would pass for a part of the copy.
		if err := live.Sync(); err != nil {
			return err
		}
		if err := s.note(refillNote(n)); err != nil {
			return err
		}
	}
	if err := s.moveAll(kept, live); err != nil {
		return err
	}
	if err := live.RemoveTree(oldRefillPrefix + s.Update); err != nil {
		return err
	}
	st, err := kept.Stat()
	if err != nil {
		return err
	}
	if err := likeness.Give(kept.File(), live, ".", live.File(), &st); err != nil {
		return err
	}
	// The end of the stamp says that all is back: it must not be on disk before the rest is.
	if err := errors.Join(live.Sync(), kept.Sync()); err != nil {
		return err
	}
	return errors.Join(kept.Remove(s.Stamp), kept.Sync())
}

// moveAll moves the entries of a copy, except its stamp. It looks again until there is no
// other: some file systems leave entries out when others of the directory are renamed while
// it is read.
func (s *set) moveAll(kept, live *disk.Dir) error {
	for {
		moved, err := s.moveSome(kept, live)
		if err != nil || moved == 0 {
			return err
		}
		if _, err := kept.File().Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
}

func (s *set) moveSome(kept, live *disk.Dir) (moved int, err error) {
	for {
		names, err := kept.File().Readdirnames(512)
		for _, name := range names {
			if name == s.Stamp {
				continue
			}
			if err := s.move(kept, name, live); err != nil {
				return moved, err
			}
			moved++
		}
		if errors.Is(err, io.EOF) {
			return moved, nil
		}
		if err != nil {
			return moved, err
		}
	}
}

// move moves one entry. What has its name in live was made since, by a program that ran
// meanwhile, or is a part of a copy that was cut. If the power goes now: all or a part of
// that, which the next call removes, and the entry in kept; or the entry in live.
func (s *set) move(kept *disk.Dir, name string, live *disk.Dir) error {
	if err := live.RemoveTree(name); err != nil {
		return err
	}
	err := kept.Rename(name, live, name)
	if !errors.Is(err, unix.EXDEV) {
		return err
	}
	// The set was made under other mounts.
	return s.copyOver(kept, name, live)
}

// copyOver copies an entry to live and removes it from kept. The copy is made in a directory
// that only the updater may enter: live is the service's, which could put something else
// in the place of what has just been made. If the power goes meanwhile: the entry in kept, and
// perhaps that directory, which the next call removes; or the entry in both, or in live.
func (s *set) copyOver(kept *disk.Dir, name string, live *disk.Dir) error {
	own := oldRefillPrefix + s.Update
	if err := live.RemoveTree(own); err != nil {
		return err
	}
	if err := live.Mkdir(own, 0o700); err != nil {
		return err
	}
	dir, err := live.Open(own)
	if err != nil {
		return err
	}
	defer dir.Close()
	if st, err := dir.Stat(); err != nil || !ours(&st) {
		return errors.Join(fmt.Errorf("somebody else has made %s", dir.Path()), err)
	}
	c := newCopier(context.Background(), new(Taken))
	if err := c.entryTo(kept, name, dir); err != nil {
		return err
	}
	// The entry leaves kept when its copy is durable.
	if err := dir.SyncAll(c.ctx); err != nil {
		return err
	}
	if _, err := dir.Lstat(name); err == nil { // a pipe or a socket has no copy
		if err := dir.Rename(name, live, name); err != nil {
			return err
		}
	}
	if err := live.Sync(); err != nil {
		return err
	}
	return kept.RemoveTree(name)
}
