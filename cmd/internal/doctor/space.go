package doctor

import (
	"context"
	"strings"

	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/snapshot"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/download"
	"github.com/tope/updater/steps/running"
)

// What is left on a disk, in bytes and inodes.
const (
	leastSpace   = 16 << 20 // less, and not even a journal and a small bundle fit
	littleSpace  = 256 << 20
	goodSpace    = 2_000_000_000
	leastInodes  = 200
	littleInodes = 5000
)

// space is needed before an update can begin: room for a version such as the current
// one. What an update would remove to make room counts as free.
func (c *checkup) space(context.Context) {
	need, spare := c.nextVersion()
	for _, dir := range []struct {
		path         string
		bytes, spare uint64
		inodes       uint64
	}{
		{c.Config.Paths.Versions, need.Bytes, spare, need.Inodes},
		{c.Config.Paths.State, leastSpace + c.reserve(), 0, leastInodes},
	} {
		host, err := c.Root.Resolve(dir.path)
		if err != nil {
			continue
		}
		free, err := disk.Available(host)
		if err != nil {
			continue // directories says why
		}
		left := human.Bytes(int64(min(free.Bytes, 1<<62)))
		switch {
		case free.Bytes+dir.spare < dir.bytes:
			c.fail(c.room(host, dir.spare), "%s has %s left, and the next update needs about %s", dir.path, left, human.Bytes(int64(dir.bytes)))
		case free.Inodes < dir.inodes:
			c.fail(say("remove files that are not needed"), "%s has %d inodes left, and the next update needs about %d", dir.path, free.Inodes, dir.inodes)
		case free.Bytes < littleSpace:
			c.warn(c.room(host, dir.spare), "%s has %s left", dir.path, left)
		case free.Inodes < littleInodes:
			c.warn(say("remove files that are not needed"), "%s has %d inodes left", dir.path, free.Inodes)
		case free.Bytes < goodSpace:
			c.warn(say("make room before a large release comes"), "%s has %s left; 2 GB are recommended", dir.path, left)
		default:
			c.pass("%s has %s left", dir.path, left)
		}
	}
	c.cloning()
}

// reserve is what downloads leave free on the file system of the state directory.
func (c *checkup) reserve() uint64 {
	if r := c.Config.Download.Reserve; r > 0 {
		return uint64(r)
	}
	host, err := c.Root.Resolve(c.Config.Paths.State)
	if err != nil {
		return 0
	}
	r, err := download.DefaultReserve(host)
	if err != nil {
		return 0 // directories says why
	}
	return r
}

// nextVersion is what a version such as the current one needs, and how much of the disk
// versions have that nothing needs.
func (c *checkup) nextVersion() (need disk.Space, spare uint64) {
	need = disk.Space{Bytes: leastSpace, Inodes: leastInodes}
	for _, v := range c.versions {
		switch {
		case v.Version == c.at.Current:
			need.Bytes += uint64(v.Bytes)
			need.Inodes += uint64(v.Files)
		case len(v.Pointers) == 0 && v.State == versions.Complete:
			spare += uint64(v.Bytes)
		}
	}
	return need, spare
}

// room is how to make room: what the updater itself can remove, else what is large.
func (c *checkup) room(host string, spare uint64) advice {
	if spare > 0 {
		return c.updater("prune --keep 0")
	}
	skip := ""
	if c.store != nil {
		skip = c.store.Dir()
	}
	if path, size := look.Largest(host, skip); size > leastSpace {
		return say("remove what is not needed; the largest file on that disk, outside the versions, is %s (%s)", path, human.Bytes(size))
	}
	return say("remove what is not needed, or give it a larger disk")
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
	c.warn(say("put it on btrfs, or on xfs with reflink, if its data is large"), "snapshots for version %s are copied while the services are stopped: %s cannot reflink", who, c.Config.Paths.Shared)
}
