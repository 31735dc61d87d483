package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/look"
)

// history: the journal must be there, be whole, and be the daemon's.
func (c *checkup) history(context.Context) {
	c.lockers()
	c.daemonsJournal()
	asideAndNew := c.restart()
	asideAndNew.say = "the daemon keeps a damaged journal aside and starts a fresh one"
	switch {
	case errors.Is(c.pastErr, journal.ErrMissing):
		do := c.restart()
		do.say = "mount its partition if there was one before; else the daemon makes one"
		c.judged(c.updatedBefore() || c.daemonAnswers(), do, "there is no journal")
		return
	case errors.Is(c.pastErr, fs.ErrPermission):
		c.warn(asRoot, "cannot be read: %s", c.pastErr)
		return
	case c.pastErr != nil:
		c.fail(asideAndNew, "%s", c.pastErr)
		return
	}
	report, err := c.past.Verify()
	switch {
	case err != nil:
		c.fail(asideAndNew, "%s", err)
	case !report.OK():
		c.fail(asideAndNew, "%d problems, the first: %s", len(report.Problems), report.Problems[0].Text)
	default:
		c.pass("%d records, all in order%s", report.Records, lost(c.fold().Damage))
	}
	st := c.fold()
	if u := st.Last; u != nil && u.State == "NeedsAttention" {
		c.fail(say("read \"tope-updater journal show\", then install a good release"), "update %s left the device in need of attention", u.ID)
	}
}

// lost tells of a journal before this one. Nothing is left to be done about it, unless
// it happens again and again: then the disk is failing.
func lost(d *journal.Damage) string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf("; before it, a journal was damaged on %s: %s", d.Time.UTC().Format(time.DateOnly), d.Text)
}

// daemonsJournal: what the daemon writes must be the file that the next start reads.
func (c *checkup) daemonsJournal() {
	host, err := c.Root.Resolve(c.Config.Paths.Journal())
	if err != nil || !c.daemonAnswers() || c.socket.PID == 0 {
		return
	}
	f, ok := look.OpenNamed(c.socket.PID, filepath.Base(host))
	switch {
	case !ok: // it opens its journal again, or must not be looked at
	case f.Deleted:
		c.fail(c.restart(), "the journal that the daemon writes has been deleted or replaced: what it does is forgotten at its next start")
	case f.Path != host:
		c.fail(c.restart(), "the journal that the daemon writes has been moved to %s", f.Path)
	}
}

// lockers: who else holds the journal's lock keeps the updater from working.
func (c *checkup) lockers() {
	host, err := c.Root.Resolve(c.Config.Paths.Journal())
	if err != nil {
		return
	}
	all, _ := look.Lockers(host) // a missing one is told elsewhere
	if len(all) > 0 {
		time.Sleep(lockGlance) // a reader holds it for an instant
		all, _ = look.Lockers(host)
	}
	for _, p := range all {
		if p.PID == c.socket.PID || p.PID == os.Getpid() || c.isProcessOurs(p.PID) {
			continue
		}
		do := c.letGo(host, p)
		if !c.daemonAnswers() && c.bySystemd() {
			do = do.then(run("systemctl reset-failed %s && systemctl restart %s", daemonUnit, daemonUnit))
		}
		c.fail(do, "the journal is locked by %s, so no updater can write it", p)
	}
}

// letGo ends the processes that keep a lock on a file: children share the lock of the one
// that has taken it.
func (c *checkup) letGo(host string, taker look.Process) advice {
	do := run("kill")
	for _, p := range look.Openers(host) {
		if !c.isProcessOurs(p.PID) {
			do.run += fmt.Sprintf(" %d", p.PID)
		}
	}
	if do.run == "kill" {
		return run("kill %d", taker.PID)
	}
	return do
}

// lockGlance is longer than a reader needs the lock for.
const lockGlance = 100 * time.Millisecond

// quarantine lists nothing by itself: it can hold many releases.
func (c *checkup) quarantine(context.Context) {
	st := c.fold()
	if st == nil || len(st.Quarantine) == 0 {
		return
	}
	last := st.Quarantine[len(st.Quarantine)-1]
	do := c.updater("quarantine clear --all")
	do.say = "\"install --retry\" tries one all the same; to let all try again"
	many := "1 release is in quarantine"
	if n := len(st.Quarantine); n > 1 {
		many = fmt.Sprintf("%d releases are in quarantine, the newest", n)
	}
	c.warn(do, "%s: %s (%s): %s", many, last.Version, last.Digest, last.Reason)
}
