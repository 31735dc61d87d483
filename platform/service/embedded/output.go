package embedded

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// logLimit bounds RUNDIR/NAME.log; the run directory is often memory.
const logLimit = 1 << 20

// openOutput opens a service's log for a process about to be started, and locks
// it. Every process that still has it as its output shares the lock: see the
// package comment. With fresh set, what was there becomes NAME.log.old first, so
// that the last words of a bad version are still there after its rollback.
func openOutput(path string, fresh bool) (*os.File, error) {
	if fresh {
		if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("put the old log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open a service's log: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close() // Nothing was written to it.
	if fresh || !errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	// Some process that gave up its marker still writes here. It keeps the
	// file; the new process gets a new one, with a lock of its own.
	return openOutput(path, true)
}

// outputHeld reports whether a process has the service's log as its output.
func outputHeld(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // Closing also drops the lock taken here.
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// trim empties a log that has outgrown its limit. The program appends, so it
// simply goes on at the beginning.
func trim(path string) {
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		_ = os.Truncate(path, 0) // It is tried again in a minute.
	}
}
