package doctor

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/ownprogram"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/steps/running"
)

// owners: a user who may write to these files decides what runs as root. Updates go on
// all the same, so each finding is a warning.
func (c *checkup) owners(context.Context) {
	paths := []string{
		filepath.Dir(c.Config.Paths.Versions), c.Config.Paths.Versions, c.Config.Paths.Services, c.Config.Paths.Bin,
		c.Config.Paths.State, c.Config.Paths.Journal(), c.Config.Paths.Keys, filepath.Dir(ownprogram.Path), ownprogram.Path,
	}
	c.owned(c.ConfigFile, c.ConfigFile)
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
	c.sharedData()
}

// sharedData: the shared directory is root's, and each writable directory in it belongs to
// the service that it is for. (Older guides gave all of it to one user.)
func (c *checkup) sharedData() {
	shared, err := c.Root.Resolve(c.Config.Paths.Shared)
	if err != nil {
		return // directories says why
	}
	if o, err := look.OwnerOf(shared); err == nil && (o.Stranger() || o.Everybody()) {
		do := run("chown root:root %s && chmod go-w %s", quote(shared), quote(shared))
		do.say = "the directories of the services in it stay theirs"
		c.warn(do, "%s can be changed by others than root (user %d, mode %04o): a service could take the data of the others away", c.Config.Paths.Shared, o.UID, o.Mode.Perm())
	}
	dirs := slices.Clone(c.Config.Paths.Writable)
	tree := ""
	if c.store != nil && c.at.Current != "" {
		tree = filepath.Join(c.store.Path(c.at.Current), unitfiles.Dir)
		brought, err := running.BroughtBy(c.store, c.at.Current)
		if err != nil {
			return // versions says why
		}
		for _, w := range brought.Writable {
			dirs = append(dirs, w.Path)
		}
	}
	users := c.dataUsers(tree)
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		host := filepath.Join(shared, filepath.FromSlash(dir))
		for _, d := range users.Of(dir) {
			if o, may, err := look.MayWriteIn(host, d.User); err == nil && !may {
				c.warn(run("chown -R -h %s: %s", quote(d.User.Name), quote(host)), "%s runs as %s, who may not write to %s: it belongs to user %d and has the mode %04o",
					d.Unit, d.User.Name, filepath.Join(c.Config.Paths.Shared, dir), o.UID, o.Mode.Perm())
			}
		}
	}
}

// dataUsers are the services of the configuration and those of the current version.
func (c *checkup) dataUsers(carried string) look.DataUsers {
	p := c.Config.Paths
	users := look.DataUsers{Root: c.Root, Versions: p.Versions, Shared: p.Shared, Services: p.Services}
	dirs := look.UnitDirs(c.manager)
	if len(dirs) == 0 {
		return users
	}
	var names []string
	for _, s := range c.Config.Service {
		names = append(names, s.Service().UnitName())
	}
	users.Units = look.UnitTexts(c.Root, dirs, carried, names...)
	return users
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
		c.warn(say("check the file system"), "cannot look through version %s: %s", version, err)
	case s.Count > 0:
		c.warn(run("chown -R -h root:root %s", quote(dir)), "%d files and directories of version %s belong to somebody else than root, who could change them, the first: %s", s.Count, version, s.First)
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
		c.warn(run("chown root:root %s", quote(host)), "%s belongs to user %d, who can change what this device runs", name, o.UID)
	}
	switch {
	case o.Everybody():
		c.warn(run("chmod o-w %s", quote(host)), "%s can be written by everybody", name)
	case o.Group():
		c.warn(run("chmod g-w %s", quote(host)), "%s can be written by group %d", name, o.GID)
	}
}
