package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/ownprogram"
)

// owners: who may write to these decides what runs as root.
func (c *checkup) owners(context.Context) {
	paths := []string{
		filepath.Dir(c.cfg.Paths.Versions), c.cfg.Paths.Versions, c.cfg.Paths.Services, c.cfg.Paths.Bin,
		c.cfg.Paths.State, c.cfg.Paths.Journal(), c.cfg.Paths.Keys, filepath.Dir(ownprogram.Path), ownprogram.Path,
	}
	c.owned(c.configFile, c.configFile) // never below --root
	for _, path := range paths {
		if host, err := c.root.Resolve(path); err == nil {
			c.owned(path, host)
		}
	}
	if keys, err := c.root.Resolve(c.cfg.Paths.Keys); err == nil {
		entries, _ := os.ReadDir(keys) // said by trust
		for _, e := range entries {
			c.owned(filepath.Join(c.cfg.Paths.Keys, e.Name()), filepath.Join(keys, e.Name()))
		}
	}
	if c.storeOpen() {
		all, _ := c.store.List() // said by versions
		for _, v := range all {
			c.belongings(v.Version)
		}
	}
}

// belongings of a version are root's: whoever owns a file gives it back the write
// bits that publishing took. (Older guides have chown -R over everything.)
func (c *checkup) belongings(version string) {
	root, err := os.OpenRoot(c.store.Path(version))
	if err != nil {
		return // said by versions
	}
	defer func() { _ = root.Close() }()
	count, first := 0, ""
	err = disk.Walk(root, func(name string, info fs.FileInfo) error {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
			if count++; first == "" {
				first = name
			}
		}
		return nil
	}, nil)
	switch {
	case err != nil:
		c.warn("check the file system", "cannot look through version %s: %s", version, err)
	case count > 0:
		c.fail("chown -R -h root:root "+c.store.Path(version), "%d files and directories of version %s belong to somebody else than root, who can change them, the first: %s", count, version, first)
	}
}

// owned wants a path to belong to root, or to whom this process is, and to be
// written by nobody else.
func (c *checkup) owned(name, host string) {
	info, err := os.Stat(host)
	if err != nil {
		return // said by others
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		c.fail("chown root:root "+host, "%s belongs to user %d, who can change what this device runs", name, st.Uid)
	}
	switch mode := info.Mode(); {
	case mode&0o002 != 0 && mode&fs.ModeSticky == 0:
		c.fail("chmod o-w "+host, "%s can be written by everybody", name)
	case mode&0o020 != 0 && st.Gid != 0:
		c.warn("chmod g-w "+host, "%s can be written by group %d", name, st.Gid)
	}
}

// writableFiles counts what has a write bit in a version, which nothing should.
func writableFiles(dir string) (count int, first string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = root.Close() }()
	err = disk.Walk(root, func(name string, info fs.FileInfo) error {
		if info.Mode()&fs.ModeSymlink == 0 && info.Mode()&0o222 != 0 {
			if count++; first == "" {
				first = name
			}
		}
		return nil
	}, nil)
	return count, first, err
}
