package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/tope/updater/platform/disk"
)

// lockPoll is how often a lock that is held is tried again.
const lockPoll = 10 * time.Millisecond

// readerPatience is how long a writer waits for those who only read. This program's
// readers take no lock; an older one's does for an instant, a backup as long as it likes.
const readerPatience = time.Second

// errReaders: nobody but readers holds the lock, and they do not let go of it.
var errReaders = errors.New("somebody who reads the journal does not let go of it")

// flock takes or drops a lock without waiting. A lock belongs to the open file and goes with
// it, however this process ends.
func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return fmt.Errorf("%s: %w", f.Name(), ErrLocked)
		case !errors.Is(err, syscall.EINTR):
			return fmt.Errorf("cannot lock %s: %w", f.Name(), err)
		}
	}
}

// lock takes f's lock for the only writer. It waits up to timeout for another writer
// (ErrLocked), and up to readerPatience for readers (errReaders; then it holds their
// kind of lock, which keeps writers out).
//
// A shared lock tells the two apart: it is refused only where a writer has its own.
func lock(f *os.File, timeout time.Duration) error {
	for began := time.Now(); ; time.Sleep(lockPoll) {
		err := flock(f, syscall.LOCK_EX)
		if !errors.Is(err, ErrLocked) {
			return err
		}
		waited := time.Since(began)
		switch shared := flock(f, syscall.LOCK_SH); {
		case errors.Is(shared, ErrLocked) && waited >= timeout:
			return err
		case errors.Is(shared, ErrLocked):
		case shared != nil:
			return shared
		case waited >= readerPatience:
			return errReaders
		default:
			if err := flock(f, syscall.LOCK_UN); err != nil {
				return err
			}
		}
	}
}

// openLocked opens the journal for writing and locks it.
func openLocked(path string, opt Options) (*os.File, error) {
	for {
		f, err := openFile(path, os.O_RDWR)
		if err != nil {
			return nil, err
		}
		err = lock(f, opt.LockTimeout)
		if errors.Is(err, errReaders) {
			if err = passBy(path, f, opt); err == nil {
				err = f.Close()
			}
			if err == nil {
				continue
			}
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		// The process that had the lock may have put a new journal in this one's place.
		same, err := isAt(f, path)
		if err == nil && same {
			return f, nil
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
}

// passBy puts a copy in the place of the journal in f, of which this process has a shared
// lock: nobody can be writing it. Those who read keep what they have opened. If the power
// goes meanwhile, the name leads to the old file or to the copy, whole; both hold the same.
func passBy(path string, f *os.File, opt Options) error {
	unlock, err := lockDir(path, readerPatience)
	if err != nil {
		return fmt.Errorf("%w, and no copy can be made: %w", errReaders, notLocked(err))
	}
	defer unlock()
	if same, err := isAt(f, path); err != nil || !same {
		return err // another process was faster
	}
	info, err := f.Stat()
	if err == nil {
		err = asFile(info)
	}
	if err == nil {
		err = disk.WriteFrom(path, io.NewSectionReader(f, 0, info.Size()), info.Mode().Perm())
	}
	if err != nil {
		return fmt.Errorf("%w, and no copy can be made: %w", errReaders, err)
	}
	opt.Log.Warn("somebody who reads the journal does not let go of it: a copy takes its place", "path", path)
	return nil
}

// notLocked keeps a directory's lock from being taken for a daemon's.
func notLocked(err error) error { return errors.New(err.Error()) }

func isAt(f *os.File, path string) (bool, error) {
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, there), err
}

// openFile opens the regular file at path; an error says what to do. It also
// opens a directory, for reading, so that a directory can be put aside like any
// other damage; asFile tells the two apart.
func openFile(path string, how int) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		how = os.O_RDONLY
	} else if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot open the journal %s: it is a %s, not a file; move it away", path, kindOfFile(info.Mode()))
	}
	var f *os.File
	if err == nil {
		f, err = os.OpenFile(path, how|syscall.O_NOFOLLOW, 0)
	}
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", path, ErrMissing)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("cannot open the journal: %w; run as root, or as the owner of the file", err)
	case errors.Is(err, syscall.EROFS):
		return nil, fmt.Errorf("cannot open the journal: %w; mount it read-write (\"tope-updater doctor\" tells whether it is the daemon's sandbox)", err)
	case errors.Is(err, syscall.ELOOP):
		return nil, fmt.Errorf("cannot open the journal %s: it is a symbolic link; put the file itself there", path)
	}
	return nil, fmt.Errorf("cannot open the journal: %w", err)
}

// asFile returns a *flaw when openFile has opened a directory.
func asFile(info fs.FileInfo) error {
	if info.IsDir() {
		return &flaw{DamagedHeader, "it is a directory, not a file"}
	}
	return nil
}

func kindOfFile(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}
