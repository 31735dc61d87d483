package filesystems_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk/disktest"
)

// row is a device, by the file systems that it has.
type row struct {
	// name is the row's in the guide.
	name string
	// lay mounts the disks below root, before anything is there.
	lay func(t *testing.T, root string) []*disktest.Disk
	// over is mounted once the device is made.
	over []mount
	// forgets: the state is lost with the power.
	forgets bool
}

func rows() []row {
	whole := func(kind disktest.Kind) func(*testing.T, string) []*disktest.Disk {
		return func(t *testing.T, root string) []*disktest.Disk {
			return []*disktest.Disk{disktest.New(t, kind, root, 0)}
		}
	}
	return []row{
		{name: "ext4", lay: whole(disktest.Ext4)},
		{name: "xfs", lay: whole(disktest.XFS)},
		{name: "btrfs", lay: whole(disktest.Btrfs)},
		{name: "overlay on ext4", lay: whole(disktest.Overlay)},
		{name: "overlay on xfs", lay: whole(disktest.OverlayXFS)},
		{name: "`/opt` a link to another disk", lay: func(t *testing.T, root string) []*disktest.Disk {
			disks := whole(disktest.Ext4)(t, root)
			disks = append(disks, disktest.New(t, disktest.Ext4, filepath.Join(root, "data"), 0))
			require.NoError(t, os.Mkdir(filepath.Join(root, "data/opt"), 0o755))
			require.NoError(t, os.Symlink("/data/opt", filepath.Join(root, "opt")))
			return disks
		}},
		{name: "`versions` btrfs, `shared` xfs, state ext4", lay: func(t *testing.T, root string) []*disktest.Disk {
			return []*disktest.Disk{
				disktest.New(t, disktest.Ext4, root, 0),
				disktest.New(t, disktest.Btrfs, filepath.Join(root, "opt/tope/versions"), 0),
				disktest.New(t, disktest.XFS, filepath.Join(root, "opt/tope/shared"), 0),
				disktest.New(t, disktest.Ext4, filepath.Join(root, "var/lib/tope-updater"), 0),
			}
		}},
		{name: "`/usr/local/bin` read-only", lay: whole(disktest.Ext4), over: []mount{{at: "usr/local/bin"}}},
		{name: "`/var` tmpfs", lay: whole(disktest.Ext4), over: []mount{{at: "var", source: "tmpfs"}}, forgets: true},
	}
}
