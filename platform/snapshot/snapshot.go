// Package snapshot copies the services' data before a switch, and puts the copy
// back when the update is rolled back.
//
// # What is on disk
//
//	versions/.snapshots/.snapshot-<update>/index.json      the list of the directories in the set
//	versions/.snapshots/.snapshot-<update>/data/<path>     the copy of shared/<path>
//	versions/.snapshots/.snapshot-<update>/data/<path>/.tope-snapshot-<update>-<random>   its stamp
//	versions/.snapshots/.snapshot-<update>/refill-<n>      directory n of the list is being filled again
//	versions/.snapshots/.snapshot-<update>/failed          something could not be put back
//	versions/.snapshots/.snapshot-<update>.tmp             a set that is being made
//
// A set is made under its temporary name, synced as a whole, and renamed: a set
// with the final name is complete. It is put back by exchanging each copy with
// the directory it was made of, atomically. The stamp travels with the copy: while it
// is in the set, the copy is still to be put back. Once the exchange is durable, the stamp
// is removed from the service's directory.
//
// Where directories cannot be exchanged (an overlay cannot rename those of its lower
// layer), the directory is emptied, which the set notes, and then gets the entries of
// the copy. The stamp goes last.
//
// # Whose it is
//
// The shared directory and all in it may belong to the users that services run as, who
// may change it at any instant. So everything in it is reached by descriptors (disk.Dir),
// no symlink is followed, and nothing there decides what is done: the sets and their
// notes are in a directory that only the updater's user may enter. Where that is on another
// file system or mount than the shared directory, sets are made in the shared
// directory itself, as earlier versions of the updater did, and count only if they are
// the updater's own. Sets that were begun by an earlier version are put back as well.
//
// # What it promises
//
// Every method is durable when it returns nil and may be called again after a
// cut. One process at a time, with the services stopped. The cost is linear in the number
// of entries and in what they take on the disk; see Limits. Start at Store.
package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
)

const (
	indexName   = "index.json"
	dataName    = "data"
	failedName  = "failed"
	stampPrefix = ".tope-snapshot-"
	// refillName begins the name of the note in a set that a directory is being filled again.
	refillName = "refill-"
	// oldRefillPrefix begins the name of the same note as earlier versions of the updater
	// made it, in the directory itself.
	oldRefillPrefix = ".tope-refill-"
)

// Kept begins the names of sets that should have been put back, and could not be.
// Nothing removes them.
const Kept = "kept-snapshot-"

// Vault is the directory of sets, in the versions directory.
const Vault = ".snapshots"

// Store keeps the data in a shared directory.
type Store struct {
	dir string
	// beside is the directory that has the vault.
	beside string
	limits Limits
	// exchange swaps two entries; tests replace it.
	exchange func(from *disk.Dir, name string, to *disk.Dir, as string) error
}

// New returns the store of a shared directory, which may not exist yet. Sets are kept in a
// directory in versions, in which only root may write. Both are host paths.
func New(shared, versions string) *Store {
	return &Store{dir: filepath.Clean(shared), beside: filepath.Clean(versions), limits: DefaultLimits(), exchange: (*disk.Dir).Exchange}
}

// With returns the store with other limits.
func (s *Store) With(l Limits) *Store {
	other := *s
	other.limits = l
	return &other
}

func (s *Store) live(path string) string { return filepath.Join(s.dir, filepath.FromSlash(path)) }

// homes opens the directories that may have sets: the vault, and the shared directory.
// Those that are not there are left out.
func (s *Store) homes() (open []*disk.Dir, err error) {
	vault, err := s.vault()
	if err == nil {
		open = append(open, vault)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	shared, err := disk.OpenDir(s.dir)
	if err == nil {
		return append(open, shared), nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return open, nil
	}
	return nil, errors.Join(fmt.Errorf("snapshot: %w", err), closed(open...))
}

// vault opens the vault; fs.ErrNotExist when there is none.
func (s *Store) vault() (*disk.Dir, error) {
	parent, err := disk.OpenDir(s.beside)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	vault, err := parent.Open(Vault)
	if err = errors.Join(err, parent.Close()); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	st, err := vault.Stat()
	if err == nil && !ours(&st) {
		err = fmt.Errorf("snapshot: %s can be changed by others than root: remove it, and the updater makes its own", vault.Path())
	}
	if err != nil {
		return nil, errors.Join(err, vault.Close())
	}
	return vault, nil
}

// home opens the directory that a new set is made in, and makes the vault if it is
// missing. If the power goes meanwhile, an empty vault may be there. Its name is synced
// also when it was there before: whoever made it may have been killed before he did so, and
// a set in a vault without a name would be lost after the note that it is whole.
func (s *Store) home() (*disk.Dir, error) {
	shared, err := disk.OpenDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	parent, err := disk.OpenDir(s.beside)
	if errors.Is(err, fs.ErrNotExist) {
		return shared, nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("snapshot: %w", err), shared.Close())
	}
	if !parent.SameMount(shared) {
		return shared, parent.Close() // nothing could be renamed from the one to the other
	}
	err = ignore(parent.Mkdir(Vault, 0o700), fs.ErrExist)
	if err == nil {
		err = parent.Sync()
	}
	if err = errors.Join(parent.Close(), shared.Close(), err); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return s.vault()
}

func ignore(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}

func closed(dirs ...*disk.Dir) error {
	var errs []error
	for _, d := range dirs {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}

// ours reports whether only this process's user, which is root on a device, can have made
// or changed a file or directory.
func ours(st *unix.Stat_t) bool {
	return int(st.Uid) == os.Geteuid() && st.Mode&0o022 == 0
}

func setName(update string) string { return versions.SnapshotPrefix + update }

func validUpdate(update string) error {
	if update == "" || strings.ContainsAny(update, "/\x00") {
		return fmt.Errorf("snapshot: %q is not an update's id", update)
	}
	return nil
}

// Exists reports whether a complete set of the update is there.
func (s *Store) Exists(update string) (bool, error) {
	set, err := s.open(update)
	if set == nil {
		return false, err
	}
	return true, set.close()
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
