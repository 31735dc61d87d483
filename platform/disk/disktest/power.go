package disktest

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The request of ext4, f2fs and xfs to stop at once, and its flag for stopping as a
// power cut does: nothing that is only in memory reaches the disk any more.
const (
	iocShutdown  = 0x8004587d
	withoutFlush = 2
)

// PowerCut is a power cut for this file system: everything that was not synced is
// lost. It is mounted again, at the same place. No file of it may be open.
//
// What is mounted is a copy of the image, made before the unmount writes to it. A process
// in a mount name space of its own (another test's machine) may keep the stopped file
// system mounted, and to mount the same image would only show that one again.
func (d *Disk) PowerCut(t testing.TB) { t.Helper(); PowerCut(t, d) }

// PowerCut cuts the power of disks that were mounted in this order.
func PowerCut(t testing.TB, disks ...*Disk) {
	t.Helper()
	for _, d := range disks {
		d.stop(t) // all of them, before an unmount writes to one
	}
	for _, d := range slices.Backward(disks) {
		d.unmount(t)
	}
	for _, d := range disks {
		d.mount(t)
	}
}

// stop leaves the image as it is now, for good.
func (d *Disk) stop(t testing.TB) {
	t.Helper()
	if d.below != nil {
		d.below.stop(t)
		return
	}
	dir, err := os.Open(d.Dir)
	require.NoError(t, err)
	err = unix.IoctlSetPointerInt(int(dir.Fd()), iocShutdown, withoutFlush)
	require.NoError(t, dir.Close())
	if !errors.Is(err, unix.ENOTTY) { // btrfs cannot stop, but is as quiet
		require.NoError(t, err)
	}
	copied := d.image + "+"
	run(t, "cp", "--sparse=always", d.image, copied)
	require.NoError(t, os.Remove(d.image))
	d.image = copied
}

func (d *Disk) unmount(t testing.TB) {
	t.Helper()
	d.leave(t)
	if d.below != nil {
		d.below.unmount(t)
	}
}

// leave unmounts the file system, and of an overlay nothing of what is below. A process that
// another test starts has our files too, from fork to exec.
func (d *Disk) leave(t testing.TB) {
	t.Helper()
	err := unix.Unmount(d.Dir, 0)
	for until := time.Now().Add(time.Minute); errors.Is(err, unix.EBUSY) && time.Now().Before(until); err = unix.Unmount(d.Dir, 0) {
		time.Sleep(5 * time.Millisecond)
	}
	require.NoError(t, err, d.Dir)
}
