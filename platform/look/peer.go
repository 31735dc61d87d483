package look

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Peer is the process that listens at the other end of a connection to a unix socket,
// whose host path is given. The kernel remembers who made the socket listen. When that
// is an init system that has handed it to a daemon, the daemon is meant: another process
// that has the socket open, which only root can find out. The zero Process says that it
// cannot be told.
func Peer(c *net.UnixConn, host string) (Process, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Process{}, err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err == nil {
		err = credErr
	}
	if err != nil {
		return Process{}, err
	}
	if cred.Pid > 1 {
		return process(int(cred.Pid)), nil
	}
	for _, pid := range socketHolders(listening(host)) {
		if pid != 1 {
			return process(pid), nil
		}
	}
	return Process{}, nil
}

// listening is the inode of the unix socket that listens at a path; see
// proc_net_unix in the kernel's documentation.
func listening(host string) (inode string) {
	const acceptsConnections = 1 << 16
	f, err := os.Open("/proc/net/unix")
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // it was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 || fields[7] != host {
			continue
		}
		if flags, err := strconv.ParseUint(fields[3], 16, 32); err == nil && flags&acceptsConnections != 0 {
			return fields[6]
		}
	}
	return ""
}

// socketHolders are the processes that have a socket open, as far as this one may look.
func socketHolders(inode string) (pids []int) {
	if inode == "" {
		return nil
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is good
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != "socket:["+inode+"]" {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(fd, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
