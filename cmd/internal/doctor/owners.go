package doctor

import (
	"context"
	"os"
	"path/filepath"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/ownprogram"
)

// owners: a user who may write to these files decides what runs as root.
func (c *checkup) owners(context.Context) {
	paths := []string{
		filepath.Dir(c.Config.Paths.Versions), c.Config.Paths.Versions, c.Config.Paths.Services, c.Config.Paths.Bin,
		c.Config.Paths.State, c.Config.Paths.Journal(), c.Config.Paths.Keys, filepath.Dir(ownprogram.Path), ownprogram.Path,
	}
	c.owned(c.ConfigFile, c.ConfigFile) // never below --root
	for _, path := range paths {
		if host, err := c.Root.Resolve(path); err == nil {
			c.owned(path, host)
		}
	}
	if keys, err := c.Root.Resolve(c.Config.Paths.Keys); err == nil {
		entries, _ := os.ReadDir(keys) // trust says what is wrong with them
		for _, e := range entries {
			c.owned(filepath.Join(c.Config.Paths.Keys, e.Name()), filepath.Join(keys, e.Name()))
		}
	}
	if c.haveStore() {
		for _, v := range c.versions {
			c.belongings(v.Version)
		}
	}
}

// belongings of a version are root's: the owner of a file can give it back the
// write bits that publishing took. (Older guides have chown -R over everything.)
func (c *checkup) belongings(version string) {
	dir := c.store.Path(version)
	if _, err := os.ReadDir(dir); err != nil {
		return // versions says why
	}
	tree, err := look.TreeAt(dir)
	switch s := tree.Strangers; {
	case err != nil:
		c.warn("check the file system", "cannot look through version %s: %s", version, err)
	case s.Count > 0:
		c.fail("chown -R -h root:root "+dir, "%d files and directories of version %s belong to somebody else than root, who could change them, the first: %s", s.Count, version, s.First)
	}
}

// owned wants a path to belong to root, or to this process's user, and nobody
// else to have the right to write it.
func (c *checkup) owned(name, host string) {
	o, err := look.OwnerOf(host)
	if err != nil {
		return // another check says so
	}
	if o.Stranger() {
		c.fail("chown root:root "+host, "%s belongs to user %d, who can change what this device runs", name, o.UID)
	}
	switch {
	case o.Everybody():
		c.fail("chmod o-w "+host, "%s can be written by everybody", name)
	case o.Group():
		c.warn("chmod g-w "+host, "%s can be written by group %d", name, o.GID)
	}
}
