package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// TrashPrefix begins the names of trees that wait to be deleted.
const TrashPrefix = ".trash-"

// Publish gives a tree its final name, durably. The caller has synced the tree
// (SyncFS): the name must not be on disk before the tree is. A name that is taken
// is refused with fs.ErrExist.
func Publish(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return SyncPublished(from, to)
}

// SyncPublished makes a Publish durable that may have been cut between its
// rename and its syncs.
func SyncPublished(from, to string) error {
	// On disk if the power goes before this: the whole tree under its old
	// name or its new one, never a part of it under the new one.
	if err := SyncDir(filepath.Dir(to)); err != nil {
		return err
	}
	if filepath.Dir(from) == filepath.Dir(to) {
		return nil
	}
	return SyncDir(filepath.Dir(from))
}

// Discard deletes a tree so that no part of it, at any instant, has its name and passes
// for the whole. Its name goes first, durably, where the file system can do that.
//
// An overlay cannot rename a directory that is in its lower layer (EXDEV), unless it is
// mounted with redirect_dir=on. A tree there is emptied under its own name. What keeps
// its parts from passing for the whole is the seal: the file in its top directory that
// callers know a whole tree by. Its content becomes void, durably, before anything else
// is touched, and it goes last. Callers take a tree with a void seal for one that is
// half deleted; to call Discard again deletes the rest.
//
// A tree that something is mounted in is refused with ErrMounted, untouched.
func Discard(path, seal string, void []byte) error {
	parent, err := OpenDir(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("discard %s: %w", path, err)
	}
	return errors.Join(parent.Discard(filepath.Base(path), seal, void), parent.Close())
}

// Discard is the function Discard for a tree of this name in d.
func (d *Dir) Discard(name, seal string, void []byte) error {
	if err := NothingMounted(d.join(name)); err != nil {
		return fmt.Errorf("discard %s: %w", d.join(name), err)
	}
	trash, err := d.Trash(name)
	if errors.Is(err, unix.EXDEV) {
		return d.discardInPlace(name, seal, void)
	}
	if err != nil {
		return err
	}
	// If the power goes from here on: some part of it, with a name that nobody reads.
	return d.RemoveTree(trash)
}

func (d *Dir) discardInPlace(name, seal string, void []byte) error {
	tree, err := d.Open(name)
	if err != nil {
		return fmt.Errorf("discard: %w", err)
	}
	err = d.voidSeal(tree, name, seal, void)
	if err == nil {
		err = tree.Empty(seal)
	}
	// Without this, the end of the seal could be on disk before the end of the rest:
	// what is left of the tree then would not be marked.
	if err == nil {
		err = tree.Sync()
	}
	if err = errors.Join(err, tree.Close()); err != nil {
		return fmt.Errorf("discard %s: %w", d.join(name), err)
	}
	// If the power goes from here on: the void seal alone, an empty directory, or nothing.
	if err := d.RemoveTree(name); err != nil {
		return err
	}
	return d.Sync()
}

// voidSeal replaces the seal of a tree. The new one is written beside the tree, so that
// nothing in the tree changes before.
func (d *Dir) voidSeal(tree *Dir, name, seal string, void []byte) error {
	tmp := filepath.Base(TempName(name))
	if err := d.WriteFile(tmp, void, 0o444); err != nil {
		return err
	}
	if err := tree.open(); err != nil {
		return errors.Join(err, d.Remove(tmp))
	}
	// On disk if the power goes before this: the whole tree, and perhaps a temporary that
	// the next call removes. After it: a tree that says that it is not whole any more.
	if err := d.Rename(tmp, tree, seal); err != nil {
		return errors.Join(err, d.Remove(tmp))
	}
	return tree.Sync()
}

// Trash takes the name away from a tree, durably, and returns where it waits
// for RemoveTree: a .trash- name in the same directory. Deleting under the old
// name instead could leave half a tree there that looks like a whole one. Discard
// does both, also where a directory cannot be renamed (EXDEV).
func Trash(path string) (string, error) {
	parent, err := OpenDir(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("trash %s: %w", path, err)
	}
	name, err := parent.Trash(filepath.Base(path))
	return filepath.Join(filepath.Dir(path), name), errors.Join(err, parent.Close())
}

// Trash is the function Trash for a tree of this name in d; it returns the new name.
func (d *Dir) Trash(name string) (string, error) {
	for n := 0; ; n++ {
		to := fmt.Sprintf("%s%s-%d", TrashPrefix, name, n)
		if _, err := d.Lstat(to); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("trash %s: %w", d.join(name), err)
		}
		// Within the same parent the owner can rename even a read-only directory:
		// only a new parent, which changes its "..", needs write permission on it.
		if err := d.Rename(name, d, to); err != nil {
			return "", fmt.Errorf("trash: %w", err)
		}
		// On disk if the power goes before this: the whole tree, under its
		// old name or in the trash.
		return to, d.Sync()
	}
}

// RemoveTree deletes whatever is at path: a tree, its read-only directories
// included, a file or a link. Nothing at path is fine. It follows no link and never
// leaves path's parent directory nor its file system: ErrMounted, with nothing deleted,
// when something is mounted in the tree. The deletion is not synced: the caller first
// trashes a tree that must not come back under its name.
func RemoveTree(path string) error {
	path = filepath.Clean(path)
	if err := NothingMounted(path); err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	parent, err := OpenDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return errors.Join(parent.RemoveTree(filepath.Base(path)), parent.Close())
}

// tries is how often a tree is emptied. Somebody may write to it meanwhile, and some file
// systems leave entries out when others of the directory are removed while it is read. The
// widest trees take more than one go.
const tries = 20

// RemoveTree is the function RemoveTree for what has this name in d, but does not look
// for mounts before it begins: with ErrMounted, a part may be gone of all but what is
// mounted. Its cost is linear in the number of entries, however they are nested.
func (d *Dir) RemoveTree(name string) error {
	var err error
	for range tries {
		if err = d.removeTree(name); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EISDIR) && !errors.Is(err, ErrNotDirectory) {
			break
		}
	}
	return fmt.Errorf("remove %s: %w", d.join(name), err)
}

func (d *Dir) removeTree(name string) error {
	st, err := d.Lstat(name)
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return d.Remove(name)
	}
	tree, err := d.Open(name)
	if errors.Is(err, fs.ErrPermission) {
		if err = d.unlock(name, err); err == nil {
			tree, err = d.Open(name)
		}
	}
	if err != nil {
		return err
	}
	if err = d.Holds(tree); err == nil {
		err = tree.empty("")
	}
	if err := errors.Join(err, tree.Close()); err != nil {
		return err
	}
	return d.Rmdir(name)
}

// Empty deletes all that is in a directory but the entry of one name, if that is not
// "". It is not synced. ENOTEMPTY when somebody goes on writing to it; ErrMounted when
// something is mounted in it, which it does not enter.
func (d *Dir) Empty(but string) error {
	var err error
	for range tries {
		if err = d.empty(but); err != nil && !errors.Is(err, unix.ENOTEMPTY) {
			return err
		}
		left, lerr := d.anyBut(but)
		if lerr != nil {
			return lerr
		}
		if left == "" {
			return nil
		}
		err = d.failed("empty", left, unix.ENOTEMPTY)
	}
	return err
}

// anyBut is the name of an entry that is there, other than one; "" when there is none.
func (d *Dir) anyBut(but string) (string, error) {
	at, err := openDir(d.fd(), ".", d.path, 0)
	if err != nil {
		return "", err
	}
	names, err := at.f.Readdirnames(2)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	for _, name := range names {
		if name != but {
			return name, errors.Join(err, at.Close())
		}
	}
	return "", errors.Join(err, at.Close())
}

func (d *Dir) empty(but string) error {
	depth := 0
	absent := func(err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return d.Walk(Tour{
		Entry: func(in *Dir, name string, st *unix.Stat_t) error {
			switch {
			case depth == 1 && but != "" && name == but:
				return fs.SkipDir
			case st.Mode&unix.S_IFMT == unix.S_IFDIR:
				return nil
			}
			return absent(in.Remove(name))
		},
		Enter: func(in *Dir, _ string, _ *unix.Stat_t) error {
			depth++
			return in.open()
		},
		Leave:      func(*Dir, *unix.Stat_t) error { depth--; return nil },
		Left:       func(in *Dir, name string) error { return absent(in.Rmdir(name)) },
		Stay:       true,
		Partial:    true,
		Unreadable: (*Dir).unlock,
	})
}

// ownerBits are what the owner of a directory needs to take entries out of it, which
// published versions do not give, not even to their owner. root does without.
const ownerBits = 0o700

// open gives the owner the right to change a directory.
func (d *Dir) open() error {
	st, err := d.Stat()
	if err != nil || st.Mode&ownerBits == ownerBits {
		return err
	}
	return d.failed("chmod", "", unix.Fchmod(d.fd(), st.Mode&0o7777|ownerBits))
}

// unlock gives the owner the right to read a directory that he may not even open.
func (d *Dir) unlock(name string, why error) error {
	if !errors.Is(why, fs.ErrPermission) {
		return why
	}
	fd, err := unix.Openat(d.fd(), name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return d.failed("open", name, err)
	}
	// The descriptor's own link: a name could lead somewhere else by now.
	err = os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), ownerBits)
	return errors.Join(err, unix.Close(fd))
}
