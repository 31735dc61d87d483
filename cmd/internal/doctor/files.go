package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// configuration looks for settings that are allowed and unwise.
func (c *checkup) configuration(context.Context) {
	if c.Config.HTTP.Open() {
		c.fail(say("correct http.listen in the configuration"), "%s", c.Config.HTTP.OpenText())
	}
	if kinds := c.Config.Trust.UnsignedBrings; len(kinds) > 0 {
		c.warn(say("remove unsigned_brings from [trust] once every release is signed"), "releases that nobody has signed may bring %s, which run as root", strings.Join(kinds, ", "))
	}
	if c.Config.Legacy.AllowPostCmds {
		c.warn(say("remove [legacy] allow_post_cmds once no package needs it"), "packages may run shell commands as root")
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
			c.fail(say("correct the path in the configuration"), "%s: %s", dir.path, err)
			continue
		}
		info, err := os.Stat(host)
		switch {
		case errors.Is(err, fs.ErrNotExist) && dir.needed:
			// The first update makes it. A device that was updated has lost it.
			c.judged(c.updatedBefore(), say("mount its partition if it should be there; else the first update makes it"), "%s is missing", dir.path)
		case errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, fs.ErrPermission):
			c.warn(asRoot, "%s", err)
		case err != nil:
			c.fail(say("check the file system"), "%s", err)
		case !info.IsDir():
			c.fail(aside(host).then(run("mkdir -p %s", quote(host))), "%s is not a directory", dir.path)
		case dir.needed && errors.Is(unix.Access(host, unix.W_OK), unix.EACCES):
			c.warn(asRoot, "%s cannot be written", dir.path) // a read-only one is told by filesystems
		}
	}
}
