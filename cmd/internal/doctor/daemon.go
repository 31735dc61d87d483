package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/platform/look"
)

// daemon should answer, and be ours, and be the only one that works on the versions.
func (c *checkup) daemon(context.Context) {
	if c.otherDaemon != 0 {
		c.pass("not asked: the daemon, process %d, runs with %s; %s is judged for the next one", c.otherDaemon, c.otherFile, c.ConfigFile)
		return
	}
	c.otherUpdater()
	switch err := c.socketErr; {
	case errors.Is(err, client.ErrNoDaemon) && c.bySystemd():
		c.fail(run("systemctl restart %s", daemonUnit), "nobody answers on %s: updates that are asked for over the API, or by other programs, get no answer", c.socketPath)
	case errors.Is(err, client.ErrNoDaemon) && c.ofAnotherSystem():
		c.pass("none runs: this is the tree of another system")
	case errors.Is(err, client.ErrNoDaemon):
		c.warn(say("start it: %s", c.updater("serve")), "no daemon runs; verbs do the work themselves")
	case errors.Is(err, fs.ErrPermission):
		c.warn(asRoot, "%s", err)
	case !c.socketOurs && c.socket.PID != 0:
		do := run("kill %d", c.socket.PID).then(c.restart())
		do.say = "if nobody needs it, end it"
		c.fail(do, "%s is answered by %s, which is not the updater", c.socketPath, c.socket)
	case err != nil:
		c.fail(c.restart(), "%s", err)
	default:
		if c.socket.PID == 0 {
			c.pass("it answers on %s", c.socketPath)
			return
		}
		c.pass("it answers on %s, process %d", c.socketPath, c.socket.PID)
		c.replaced()
	}
}

// replaced: an upgrade takes effect when the daemon starts again.
func (c *checkup) replaced() {
	program, err := look.ProgramOf(c.socket.PID)
	if err == nil && program.Deleted {
		c.warn(c.restart(), "the daemon still runs a program that has been replaced: %s", program.Path)
	}
}

// otherUpdater: two updaters with configurations of their own may share the versions.
func (c *checkup) otherUpdater() {
	if c.store == nil {
		return
	}
	all, _ := look.Lockers(c.store.Dir()) // it is there
	for _, p := range all {
		ours, err := c.Root.Resolve(c.Config.Paths.Journal())
		j, told := look.OpenNamed(p.PID, filepath.Base(ours))
		if p.PID == c.socket.PID || p.PID == os.Getpid() || err != nil || told && j.Path == ours || !told && c.socket.PID == 0 {
			continue // the daemon, this process, or a verb of this updater
		}
		text := p.String()
		if told {
			text += ", whose journal is " + j.Path
		}
		c.fail(run("kill %d", p.PID).then(c.restart()), "another updater works on %s: %s", c.Config.Paths.Versions, text)
	}
}
