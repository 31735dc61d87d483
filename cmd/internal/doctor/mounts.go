package doctor

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// mounts looks for file systems and mount options with which a power cut may lose
// or tear the updater's data.
func (c *checkup) mounts(context.Context) {
	var seen []string
	for _, dir := range []string{c.Config.Paths.Versions, c.Config.Paths.State, c.Config.Paths.Shared, c.Config.Paths.Bin} {
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

// fileSystem judges by type.
func (c *checkup) fileSystem(m disk.Mount, dir string) {
	switch m.Type {
	case "vfat", "msdos", "exfat", "ntfs", "ntfs3":
		c.fail("move it to ext4, xfs, btrfs or f2fs", "%s is on %s, which has no symlinks and no atomic rename that lasts", dir, m.Type)
	case "tmpfs", "ramfs":
		c.warn("move it to a disk", "%s is on %s: its content is gone after the next boot", dir, m.Type)
	case "squashfs", "erofs", "iso9660", "cramfs":
		c.fail("mount something writable there", "%s is on %s, which cannot be written", dir, m.Type)
	case "overlay":
		c.warn("mount a file system of its own there", "%s is on an overlay: whether a write survives a power cut depends on its layers", dir)
	case "nfs", "nfs4", "cifs", "9p", "virtiofs", "fuse", "fuseblk":
		c.warn("move it to a disk of this device", "%s is on %s: whether a write survives a power cut is not up to this device", dir, m.Type)
	}
}

// mountOptions judges a mount by the options that an operator has chosen.
func (c *checkup) mountOptions(m disk.Mount, dir string) {
	if m.Has("ro") {
		c.fail("mount -o remount,rw "+m.Point, "%s is mounted read-only", dir)
	}
	if m.Has("nobarrier", "barrier=0", "fsync_mode=nobarrier") {
		c.fail("remove the option from /etc/fstab and remount", "%s is mounted without write barriers: fsync does not reach the disk, and a power cut may lose or tear what was written", dir)
	}
	if m.Has("data=writeback") {
		c.warn("remove the option from /etc/fstab", "%s is mounted with data=writeback: after a power cut, files that services wrote may hold what was there before", dir)
	}
	if m.Has("noexec") && dir == c.Config.Paths.Versions {
		c.fail("remove the option from /etc/fstab", "%s is mounted noexec: no program of a version can be started", dir)
	}
	if m.Type == "ext4" {
		c.fastCommits(m, dir)
	}
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
		c.warn("update the kernel, or turn it off while unmounted: tune2fs -O ^fast_commit "+m.Source,
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
