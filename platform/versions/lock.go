package versions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// ErrTreeLocked says that another updater works on the versions directory.
var ErrTreeLocked = errors.New("another updater works on it")

// lockPoll is how often a lock that is held is tried again.
const lockPoll = 20 * time.Millisecond

// readerPatience is how long a lock may be held by somebody who only reads, as a backup
// does, before the work goes on beside him.
const readerPatience = time.Second

// TreeLock is the right to change the versions directory; see Store.Lock.
type TreeLock struct {
	dir        *os.File
	unlockable bool
}

// Lock makes this process the one updater that changes the versions directory,
// until Close or its end. The journal's lock does not see to that: a second updater
// with another configuration has a journal of its own. A lock that is held is tried
// again until patience is over, and then is ErrTreeLocked. Whoever only reads needs
// no lock; one who holds a shared lock all the same is not an updater. He is waited for,
// readerPatience at most, and then the lock is shared with him: it keeps others out still.
//
// The lock is a flock on the directory itself. So there is no file that could be
// swept, copied into an image, or kept from being made by a full disk; and whatever
// path or mount leads to the directory, the lock is the same. Nothing of it is on
// disk: after a power cut it is free.
//
// ext4, xfs, btrfs, f2fs, tmpfs and overlay have flock for directories, for the
// processes of this kernel. NFS makes of it a lock that needs an open for writing,
// which directories do not have, and some FUSE file systems have none. A versions
// directory there cannot be locked: the lock that Lock then returns holds nothing
// (Unlockable), and the work goes on. The journal's lock still keeps two daemons with one configuration
// apart; the doctor warns of such file systems.
//
// A directory that does not exist has nothing to be changed, and no lock either.
func (s *Store) Lock(ctx context.Context, patience time.Duration) (*TreeLock, error) {
	dir, err := os.Open(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &TreeLock{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock the versions: %w", err)
	}
	var read time.Time // since when nobody but readers has held it
	for deadline := time.Now().Add(patience); ; {
		err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return &TreeLock{dir: dir}, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return &TreeLock{unlockable: true}, dir.Close()
		case shares(dir):
			if read.IsZero() {
				read = time.Now()
			}
			if time.Since(read) >= readerPatience {
				return &TreeLock{dir: dir}, nil
			}
			_ = syscall.Flock(int(dir.Fd()), syscall.LOCK_UN) // Close drops it, too
		case !time.Now().Before(deadline):
			return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", s.dir, ErrTreeLocked), dir.Close())
		default:
			read = time.Time{}
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), dir.Close())
		case <-time.After(lockPoll):
		}
	}
}

// shares takes the lock of a reader, which is refused where an updater works.
func shares(dir *os.File) bool {
	return syscall.Flock(int(dir.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil
}

// Unlockable reports that the file system has no locks for directories.
func (l *TreeLock) Unlockable() bool { return l.unlockable }

// Close lets go of the lock. It may be called again.
func (l *TreeLock) Close() error {
	if l == nil || l.dir == nil {
		return nil
	}
	dir := l.dir
	l.dir = nil
	return dir.Close()
}
