package look

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Lockers are the processes of this host, this one included, that hold a lock
// (flock) on a file or directory, as /proc/locks tells. A process in another
// container is not seen.
func Lockers(host string) ([]Process, error) {
	var st unix.Stat_t
	if err := unix.Stat(host, &st); err != nil {
		return nil, fmt.Errorf("cannot look at %s: %w", host, err)
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return nil, fmt.Errorf("cannot tell who has locked %s: %w", host, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	var all []Process
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		pid, dev, inode, ok := parseLock(lines.Text())
		if !ok || inode != st.Ino {
			continue
		}
		// btrfs and overlay give stat another device than they have for the kernel:
		// there the process's own open files decide.
		if dev == [2]uint32{unix.Major(st.Dev), unix.Minor(st.Dev)} || hasOpen(pid, host) {
			all = append(all, process(pid))
		}
	}
	return all, lines.Err()
}

// parseLock reads a line of /proc/locks (proc_locks(5)) about a flock that is held:
// "1: FLOCK  ADVISORY  WRITE 1234 08:01:131 0 EOF". A process that cannot be seen from
// here has no number there.
func parseLock(line string) (pid int, dev [2]uint32, inode uint64, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[1] != "FLOCK" {
		return 0, dev, 0, false
	}
	pid, err := strconv.Atoi(fields[4])
	at := strings.Split(fields[5], ":")
	if err != nil || pid <= 0 || len(at) != 3 {
		return 0, dev, 0, false
	}
	major, err1 := strconv.ParseUint(at[0], 16, 32)
	minor, err2 := strconv.ParseUint(at[1], 16, 32)
	inode, err3 := strconv.ParseUint(at[2], 10, 64)
	return pid, [2]uint32{uint32(major), uint32(minor)}, inode, errors.Join(err1, err2, err3) == nil
}

// Openers are the other processes that have a file or directory open, as far as this one
// may look.
func Openers(host string) (all []Process) {
	pids, _ := processes() // none, then
	for _, pid := range pids {
		if hasOpen(pid, host) {
			all = append(all, process(pid))
		}
	}
	return all
}

// hasOpen reports whether a process has a file or directory open.
func hasOpen(pid int, host string) bool {
	want, err := os.Stat(host)
	if err != nil {
		return false
	}
	fds, _ := filepath.Glob(proc(pid, "fd/*")) // the pattern is good
	for _, fd := range fds {
		if info, err := os.Stat(fd); err == nil && os.SameFile(info, want) {
			return true
		}
	}
	return false
}

// OpenFile is a file that a process has open.
type OpenFile struct {
	// Path is where the process has opened it, or where it has been moved since.
	Path string
	// Deleted: no name leads to it any more.
	Deleted bool
}

// OpenNamed is the first open file of a process with this base name; false when there
// is none, or when this process may not look.
func OpenNamed(pid int, base string) (OpenFile, bool) {
	const gone = " (deleted)" // proc_pid_fd(5)
	fds, _ := filepath.Glob(proc(pid, "fd/*"))
	for _, fd := range fds {
		path, err := os.Readlink(fd)
		if err != nil {
			continue
		}
		path, deleted := strings.CutSuffix(path, gone)
		if filepath.IsAbs(path) && filepath.Base(path) == base {
			return OpenFile{path, deleted}, true
		}
	}
	return OpenFile{}, false
}
