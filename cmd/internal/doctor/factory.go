package doctor

import (
	"context"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/versions"
)

// makeFactory makes the current version the factory version.
func (c *checkup) makeFactory() advice {
	if c.at.Current == "" {
		return say("run \"tope-updater factory create\" once a version has proved itself")
	}
	verb := "factory create "
	if _, strange := c.at.Strange[versions.Factory]; strange || c.at.Factory != "" {
		verb += "--replace "
	}
	do := c.updater(verb + c.at.Current)
	do.say = "once the current version has proved itself"
	return do
}

// factory is the last resort: it must be there and be able to run. The next update
// does not need it, so nothing of it fails.
func (c *checkup) factory(context.Context) {
	if !c.haveStore() || c.atErr != nil {
		return // pointers says why
	}
	version := c.at.Factory
	if version == "" {
		if _, strange := c.at.Strange[versions.Factory]; !strange {
			c.warn(c.makeFactory(), "there is no factory version: when an update fails and cannot be rolled back, somebody has to come to the device")
		}
		return
	}
	again := c.updater("factory create --replace " + version)
	if state := c.at.States[version]; state == versions.Unverified {
		c.warn(again, "the factory version %s is %s: what is in it cannot be verified", version, state)
	} else if !state.Usable() {
		return // pointers says so
	}
	programs, problems, err := c.store.Startable(version)
	switch {
	case err != nil:
		c.warn(c.makeFactory(), "the factory version %s: %s", version, err)
		return
	case len(problems) > 0:
		c.warn(c.anotherFactory(version), "%d programs of the factory version %s cannot be started, the first: %s", len(problems), version, problems[0])
	}
	tree, err := look.TreeAt(c.store.Path(version))
	switch w := tree.Writable; {
	case err != nil:
		c.warn(say("check the file system"), "the factory version %s: %s", version, err)
	case w.Count > 0:
		c.warn(again, "%d files and directories of the factory version %s can be written, the first: %s", w.Count, version, w.First)
	case len(problems) == 0:
		c.pass("%s: %d programs that can be started, nothing can be written", version, programs)
	}
}

// anotherFactory is a version that can be the factory version in place of this one.
func (c *checkup) anotherFactory(version string) advice {
	for _, v := range append([]string{c.at.Current, c.at.Previous}, versionsOf(c.versions)...) {
		if _, problems, err := c.store.Startable(v); v != version && v != "" && err == nil && len(problems) == 0 {
			return c.updater("factory create --replace " + v)
		}
	}
	return say("install a release whose programs can be started, and run \"tope-updater factory create --replace\"")
}

func versionsOf(all []versions.Info) (names []string) {
	for _, v := range all {
		if v.State.Usable() {
			names = append(names, v.Version)
		}
	}
	return names
}
