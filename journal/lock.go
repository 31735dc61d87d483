package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// lockPoll is how often a lock that is held is tried again.
const lockPoll = 10 * time.Millisecond

// lock takes f's lock, waiting up to timeout. It belongs to the open file and
// goes with it, however this process ends.
func lock(f *os.File, how int, timeout time.Duration) error {
	for deadline := time.Now().Add(timeout); ; time.Sleep(lockPoll) {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return fmt.Errorf("cannot lock %s: %w", f.Name(), err)
		case time.Now().After(deadline):
			return fmt.Errorf("%s: %w", f.Name(), ErrLocked)
		}
	}
}

// openLocked opens the journal for writing and locks it.
func openLocked(path string, timeout time.Duration) (*os.File, error) {
	for {
		f, err := openFile(path, os.O_RDWR)
		if err != nil {
			return nil, err
		}
		if err := lock(f, syscall.LOCK_EX, timeout); err != nil {
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
		return nil, fmt.Errorf("cannot open the journal: %w; mount it read-write", err)
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
