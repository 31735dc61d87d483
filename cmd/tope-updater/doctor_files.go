package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/tope/updater/platform/versions"
)

// configuration looks for settings that are allowed and unwise.
func (c *checkup) configuration(context.Context) {
	if host, _, err := net.SplitHostPort(c.cfg.HTTP.Listen); err == nil {
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			c.warn("set [http] listen to 127.0.0.1:PORT unless others on the network must update this device", "the HTTP API listens on %s, beyond this device", c.cfg.HTTP.Listen)
		}
	}
	if c.cfg.Legacy.AllowPostCmds {
		c.warn("remove [legacy] allow_post_cmds once no package needs it", "packages may run shell commands as root")
	}
}

// directories must be there, be directories, and be writable.
func (c *checkup) directories(context.Context) {
	p := c.cfg.Paths
	for _, dir := range []struct {
		path   string
		needed bool
	}{{p.Versions, true}, {p.State, true}, {p.Shared, false}, {p.Services, false}, {p.Bin, false}, {p.Run, false}} {
		host, err := c.root.Resolve(dir.path)
		if err != nil {
			c.fail("mend the path in the configuration", "%s: %s", dir.path, err)
			continue
		}
		info, err := os.Stat(host)
		switch {
		case errors.Is(err, fs.ErrNotExist) && dir.needed:
			c.warn("it is made by the first update; mount its partition if it should be there", "%s is missing", dir.path)
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			c.fail("check the file system", "%s", err)
		case !info.IsDir():
			c.fail("move it away", "%s is not a directory", dir.path)
		case dir.needed && !writable(host):
			c.fail("run doctor as root, or remount the partition read-write", "%s cannot be written", dir.path)
		}
	}
}

// pointers must lead to versions; current to a whole one.
func (c *checkup) pointers(context.Context) {
	if !c.storeOpen() {
		return
	}
	all, err := c.store.Pointers()
	if err != nil {
		c.fail("check the file system", "%s", err)
		return
	}
	for _, p := range []struct{ name, at string }{{versions.Current, all.Current}, {versions.Previous, all.Previous}, {versions.Factory, all.Factory}} {
		c.pointer(p.name, p.at)
	}
	if old, there, err := c.store.Marker(); err == nil && there {
		c.warn("let the daemon finish the update, or run \"tope-updater recover --finish\"", "an update to %s is not committed yet; the way back leads to %s", orNone(all.Current), orNone(old))
	}
}

func (c *checkup) pointer(name, at string) {
	raw, there, err := c.store.Raw(name)
	switch {
	case err != nil:
		c.fail("move it away; pointers are made by symlink and rename only", "%s: %s", name, err)
		return
	case there && at == "":
		c.fail("point it to a version by \"tope-updater rollback --to\", or remove it", "%s leads to %q, which is no version", name, raw)
		return
	case !there && name == versions.Current:
		c.warn("install a release", "there is no current version")
		return
	case !there:
		return
	}
	state, err := c.store.State(at)
	switch {
	case err != nil:
		c.fail("check the file system", "%s: %s", name, err)
	case !state.Usable() && name == versions.Current:
		c.fail("run \"tope-updater recover\"", "current leads to %s, which is %s", at, state)
	case !state.Usable():
		c.fail("install that release again, or point elsewhere", "%s leads to %s, which is %s", name, at, state)
	default:
		c.pass("%s leads to %s (%s)", name, at, state)
	}
}

// installed looks at every version, and closely at the current one.
func (c *checkup) installed(context.Context) {
	if !c.storeOpen() {
		return
	}
	all, err := c.store.List()
	if err != nil {
		c.fail("check the file system", "%s", err)
		return
	}
	for _, v := range all {
		switch v.State {
		case versions.Damaged:
			c.warn("install that release again, or remove the directory", "version %s is damaged: %s", v.Version, v.Problem)
		case versions.Unverified:
			c.warn("install it from a package, so that it can be verified", "version %s was made by hand and has no manifest", v.Version)
		}
		// "ln -sf v1.0.0 current" over a pointer makes a link inside the version.
		for _, n := range strays(c.store.Path(v.Version)) {
			c.warn("remove it; pointers are replaced by symlink and rename, never by ln -sf", "version %s holds a stray link %s", v.Version, n)
		}
	}
	if p, err := c.store.Pointers(); err == nil && p.Current != "" {
		c.changed(p.Current)
	}
}

// changed looks for programs that write inside their version, by what it costs
// to look: names, sizes and modes, no content.
func (c *checkup) changed(version string) {
	m, err := c.store.Manifest(version)
	if err != nil {
		return
	}
	known := map[string]versions.File{}
	for _, f := range m.Files {
		known[f.Path] = f
	}
	dir := c.store.Path(version)
	var odd []string
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == "." || rel == versions.ManifestName {
			return err
		}
		f, ok := known[rel]
		info, err := e.Info()
		switch {
		case err != nil:
			return err
		case !ok:
			odd = append(odd, rel+" is new")
		case f.Type == versions.TypeFile && info.Size() != f.Size:
			odd = append(odd, rel+" has another size")
		}
		return nil
	})
	if err != nil {
		c.warn("check the file system", "cannot look through version %s: %s", version, err)
	}
	if len(odd) > 0 {
		text := strings.Join(odd[:min(len(odd), 5)], ", ")
		c.warn("list the directory in [paths] writable, so that it leads into the shared one", "%d files of version %s changed since it was published: %s", len(odd), version, text)
	}
}

// strays are symlinks in a version's top directory that bear a version's name.
func strays(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		name, v := strings.CutPrefix(e.Name(), "v")
		if v && e.Type()&fs.ModeSymlink != 0 && versions.ValidVersion(name) == nil {
			found = append(found, e.Name())
		}
	}
	return found
}

// links must lead through current.
func (c *checkup) links(context.Context) {
	if !c.storeOpen() {
		return
	}
	p, err := c.store.Pointers()
	if err != nil || p.Current == "" {
		return
	}
	all, err := c.store.Links(p.Current)
	if err != nil {
		c.fail("check the file system", "%s", err)
		return
	}
	for _, l := range all {
		switch l.State {
		case versions.LinkMissing:
			c.warn("run \"tope-updater links\"", "%s is missing; it should lead to %s", l.Path, l.Target)
		case versions.LinkBlocked:
			c.fail("move it away, then run \"tope-updater links\"", "%s is not a link to %s", l.Path, l.Target)
		}
	}
}

// factory is the last resort: it must be there and be able to run.
func (c *checkup) factory(context.Context) {
	if !c.storeOpen() {
		return
	}
	p, err := c.store.Pointers()
	if err != nil {
		return // said by pointers
	}
	if p.Factory == "" {
		c.warn("run \"tope-updater factory create\" once a version has proved itself", "there is no factory version: an update that fails with no way back needs somebody to come")
		return
	}
	if state, err := c.store.State(p.Factory); err != nil || state != versions.Complete {
		c.warn("run \"tope-updater factory create "+p.Factory+"\"", "the factory version %s is %s: what is in it cannot be verified", p.Factory, state)
	}
	programs, problems, err := c.store.Startable(p.Factory)
	switch {
	case err != nil:
		c.fail("make another version the factory version", "the factory version %s: %s", p.Factory, err)
		return
	case len(problems) > 0:
		c.fail("run \"tope-updater factory create --replace VERSION\" with a version whose programs can be started", "%d programs of the factory version %s cannot be started, the first: %s", len(problems), p.Factory, problems[0])
	}
	count, first, err := writableFiles(c.store.Path(p.Factory))
	switch {
	case err != nil:
		c.fail("check the file system", "the factory version %s: %s", p.Factory, err)
	case count > 0:
		c.warn("run \"tope-updater factory create --replace "+p.Factory+"\"", "%d files and directories of the factory version %s can be written, the first: %s", count, p.Factory, first)
	case len(problems) == 0:
		c.pass("%s: %d programs that can be started, nothing can be written", p.Factory, programs)
	}
}

// storeOpen opens the versions directory unless it is missing: looking must
// not make it.
func (c *checkup) storeOpen() bool {
	if c.store != nil {
		return true
	}
	host, err := c.root.Resolve(c.cfg.Paths.Versions)
	if err == nil {
		_, err = os.Stat(host)
	}
	if err == nil {
		err = c.openStore(false)
	}
	if err != nil {
		c.store = nil
		c.warn("install a release, or mount the partition", "cannot look at the versions: %s", err)
	}
	return err == nil
}
