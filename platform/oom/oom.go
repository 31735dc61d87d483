// Package oom tells whether the kernel has killed processes of this process's control
// group because memory was short: the group's own limit, or that of the whole device.
// It reads, and changes nothing.
//
// systemd does not tell: with OOMPolicy=continue, which lets the daemon outlive a hook
// that takes too much, a daemon that the kernel kills ends as one that anybody kills.
package oom

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Kills is how many processes of this process's control group the kernel has killed for
// want of memory since the group was made. systemd makes a service's group at its start,
// and removes it after the last ExecStopPost=. root is where /proc and /sys are, usually
// "/". An error means that the kernel does not count, or does not tell.
func Kills(root string) (int64, error) {
	path := filepath.Join(root, "proc/self/cgroup")
	groups, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	file, err := counter(groups)
	if err != nil {
		return 0, fmt.Errorf("cannot find the memory's control group in %s: %w", path, err)
	}
	file = filepath.Join(root, "sys/fs/cgroup", file)
	counts, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	n, err := count(counts)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return n, nil
}

// counter is the file that counts, below /sys/fs/cgroup. Its name depends on the version
// of control groups; where both are in use, version 1 has the memory.
func counter(groups []byte) (file string, err error) {
	for line := range bytes.Lines(groups) {
		// ID:CONTROLLERS:PATH
		_, rest, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), ":")
		controllers, path, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		// A path outside this process's view of the groups begins with "/..".
		path = filepath.Join("/", path)
		if controllers == "" {
			file = filepath.Join(path, "memory.events")
			continue
		}
		for c := range strings.SplitSeq(controllers, ",") {
			if c == "memory" {
				return filepath.Join("memory", path, "memory.oom_control"), nil
			}
		}
	}
	if file == "" {
		return "", errors.New("it names none")
	}
	return file, nil
}

// count finds "oom_kill N".
func count(counts []byte) (int64, error) {
	lines := bufio.NewScanner(bytes.NewReader(counts))
	for lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "oom_kill "); ok {
			return strconv.ParseInt(n, 10, 64)
		}
	}
	return 0, errors.New("there is no oom_kill in it")
}
