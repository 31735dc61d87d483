package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/filecaps"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/versions"
)

// installed looks at every version, and closely at the current one.
func (c *checkup) installed(context.Context) {
	if !c.haveStore() {
		return
	}
	if c.listErr != nil {
		c.fail(say("check the file system"), "%s", c.listErr)
		return
	}
	for _, v := range c.versions {
		switch v.State {
		case versions.Damaged:
			do := say("install that release again")
			if len(v.Pointers) == 0 {
				do = c.updater("prune")
			}
			c.warn(do, "version %s is damaged: %s", v.Version, v.Problem)
		case versions.Unverified:
			c.warn(say("install it from a package, so that it can be verified"), "version %s was made by hand and has no manifest", v.Version)
		}
		c.stray(v.Version)
		if v.State == versions.Complete {
			c.rights(v.Version)
		}
	}
	if c.atErr == nil && c.at.Current != "" {
		c.changed(c.at.Current)
	}
}

// stray looks for links that an "ln -sf" over a pointer has put into a version.
func (c *checkup) stray(version string) {
	for _, n := range look.StrayLinks(c.store, version) {
		dir := c.store.Path(version)
		do := run("rm %s", quote(filepath.Join(dir, n)))
		if m, err := c.store.Manifest(version); err == nil && slices.ContainsFunc(m.Files, func(f versions.File) bool { return f.Path == n }) {
			// It was sealed in by an updater that did not look; the manifest is made anew.
			do.run += " && rm " + quote(filepath.Join(dir, versions.ManifestName))
			do = do.then(c.updater("factory create --replace " + version))
		}
		do.say = "pointers are replaced by symlink and rename, never by ln -sf; remove it"
		c.warn(do, "version %s holds a stray link %s", version, n)
	}
}

// changed looks for programs that write inside their version.
func (c *checkup) changed(version string) {
	odd, err := look.Changed(c.store, version)
	if err != nil {
		c.warn(say("check the file system"), "cannot look through version %s: %s", version, err)
	}
	if len(odd) > 0 {
		text := strings.Join(odd[:min(len(odd), 5)], ", ")
		c.warn(say("list the directory in [paths] writable, so that it leads into the shared one"), "%d files of version %s changed since it was published: %s", len(odd), version, text)
	}
}

// rights looks for files that may be read by others, or may do other things, than when
// the version was published: whoever copies a version without its capabilities, or
// makes a program setuid, changes what it is.
func (c *checkup) rights(version string) {
	problems, err := c.store.Compare(version)
	if err != nil {
		c.warn(say("check the file system"), "cannot compare version %s with its manifest: %s", version, err)
		return
	}
	problems = slices.DeleteFunc(problems, func(p versions.Problem) bool { return !p.Rights })
	if len(problems) > 0 {
		c.warn(c.asPublished(version, problems), "%d files of version %s are not as they were published, the first: %s", len(problems), version, problems[0])
	}
}

// asPublished gives files the rights that the manifest says.
func (c *checkup) asPublished(version string, problems []versions.Problem) advice {
	const most = 20
	m, err := c.store.Manifest(version)
	if err != nil || len(problems) > most {
		return say("see them all with %s, and install the release again", c.updater("versions --verify "+version).run)
	}
	var commands []string
	for _, p := range problems {
		host := filepath.Join(c.store.Path(version), p.Path)
		f := versions.File{Mode: 0o555} // the version's own directory
		if i := slices.IndexFunc(m.Files, func(f versions.File) bool { return f.Path == p.Path }); i >= 0 {
			f = m.Files[i]
		}
		have, err := filecaps.Of(host)
		switch {
		case !f.Capabilities.None():
			commands = append(commands, fmt.Sprintf("setcap %s %s", quote(f.Capabilities.String()), quote(host)))
		case err != nil || !have.None():
			commands = append(commands, "setcap -r "+quote(host))
		}
		commands = append(commands, fmt.Sprintf("chmod %04o %s", f.Mode, quote(host)))
	}
	do := run("%s", strings.Join(commands, " && "))
	do.say = "find out who changed them, and change them back"
	return do
}
