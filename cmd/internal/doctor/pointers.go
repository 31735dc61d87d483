package doctor

import (
	"context"
	"path/filepath"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/versions"
)

// pointers must lead to versions; current to a whole one, and to the one that the
// journal left the device on.
func (c *checkup) pointers(context.Context) {
	if !c.haveStore() {
		return
	}
	if c.atErr != nil {
		c.fail(say("check the file system"), "%s", c.atErr)
		return
	}
	c.current()
	c.earlier(versions.Previous, c.at.Previous, c.updater("links --pointers"))
	c.earlier(versions.Factory, c.at.Factory, c.makeFactory())
	switch {
	case c.at.StrangeMarker != nil:
		c.warn(aside(filepath.Join(c.store.Dir(), ".uncommitted")), "the marker of an update is not one of the updater's, and is ignored: %s", c.at.StrangeMarker)
	case c.at.Marked && c.daemonAnswers():
		c.warn(say("the daemon is at it: %s", c.updater("watch")), "an update to %s is not committed yet; the way back leads to %s", orNone(c.at.Current), orNone(c.at.Marker))
	case c.at.Marked:
		c.warn(c.updater("recover --finish"), "an update to %s is not committed yet; the way back leads to %s", orNone(c.at.Current), orNone(c.at.Marker))
	}
}

// current decides what the device runs.
func (c *checkup) current() {
	if raw, strange := c.at.Strange[versions.Current]; strange {
		repair := aside(filepath.Join(c.store.Dir(), versions.Current)).then(c.restart())
		if raw == look.NotALink {
			c.fail(repair, "current: a file or directory has the pointer's place; pointers are made by symlink and rename only")
			return
		}
		c.fail(repair, "current leads to %q, which is not a version", raw)
		return
	}
	version, last := c.at.Current, c.committed()
	state, err := c.at.States[version], c.at.Unreadable[version]
	switch {
	case version == "" && len(c.versions) == 0:
		c.warn(say("install a release"), "there is no current version")
	case version == "":
		c.fail(c.restart(), "there is no current version, so no service can be started")
	case err != nil:
		c.fail(say("check the file system"), "current: %s", err)
	case !state.Usable():
		c.fail(c.restart(), "current leads to %s, which is %s", version, state)
	case last != "" && last != version && !c.at.Marked:
		c.fail(c.back(last), "current leads to %s, but the last update left the device on %s", version, last)
	default:
		c.pass("current leads to %s (%s)", version, state)
	}
}

// back is how the device gets to the version that the journal knows as good.
func (c *checkup) back(version string) advice {
	if state, err := c.store.State(version); err != nil || !state.Usable() {
		return say("install release %s again, or run \"tope-updater rollback --to %s\" if that is to stay", version, c.at.Current)
	}
	return c.updater("rollback --to " + version)
}

// earlier is a pointer that the next update does not need: previous or factory.
func (c *checkup) earlier(name, version string, set advice) {
	raw, strange := c.at.Strange[name]
	state, err := c.at.States[version], c.at.Unreadable[version]
	switch {
	case raw == look.NotALink:
		c.warn(aside(filepath.Join(c.store.Dir(), name)).then(set), "%s: a file or directory has the pointer's place; pointers are made by symlink and rename only", name)
	case strange:
		c.warn(set, "%s leads to %q, which is not a version", name, raw)
	case version == "":
	case err != nil:
		c.warn(say("check the file system"), "%s: %s", name, err)
	case !state.Usable():
		c.warn(set, "%s leads to %s, which is %s", name, version, state)
	default:
		c.pass("%s leads to %s (%s)", name, version, state)
	}
}

func orNone(version string) string {
	if version == "" {
		return "none"
	}
	return version
}
