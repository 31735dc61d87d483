package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

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

// longestTail bounds what is read of a log's end, in bytes.
const longestTail = 16 << 10

// tail returns the last lines of a log, at most n. A log that is not there has none.
func tail(path string, n int) ([]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a service's log: %w", err)
	}
	defer func() { _ = f.Close() }() // It was only read.
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read a service's log: %w", err)
	}
	from := max(0, info.Size()-longestTail)
	data, err := io.ReadAll(io.NewSectionReader(f, from, longestTail))
	if err != nil {
		return nil, fmt.Errorf("read a service's log: %w", err)
	}
	if from > 0 { // The first line is cut.
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	text := strings.TrimRight(string(data), "\n")
	if text == "" {
		return nil, nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-n):], nil
}
