package systemdtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// cgroup is the machine's own, in each hierarchy that systemd looks at: with
// cgroup v2 the only one, else the named one of v1 and its v2 companion.
type cgroup struct{ dirs []string }

func newCgroup(name string) (*cgroup, error) {
	c := &cgroup{}
	for _, h := range hierarchies() {
		if _, err := os.Stat(filepath.Join(h, "cgroup.procs")); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		dir := filepath.Join(h, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return c, err
		}
		c.dirs = append(c.dirs, dir)
	}
	return c, nil
}

// hierarchies are the directories in which systemd wants a cgroup of its own.
func hierarchies() []string {
	const top = "/sys/fs/cgroup"
	if _, err := os.Stat(top + "/cgroup.controllers"); err == nil {
		return []string{top}
	}
	return []string{top + "/systemd", top + "/unified"}
}

// remove takes the cgroup away, with all that the machine's systemd made below
// it. The kernel lets go of it a moment after its last process has ended.
func (c *cgroup) remove() {
	for _, dir := range c.dirs {
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if err := removeBelow(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
				break
			}
		}
	}
}

// removeBelow removes a tree of cgroups, the innermost first. The kernel removes
// the files in them.
func removeBelow(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeBelow(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return syscall.Rmdir(dir)
}
