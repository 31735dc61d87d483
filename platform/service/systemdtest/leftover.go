package systemdtest

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// prefix is how the names of all machines begin.
const prefix = "tope-"

// lockName is the file in a machine's directory that its test program has
// locked. The kernel takes the lock away when the program ends, however it ends.
const lockName = ".owned"

// prune: each test program looks for leftovers once, before its first machine.
var prune sync.Once

// claim makes a machine's directory, which is the test's until owned is closed.
func claim(where, name string) (dir string, owned *os.File, err error) {
	if dir, err = os.MkdirTemp(where, name+"-"); err != nil {
		return "", nil, err
	}
	// The file gets its name after it is locked, so that no sweep finds it unlocked.
	unnamed := filepath.Join(dir, ".owning")
	owned, err = os.OpenFile(unnamed, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	err = syscall.Flock(int(owned.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return dir, owned, errors.Join(err, os.Rename(unnamed, filepath.Join(dir, lockName)))
}

// sweep removes the machines of test programs that were killed: processes that
// still run, cgroups, directories. It leaves alone the machines that a test still
// owns, and those of test programs that take no lock.
func sweep(where string) {
	dirs, _ := filepath.Glob(filepath.Join(where, prefix+"*-*")) // the pattern is good
	for _, dir := range dirs {
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			name := filepath.Base(dir)
			name = name[:strings.LastIndex(name, "-")]
			c := existing(name)
			c.kill()
			c.remove()
			_ = os.RemoveAll(dir) // files that cannot be removed do no harm
		}
		_ = lock.Close()
	}
}

// existing are the cgroups that a machine of that name has left.
func existing(name string) *cgroup {
	c := &cgroup{}
	for _, h := range hierarchies() {
		dir := filepath.Join(h, name)
		if _, err := os.Stat(dir); err == nil {
			c.dirs = append(c.dirs, dir)
		}
	}
	return c
}

// kill ends every process in the cgroup and below it.
func (c *cgroup) kill() {
	for _, dir := range c.dirs {
		_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || e.Name() != "cgroup.procs" {
				return nil //nolint:nilerr // it may have gone meanwhile
			}
			pids, _ := os.ReadFile(path)
			for pid := range strings.FieldsSeq(string(pids)) {
				if n, err := strconv.Atoi(pid); err == nil && n > 1 {
					_ = syscall.Kill(n, syscall.SIGKILL) // it may be gone already
				}
			}
			return nil
		})
	}
}
