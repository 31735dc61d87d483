package doctor

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/versions"
)

// mounts looks for file systems and mount options with which an update cannot work,
// or a power cut may lose or tear the updater's data.
func (c *checkup) mounts(context.Context) {
	p := c.Config.Paths
	var seen []string
	for _, dir := range []string{p.Versions, p.State, p.Bin, p.Services, p.Shared} {
		host, err := c.Root.Resolve(dir)
		if err != nil {
			continue // directories says why
		}
		m, err := disk.MountOf(host)
		if err != nil || slices.Contains(seen, m.Point) {
			continue
		}
		seen = append(seen, m.Point)
		before := len(c.findings)
		c.fileSystem(m, dir)
		c.mountOptions(m, dir)
		if len(c.findings) == before {
			c.pass("%s is on %s (%s)", dir, m.Type, m.Point)
		}
	}
}

// needed reports whether every update writes to a directory. The others get what only
// some releases bring: a new program, a new service.
func (c *checkup) needed(dir string) bool {
	return dir == c.Config.Paths.Versions || dir == c.Config.Paths.State
}

// fileSystem judges by type.
func (c *checkup) fileSystem(m disk.Mount, dir string) {
	switch m.Type {
	case "vfat", "msdos", "exfat", "ntfs", "ntfs3":
		c.judged(dir != c.Config.Paths.Shared, say("move it to ext4, xfs or btrfs"), "%s is on %s, which has no symlinks and no atomic rename that lasts", dir, m.Type)
	case "tmpfs", "ramfs":
		if dir == c.Config.Paths.State {
			c.warn(say("move it to a disk, or set [paths] state to a directory on one"),
				"%s is on %s: each boot begins without a journal, so history, quarantine, epoch floor and reports not yet delivered are gone", dir, m.Type)
			return
		}
		c.warn(say("move it to a disk"), "%s is on %s: its content is gone after the next boot", dir, m.Type)
	case "squashfs", "erofs", "iso9660", "cramfs":
		c.judged(c.needed(dir), say("mount something writable there"), "%s is on %s, which cannot be written", dir, m.Type)
	case "overlay":
		c.overlay(m, dir)
	case "nfs", "nfs4", "cifs", "9p", "virtiofs", "fuse", "fuseblk":
		c.warn(say("move it to a disk of this device"), "%s is on %s: whether a write survives a power cut is not up to this device", dir, m.Type)
	}
}

// overlay judges an overlay by the file system that has its upper layer, where changes go.
func (c *checkup) overlay(m disk.Mount, dir string) {
	if m.Has("volatile", "fsync=volatile") {
		c.warn(say("remove the option from the mount"), "%s is on an overlay that is mounted volatile: nothing is synced, and a power cut may lose or tear what was written", dir)
	}
	upper, err := disk.MountOf(m.Option("upperdir"))
	switch {
	case err != nil: // mounted from within another view, as a container's is
		c.warn(say("mount a file system of its own there"), "%s is on an overlay: whether a write survives a power cut depends on its layers", dir)
	case upper.Type == "tmpfs":
		c.warn(say("put the upper layer on a disk"), "%s is on an overlay whose upper layer is on %s: what is changed is gone after the next boot", dir, upper.Type)
	default:
		c.pass("%s is on an overlay, its upper layer on %s (%s)", dir, upper.Type, upper.Point)
	}
}

// mountOptions judges a mount by the options that an operator has chosen.
func (c *checkup) mountOptions(m disk.Mount, dir string) {
	if m.Has("ro") {
		do := run("mount -o remount,rw %s", quote(m.Point))
		if c.bySystemd() {
			do = do.then(c.restart()) // the daemon's sandbox has mounts of its own
		}
		if dir == c.Config.Paths.Bin {
			do.say = "set [paths] bin to a directory that can be written, or remount it"
		}
		c.judged(c.needed(dir) || c.linkIsOwed(dir), do, "%s is mounted read-only: a release that brings a new program or service cannot be installed", dir)
	}
	if m.Has("nobarrier", "barrier=0", "fsync_mode=nobarrier") {
		c.warn(say("remove the option from /etc/fstab and remount"), "%s is mounted without write barriers: fsync does not reach the disk, and a power cut may lose or tear what was written", dir)
	}
	if m.Has("data=writeback") {
		c.warn(say("remove the option from /etc/fstab"), "%s is mounted with data=writeback: after a power cut, files that services wrote may hold what was there before", dir)
	}
	if m.Has("noexec") && dir == c.Config.Paths.Versions {
		do := run("mount -o remount,exec %s", quote(m.Point))
		do.say = "remove the option from /etc/fstab, and for now"
		c.fail(do, "%s is mounted noexec: no program of a version can be started", dir)
	}
	if m.Type == "ext4" {
		c.fastCommits(m, dir)
	}
}

// linkIsOwed reports whether a link of the current version is missing from a directory.
func (c *checkup) linkIsOwed(dir string) bool {
	if c.store == nil {
		return false
	}
	_, all, _ := look.Links(c.store) // links says what is wrong
	return slices.ContainsFunc(all, func(l versions.Link) bool {
		return filepath.Dir(l.Path) == dir && (l.State == versions.LinkMissing || l.State == versions.LinkBlocked)
	})
}

// soundFastCommits is the first kernel whose fast commits are not known to be
// replayed wrongly after a power cut: fixes to ext4's fast commit went into 5.17
// (tracking of ranges) and 6.2 (blocks filled off by one, encrypted directories).
var soundFastCommits = [2]int{6, 2}

func (c *checkup) fastCommits(m disk.Mount, dir string) {
	on, err := m.FastCommit()
	if err != nil || !on {
		return // only root may read the disk, and directories says that this is another user
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return
	}
	release := unix.ByteSliceToString(uts.Release[:])
	if kernel, ok := kernelVersion(release); ok && slices.Compare(kernel[:], soundFastCommits[:]) < 0 {
		c.warn(say("update the kernel, or turn it off while unmounted: tune2fs -O ^fast_commit %s", m.Source),
			"%s is on ext4 with fast_commit, which kernels before %d.%d may replay wrongly after a power cut; this one is %s", dir, soundFastCommits[0], soundFastCommits[1], release)
	}
}

// kernelVersion reads the first two numbers of uname's release.
func kernelVersion(release string) (v [2]int, ok bool) {
	parts := strings.SplitN(release, ".", 3)
	if len(parts) < 2 {
		return v, false
	}
	minor := parts[1]
	if end := strings.IndexFunc(minor, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		minor = minor[:end]
	}
	var err error
	if v[0], err = strconv.Atoi(parts[0]); err != nil {
		return v, false
	}
	if v[1], err = strconv.Atoi(minor); err != nil {
		return v, false
	}
	return v, true
}
