package doctor

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/snapshot"
	"github.com/tope/updater/steps/running"
)

const (
	littleSpace  = 256 << 20
	goodSpace    = 2_000_000_000
	littleInodes = 5000
)

// space is needed before an update can begin.
func (c *checkup) space(context.Context) {
	for _, dir := range []string{c.Config.Paths.Versions, c.Config.Paths.State} {
		host, err := c.Root.Resolve(dir)
		if err != nil {
			continue
		}
		free, err := disk.Available(host)
		if err != nil {
			continue // directories says why
		}
		switch {
		case free.Bytes < littleSpace:
			c.warn("run \"tope-updater prune --keep 0\", or make room", "%s has %s left", dir, human.Bytes(int64(free.Bytes)))
		case free.Inodes < littleInodes:
			c.warn("remove files that are not needed", "%s has %d inodes left", dir, free.Inodes)
		case free.Bytes < goodSpace:
			c.warn("make room before a large release comes", "%s has %s left; 2 GB are recommended", dir, human.Bytes(int64(free.Bytes)))
		default:
			c.pass("%s has %s left", dir, human.Bytes(int64(min(free.Bytes, 1<<62))))
		}
	}
	c.cloning()
}

// cloning tells how much the snapshots that installed versions ask for will cost.
func (c *checkup) cloning() {
	if c.store == nil {
		return
	}
	var asks []string
	for _, v := range c.versions {
		if _, paths, err := running.Owes(c.store, "", v.Version); err == nil && len(paths) > 0 {
			asks = append(asks, v.Version)
		}
	}
	if len(asks) == 0 {
		return
	}
	shared, err := c.Root.Resolve(c.Config.Paths.Shared)
	if err != nil {
		return // directories says why
	}
	who := strings.Join(asks, ", ")
	if snapshot.CanClone(shared) {
		c.pass("snapshots for version %s cost no space and next to no time: %s can reflink", who, c.Config.Paths.Shared)
		return
	}
	c.warn("put it on btrfs, or on xfs with reflink, if its data is large", "snapshots for version %s are copied while the services are stopped: %s cannot reflink", who, c.Config.Paths.Shared)
}

// journal must be readable and whole.
func (c *checkup) journal(context.Context) {
	r, err := c.Journal()
	switch {
	case errors.Is(err, journal.ErrMissing):
		c.warn("start the daemon; if it ran before, its partition may not be mounted", "there is no journal yet")
		return
	case errors.Is(err, fs.ErrPermission):
		c.warn(asRoot, "cannot be read: %s", err)
		return
	case err != nil:
		c.fail("start the daemon: it keeps a damaged journal aside and starts a fresh one", "%s", err)
		return
	}
	defer func() { _ = r.Close() }()
	report, err := r.Verify()
	switch {
	case err != nil:
		c.fail("start the daemon: it keeps a damaged journal aside and starts a fresh one", "%s", err)
	case !report.OK():
		c.fail("start the daemon: it keeps a damaged journal aside and starts a fresh one", "%d problems, the first: %s", len(report.Problems), report.Problems[0].Text)
	default:
		c.pass("%d records, all in order", report.Records)
	}
	st := r.State()
	if d := st.Damage; d != nil {
		c.warn("read \"tope-updater journal show --all\"", "a journal was damaged on %s: %s", d.Time.UTC().Format(time.DateOnly), d.Text)
	}
	if u := st.Last; u != nil && u.State == "NeedsAttention" {
		c.fail("read \"tope-updater journal show\", then install a good release", "update %s left the device in need of attention", u.ID)
	}
	for _, q := range st.Quarantine {
		c.warn("install it with --retry to try again all the same", "release %s (%s) is in quarantine: %s", q.Version, q.Digest, q.Reason)
	}
}

// asRoot is the advice for things that only root may look at.
const asRoot = "run doctor as root"

// time is needed for https and for the trust window.
func (c *checkup) time(context.Context) {
	now := c.Clock.Now()
	if r, err := c.Journal(); err == nil {
		defer func() { _ = r.Close() }()
		if recs, err := r.Records(""); err == nil && len(recs) > 0 && recs[len(recs)-1].Time.After(now.Add(time.Minute)) {
			c.warn("set the clock, or let an NTP client do it", "the clock says %s, but the journal has a record of %s", now.UTC().Format(time.RFC3339), recs[len(recs)-1].Time.UTC().Format(time.RFC3339))
			return
		}
	}
	if now.Year() < 2025 {
		c.warn("set the clock, or let an NTP client do it: https needs it", "the clock says %s", now.UTC().Format(time.RFC3339))
		return
	}
	c.pass("it is %s", now.UTC().Format(time.RFC3339))
}

// daemon should answer.
func (c *checkup) daemon(ctx context.Context) {
	socket, err := c.Root.Resolve(c.Config.Paths.Socket())
	if err != nil {
		return
	}
	api := client.Socket(socket)
	defer api.Close()
	switch err := api.Alive(ctx); {
	case errors.Is(err, client.ErrNoDaemon):
		start := "tope-updater serve"
		if _, ok := c.manager.(service.UnitReader); ok {
			start = "systemctl start tope-updater"
		}
		c.warn("start it: "+start, "no daemon runs; verbs do the work themselves")
	case errors.Is(err, fs.ErrPermission):
		c.warn(asRoot, "%s", err)
	case err != nil:
		c.fail("restart it", "%s", err)
	default:
		c.pass("it answers on %s", socket)
	}
}
