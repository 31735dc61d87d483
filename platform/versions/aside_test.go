package versions_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
)

// On each kind of file system what has a link's name is kept, with owners, modes and
// attributes, and so it is after a power cut; also a directory that the device was
// delivered with in the lower layer of an overlay.
func TestAdoptLinksOnEachFileSystem(t *testing.T) {
	const service = "/opt/tope/services/device-api"
	disktest.Each(t, func(t *testing.T, k *disktest.Disk) {
		d := &device{t: t, root: k.Dir}
		d.open()
		d.publish("1.0.0")
		d.point("current", "1.0.0")
		put(t, d.root+service+"/data/db", "precious")
		put(t, d.root+"/usr/local/bin/device-api", "old program")
		symlink(t, "db", d.root+service+"/data/latest")
		require.NoError(t, unix.Mkfifo(d.root+service+"/pipe", 0o600))
		require.NoError(t, os.Mkdir(d.root+service+"/empty", 0o700))
		at := time.Unix(1_700_000_000, 0)
		for _, name := range []string{"", "/data", "/data/db"} {
			path := d.root + service + name
			require.NoError(t, os.Chown(path, 1000, 1001))
			require.NoError(t, unix.Chmod(path, 0o2750))
			require.NoError(t, unix.Setxattr(path, "user.note", []byte("ours"), 0))
			require.NoError(t, os.Chtimes(path, at, at))
		}
		k.Settle(t)

		aside, err := d.AdoptLinks(t.Context(), "1.0.0")
		require.NoError(t, err)
		require.Equal(t, []string{"/usr/local/bin/device-api.before-tope", service + ".before-tope"}, aside)
		k.PowerCut(t)

		require.Equal(t, "../versions/current/services/device-api", d.target(service))
		require.ElementsMatch(t, []string{"device-api", "device-api.before-tope"}, list(t, filepath.Dir(d.root+service)), "nothing else is left")
		kept := d.root + service + ".before-tope"
		require.ElementsMatch(t, []string{"data", "empty", "pipe"}, list(t, kept))
		content, err := os.ReadFile(kept + "/data/latest")
		require.NoError(t, err)
		require.Equal(t, "precious", string(content))
		for _, name := range []string{"", "/data", "/data/db"} {
			info, err := os.Stat(kept + name)
			require.NoError(t, err)
			st, ok := info.Sys().(*syscall.Stat_t)
			require.True(t, ok)
			require.Equal(t, []uint32{1000, 1001, 0o2750}, []uint32{st.Uid, st.Gid, st.Mode & 0o7777}, name)
			require.True(t, at.Equal(info.ModTime()), name)
			note := make([]byte, 16)
			n, err := unix.Getxattr(kept+name, "user.note", note)
			require.NoError(t, err)
			require.Equal(t, "ours", string(note[:n]), name)
		}
		info, err := os.Lstat(kept + "/pipe")
		require.NoError(t, err)
		require.Equal(t, os.ModeNamedPipe, info.Mode().Type())
	})
}

// A directory that cannot be renamed, and in which something is mounted, stays as it is.
func TestAdoptLinksAroundAMount(t *testing.T) {
	k := disktest.New(t, disktest.Overlay, filepath.Join(t.TempDir(), "mnt"), 0)
	d := &device{t: t, root: k.Dir}
	d.open()
	d.publish("1.0.0")
	d.point("current", "1.0.0")
	service := d.root + "/opt/tope/services/device-api"
	put(t, service+"/f", "precious")
	require.NoError(t, os.Mkdir(service+"/mnt", 0o755))
	k.Settle(t)
	require.NoError(t, unix.Mount("tmpfs", service+"/mnt", "tmpfs", 0, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(service+"/mnt", 0)) })
	_, err := d.AdoptLinks(t.Context(), "1.0.0")
	require.ErrorIs(t, err, disk.ErrMounted)
	require.ErrorContains(t, err, service+"/mnt")
	require.Equal(t, []string{"device-api"}, list(t, filepath.Dir(service)))
	require.ElementsMatch(t, []string{"f", "mnt"}, list(t, service))
}
