package bundle

import (
	"fmt"
	"strings"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Unsigned says what releases may bring beside their files when no signature was checked:
// legacy packages, and native releases on a device without keys or with allow_unsigned.
// What is not named here runs as root in nobody's name. The zero value allows nothing.
type Unsigned struct {
	// Units are unit files, Hooks programs that the updater runs, Commands the post_cmds
	// of legacy packages and health checks that are commands, and Updater an updater that
	// takes this one's place.
	Units, Hooks, Commands, Updater bool
}

// Carried is what Check wants to know of a release's files.
type Carried struct {
	// Units are the names of the unit files that would be put into effect.
	Units []string
	// Updater says that the release has an updater.
	Updater bool
}

// ownProgram is the updater in a release.
const ownProgram = "bin/" + versions.Updater

// Add notes the file or link of that path. units says that unit files count.
func (c *Carried) Add(path string, units bool) {
	if name, ok := strings.CutPrefix(path, unitfiles.Dir+"/"); ok && units {
		c.Units = append(c.Units, name)
	}
	c.Updater = c.Updater || path == ownProgram
}

// CarriedIn looks through the entries of a bundle.
func CarriedIn(b Bundle, units bool) (c Carried, err error) {
	for e, err := range b.Entries() {
		if err != nil {
			return Carried{}, err
		}
		if e.Type != Dir {
			c.Add(e.Path, units)
		}
	}
	return c, nil
}

// Kinds are the words of [trust] unsigned_brings without which a device refuses the
// release when no signature vouches for it.
func Kinds(r Release, c Carried) (kinds []string) {
	for _, k := range []struct {
		word   string
		brings bool
	}{
		{"units", len(c.Units) > 0},
		{"hooks", len(r.Brought.Hooks) > 0},
		{"commands", len(r.Commands) > 0 || commandChecks(r) > 0},
		{"updater", c.Updater},
	} {
		if k.brings {
			kinds = append(kinds, k.word)
		}
	}
	return kinds
}

// commandChecks counts the health checks that are commands.
func commandChecks(r Release) (n int) {
	for _, h := range r.Brought.Health {
		if h.Kind == health.Command {
			n++
		}
	}
	return n
}

// Check refuses a release that brings what it may not.
func (u Unsigned) Check(r Release, c Carried) error {
	if err := CheckCommands(r, u.Commands); err != nil || r.SignedBy != "" {
		return err
	}
	commands := commandChecks(r)
	switch {
	case len(c.Units) > 0 && !u.Units:
		return nobodys(r, "units", counted(len(c.Units), "unit file")+", such as "+c.Units[0]+", to be run as root")
	case len(r.Brought.Hooks) > 0 && !u.Hooks:
		return nobodys(r, "hooks", counted(len(r.Brought.Hooks), "hook")+" to be run as root")
	case commands > 0 && !u.Commands:
		return nobodys(r, "commands", counted(commands, "health command")+" to be run as root")
	case c.Updater && !u.Updater:
		return nobodys(r, "updater", "an updater ("+ownProgram+"), which would replace this one and run as root")
	}
	return nil
}

// counted is a number of things, such as "1 hook" and "2 hooks".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func nobodys(r Release, kind, what string) error {
	return &steps.Error{
		Class: steps.Refused, Code: steps.BadSignature,
		Err: fmt.Errorf("release %s brings %s, and no key of this device vouches for it", r.Version, what),
		Hint: fmt.Sprintf("put the publisher's key into /etc/tope-updater/keys (and sign the release, if it is not signed), "+
			"or set unsigned_brings = [%q] under [trust] in the configuration", kind),
	}
}
