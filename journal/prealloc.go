package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// setAside makes f at least size bytes long, with blocks of its own, and synced:
// later writes need no space and change no metadata of the file system, so a
// full disk cannot stop them and a sync waits for the data alone. Zeros are
// written because blocks that were only allocated are converted at their first
// write, which costs a journal commit of the file system each.
//
// f stays as it was where the file system cannot preallocate, or has no room.
// Of the two, only the lack of room is an error.
//
// If the power goes now, the file has some length in between: what lies behind
// the pages in use does not matter.
func setAside(f *os.File, info fs.FileInfo, size int64) error {
	from := info.Size()
	if from >= size && !holes(info) {
		return nil
	}
	// Allocate from the start: bbolt has left holes if it had to grow the file.
	err := unix.Fallocate(int(f.Fd()), 0, 0, max(from, size))
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	if err == nil {
		err = writeZeros(f, from, size)
	}
	if err != nil {
		err = fmt.Errorf("cannot set aside %d bytes: %w", size, err)
		return errors.Join(err, f.Truncate(from), f.Sync())
	}
	return f.Sync()
}

func holes(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Blocks*512 < info.Size()
}

func writeZeros(f *os.File, from, size int64) error {
	zeros := make([]byte, 256<<10)
	for at := from; at < size; {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at)
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}
