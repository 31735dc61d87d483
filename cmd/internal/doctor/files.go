package doctor

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/versions"
)

// configuration looks for settings that are allowed and unwise.
func (c *checkup) configuration(context.Context) {
	if host, _, err := net.SplitHostPort(c.Config.HTTP.Listen); err == nil {
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			c.warn("set [http] listen to 127.0.0.1:PORT unless others on the network must update this device", "the HTTP API listens on %s, beyond this device", c.Config.HTTP.Listen)
		}
	}
	if c.Config.Legacy.AllowPostCmds {
		c.warn("remove [legacy] allow_post_cmds once no package needs it", "packages may run shell commands as root")
	}
}

// directories must be there, be directories, and be writable.
func (c *checkup) directories(context.Context) {
	p := c.Config.Paths
	for _, dir := range []struct {
		path   string
		needed bool
	}{{p.Versions, true}, {p.State, true}, {p.Shared, false}, {p.Services, false}, {p.Bin, false}, {p.Run, false}} {
		host, err := c.Root.Resolve(dir.path)
		if err != nil {
			c.fail("correct the path in the configuration", "%s: %s", dir.path, err)
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

func writable(dir string) bool { return unix.Access(dir, unix.W_OK) == nil }

// pointers must lead to versions; current to a whole one.
func (c *checkup) pointers(context.Context) {
	if !c.haveStore() {
		return
	}
	if c.atErr != nil {
		c.fail("check the file system", "%s", c.atErr)
		return
	}
	for _, p := range c.at.All() {
		c.pointer(p)
	}
	switch {
	case c.at.StrangeMarker != nil:
		c.warn("remove it, unless you know what it is for", "the marker of an update is not one of the updater's, and is ignored: %s", c.at.StrangeMarker)
	case c.at.Marked:
		c.warn("let the daemon finish the update, or run \"tope-updater recover --finish\"", "an update to %s is not committed yet; the way back leads to %s", orNone(c.at.Current), orNone(c.at.Marker))
	}
}

func (c *checkup) pointer(p look.Pointer) {
	if raw, strange := c.at.Strange[p.Name]; strange && raw == look.NotALink {
		c.fail("move it away; pointers are made by symlink and rename only", "%s: a file or directory has the pointer's place", p.Name)
		return
	} else if strange {
		c.fail("point it to a version by \"tope-updater rollback --to\", or remove it", "%s leads to %q, which is not a version", p.Name, raw)
		return
	}
	state, err := c.at.States[p.Version], c.at.Unreadable[p.Version]
	switch {
	case p.Version == "" && p.Name == versions.Current:
		c.warn("install a release", "there is no current version")
	case p.Version == "":
	case err != nil:
		c.fail("check the file system", "%s: %s", p.Name, err)
	case !state.Usable() && p.Name == versions.Current:
		c.fail("run \"tope-updater recover\"", "current leads to %s, which is %s", p.Version, state)
	case !state.Usable():
		c.fail("install that release again, or point elsewhere", "%s leads to %s, which is %s", p.Name, p.Version, state)
	default:
		c.pass("%s leads to %s (%s)", p.Name, p.Version, state)
	}
}

func orNone(version string) string {
	if version == "" {
		return "none"
	}
	return version
}

// installed looks at every version, and closely at the current one.
func (c *checkup) installed(context.Context) {
	if !c.haveStore() {
		return
	}
	if c.listErr != nil {
		c.fail("check the file system", "%s", c.listErr)
		return
	}
	for _, v := range c.versions {
		switch v.State {
		case versions.Damaged:
			c.warn("install that release again, or remove the directory", "version %s is damaged: %s", v.Version, v.Problem)
		case versions.Unverified:
			c.warn("install it from a package, so that it can be verified", "version %s was made by hand and has no manifest", v.Version)
		}
		for _, n := range look.StrayLinks(c.store, v.Version) {
			c.warn("remove it; pointers are replaced by symlink and rename, never by ln -sf", "version %s holds a stray link %s", v.Version, n)
		}
	}
	if c.atErr == nil && c.at.Current != "" {
		c.changed(c.at.Current)
	}
}

// changed looks for programs that write inside their version.
func (c *checkup) changed(version string) {
	odd, err := look.Changed(c.store, version)
	if err != nil {
		c.warn("check the file system", "cannot look through version %s: %s", version, err)
	}
	if len(odd) > 0 {
		text := strings.Join(odd[:min(len(odd), 5)], ", ")
		c.warn("list the directory in [paths] writable, so that it leads into the shared one", "%d files of version %s changed since it was published: %s", len(odd), version, text)
	}
}

// links must lead through current.
func (c *checkup) links(context.Context) {
	if !c.haveStore() || c.atErr != nil {
		return
	}
	_, all, err := look.Links(c.store)
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
	if !c.haveStore() || c.atErr != nil {
		return // pointers says why
	}
	version := c.at.Factory
	if version == "" {
		c.warn("run \"tope-updater factory create\" once a version has proved itself", "there is no factory version: when an update fails and cannot be rolled back, somebody has to come to the device")
		return
	}
	if state := c.at.States[version]; state != versions.Complete {
		c.warn("run \"tope-updater factory create "+version+"\"", "the factory version %s is %s: what is in it cannot be verified", version, state)
	}
	programs, problems, err := c.store.Startable(version)
	switch {
	case err != nil:
		c.fail("make another version the factory version", "the factory version %s: %s", version, err)
		return
	case len(problems) > 0:
		c.fail("run \"tope-updater factory create --replace VERSION\" with a version whose programs can be started", "%d programs of the factory version %s cannot be started, the first: %s", len(problems), version, problems[0])
	}
	tree, err := look.TreeAt(c.store.Path(version))
	switch w := tree.Writable; {
	case err != nil:
		c.fail("check the file system", "the factory version %s: %s", version, err)
	case w.Count > 0:
		c.warn("run \"tope-updater factory create --replace "+version+"\"", "%d files and directories of the factory version %s can be written, the first: %s", w.Count, version, w.First)
	case len(problems) == 0:
		c.pass("%s: %d programs that can be started, nothing can be written", version, programs)
	}
}
