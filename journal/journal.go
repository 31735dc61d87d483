package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	bolt "go.etcd.io/bbolt"

	"github.com/tope/updater/platform/disk"
)

// Journal is a journal open for writing, under an exclusive lock. It is safe
// for concurrent use.
type Journal struct {
	path string
	opt  Options

	state  atomic.Pointer[Fold]
	writes atomic.Uint64
	// updates is the newest answer of Updates.
	updates atomic.Pointer[listed]
	// listing is held while Updates makes one.
	listing sync.Mutex

	// mu is held during a write, and while a reader begins.
	mu   sync.Mutex
	file *os.File // belongs to db
	db   *bolt.DB
	// summary is the number of the record that the stored summary is of; 0
	// when it has to be written anew.
	summary uint64
	// poison is the reason why the journal must not be written or read any more.
	poison error
	// panicked says that bbolt may have left its own locks behind.
	panicked bool

	fresh  bool
	damage *Damage
	// removed tells that the file was put back; the next record is about that.
	removed *Damage
}

// State is the state after the newest record. It reads no disk.
func (j *Journal) State() *Fold { return j.state.Load() }

// Fresh reports whether the journal has only the records of its own creation,
// so that the past must be learnt from elsewhere. It also returns the damage
// that this Open met: put aside (then the journal is fresh) or repaired. A
// fresh journal stays fresh until the first Append, also over a restart.
//
// State().Open is set in a fresh journal only when the damaged one proved that
// it was up to date; see Salvage.
func (j *Journal) Fresh() (fresh bool, damage *Damage) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fresh, j.damage
}

// Transactions is how many transactions have been committed since Open.
func (j *Journal) Transactions() uint64 { return j.writes.Load() }

// Path is where the journal is.
func (j *Journal) Path() string { return j.path }

// usable returns an error when the journal must not be read or written. mu is
// held.
func (j *Journal) usable() error {
	switch {
	case j.poison != nil:
		return j.poison
	case j.db == nil:
		return fmt.Errorf("journal %s: %w", j.path, fs.ErrClosed)
	}
	return nil
}

// commit runs f in one transaction. Whatever goes wrong poisons the journal:
// an error from the last sync, for one, leaves the new value visible and maybe
// not on disk. mu is held.
//
// If the power goes now, the disk has the transaction before or this one: bbolt
// writes new pages beside the live ones, syncs them, and only then writes and
// syncs the meta page that leads to them.
func (j *Journal) commit(f func(tx *bolt.Tx) error) error {
	err, panicked := guard(func() error { return j.db.Update(f) })
	if err != nil {
		j.poison = fmt.Errorf("%w: %s: %w", ErrPoisoned, j.path, err)
		j.panicked = panicked
		return j.poison
	}
	j.writes.Add(1)
	return nil
}

// view runs f on the newest transaction, which stays as it is meanwhile. f must
// be short: the pages of that transaction cannot be reused before f ends.
func (j *Journal) view(f func(im *image) error) error {
	im, done, err := j.pin()
	if err != nil {
		return err
	}
	defer done()
	return f(im)
}

// pin begins a read transaction of bbolt, only to keep its pages from being
// reused, and returns an image of it.
func (j *Journal) pin() (*image, func(), error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.usable(); err != nil {
		return nil, nil, err
	}
	im, err := j.image()
	if err != nil {
		return nil, nil, err
	}
	var tx *bolt.Tx
	err, panicked := guard(func() (err error) { tx, err = j.db.Begin(false); return err })
	if err != nil {
		j.poison, j.panicked = fmt.Errorf("%w: %s: %w", ErrPoisoned, j.path, err), panicked
		return nil, nil, j.poison
	}
	return im, func() { _, _ = guard(tx.Rollback) }, nil
}

// image is the newest transaction; it is valid while mu is held.
func (j *Journal) image() (*image, error) {
	info, err := j.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot look at the journal: %w", err)
	}
	im, _, err := openImage(j.file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal %s: %w", j.path, err)
	}
	return im, nil
}

// Close releases the file. It waits for readers that are still at work. A file that was
// deleted meanwhile is put back first.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.db == nil {
		return nil
	}
	var lost error
	if j.poison == nil {
		lost = j.putBack()
	}
	db, file := j.db, j.file
	j.db = nil
	if j.panicked {
		// bbolt's own Close may wait without end, for a lock that bbolt itself has
		// left behind. Without that Close the memory map stays, and the file's
		// lock with it, unless it is released here.
		return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
	}
	err, _ := guard(db.Close)
	err = errors.Join(lost, err)
	if j.poison != nil {
		// The cache may have writes that the disk has refused: the next Open must
		// see what a reboot would.
		err = errors.Join(err, dropCache(j.path))
	}
	return err
}

func dropCache(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(disk.DropCache(f), f.Close())
}
