package disktest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/roottest"
)

// Kind is a kind of file system.
type Kind string

// The kinds of file systems that tests are run on. An overlay has both of its layers on
// the other file system, as a device with a read-only image and a layer for changes has.
const (
	Ext4       Kind = "ext4"
	XFS        Kind = "xfs"
	Btrfs      Kind = "btrfs"
	Overlay    Kind = "overlay on ext4"
	OverlayXFS Kind = "overlay on xfs"
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{Ext4, XFS, Btrfs, Overlay, OverlayXFS} }

// layers is the kind of file system that has an overlay's layers.
func (k Kind) layers() (below Kind, overlay bool) {
	below, overlay = map[Kind]Kind{Overlay: Ext4, OverlayXFS: XFS}[k]
	return below, overlay
}

// Each runs a test on a small file system of each kind, at once.
func Each(t *testing.T, f func(t *testing.T, d *Disk)) {
	t.Helper()
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f(t, New(t, kind, filepath.Join(t.TempDir(), "mnt"), 0))
		})
	}
}

// Disk is a small file system of its own, mounted for one test.
type Disk struct {
	// Dir is where it is mounted.
	Dir  string
	Kind Kind

	image string
	// below is the file system that has an overlay's layers.
	below *Disk
}

// smallest is the size of a file system of a kind that does not ask for more. mkfs
// refuses smaller ones.
var smallest = map[Kind]int64{Ext4: 64 << 20, XFS: 300 << 20, Btrfs: 128 << 20}

// NewExt4 makes and mounts an ext4 file system of this many bytes.
func NewExt4(t testing.TB, size int64) *Disk {
	t.Helper()
	return NewExt4At(t, filepath.Join(t.TempDir(), "mnt"), size)
}

// NewExt4At is NewExt4, mounted at a directory of the test.
func NewExt4At(t testing.TB, dir string, size int64) *Disk {
	t.Helper()
	return New(t, Ext4, dir, size)
}

// New makes a file system of this kind and of this many bytes, 0 for a small one, and
// mounts it at a directory of the test. Nothing is reserved for root, so that it is
// full for everybody at once.
func New(t testing.TB, kind Kind, dir string, size int64) *Disk {
	t.Helper()
	roottest.Need(t, "a loop device")
	d := &Disk{Dir: dir, Kind: kind}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	if below, overlay := kind.layers(); overlay {
		d.layers(t, below, size)
		d.mountLayers(t)
	} else {
		if size == 0 {
			size = smallest[kind]
		}
		d.image = filepath.Join(t.TempDir(), "image")
		require.NoError(t, os.WriteFile(d.image, nil, 0o600))
		require.NoError(t, os.Truncate(d.image, size))
		run(t, "mkfs."+string(kind), append(mkfs(kind), d.image)...)
		d.mount(t)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(d.Dir, unix.MNT_DETACH)) })
	return d
}

func mkfs(kind Kind) []string {
	switch kind {
	case Ext4:
		return []string{"-q", "-m", "0"}
	case Btrfs:
		return []string{"-q", "-m", "single"}
	default:
		return []string{"-q"}
	}
}

// mount mounts the image. The file system writes nothing by itself for ten minutes,
// xfs for half of one: what is on the disk before then was synced.
func (d *Disk) mount(t testing.TB) {
	t.Helper()
	switch d.Kind {
	case Overlay, OverlayXFS:
		d.below.mount(t)
		d.mountLayers(t)
	case Btrfs:
		// The kernel remembers a disk that was unmounted. It would take a copy of it for an
		// older state, and refuse that.
		run(t, "btrfs", "device", "scan", "--forget")
		run(t, "mount", "-o", "loop,commit=600", d.image, d.Dir)
	case XFS:
		// A copy of the image has the same UUID.
		run(t, "mount", "-o", "loop,nouuid", d.image, d.Dir)
	default:
		run(t, "mount", "-o", "loop,commit=600", d.image, d.Dir)
	}
}

// Fill leaves no more than free bytes to write. It returns the function that makes
// room again.
func (d *Disk) Fill(t testing.TB, free int64) (release func()) {
	t.Helper()
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(d.Dir, &st))
	path := filepath.Join(d.Dir, ".filler")
	f, err := os.Create(path)
	require.NoError(t, err)
	size := int64(st.Bavail*uint64(st.Bsize)) - free
	if size > 0 {
		// Extents need some blocks themselves: try smaller sizes until one fits.
		for err = unix.ENOSPC; err != nil && size > 0; size -= 4096 {
			err = unix.Fallocate(int(f.Fd()), 0, 0, size)
		}
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(path)) }
}

// Corrupt changes the one place on the disk that holds text, below the page
// cache: cached pages stay as they were.
func (d *Disk) Corrupt(t testing.TB, text string) {
	t.Helper()
	data, err := os.ReadFile(d.image)
	require.NoError(t, err)
	require.Equal(t, 1, bytes.Count(data, []byte(text)), "the text must be on the disk, once")
	f, err := os.OpenFile(d.image, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{text[0] ^ 1}, int64(bytes.Index(data, []byte(text))))
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

// Lose makes each write to the block on the disk that holds text fail from now on, with
// an I/O error that only those learn of who wait for it. The images must be on a file
// system of their own, which is full then: its other free space is the caller's.
func (d *Disk) Lose(t testing.TB, text string) {
	t.Helper()
	if d.below != nil {
		d.below.Lose(t, text)
		return
	}
	data, err := os.ReadFile(d.image)
	require.NoError(t, err)
	at := bytes.Index(data, []byte(text))
	require.Positive(t, at, "the text must be on the disk")
	const block = 4096
	f, err := os.OpenFile(d.image, os.O_WRONLY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(at)/block*block, block))
	require.NoError(t, f.Close())
	filler, err := os.Create(d.image + ".filler")
	require.NoError(t, err)
	for err == nil {
		_, err = filler.Write(make([]byte, block))
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	require.NoError(t, filler.Close())
}

// The directories of an overlay's layers, on the file system below it.
const (
	lower = "lower"
	upper = "upper"
	work  = "work"
)

// layers makes the layers of an overlay.
func (d *Disk) layers(t testing.TB, below Kind, size int64) {
	t.Helper()
	d.below = New(t, below, filepath.Join(t.TempDir(), "layers"), size)
	for _, dir := range []string{lower, upper, work} {
		require.NoError(t, os.Mkdir(filepath.Join(d.below.Dir, dir), 0o755))
	}
}

// mountLayers mounts an overlay as most devices have it: directories of the lower layer
// cannot be renamed.
func (d *Disk) mountLayers(t testing.TB) {
	t.Helper()
	at := func(dir string) string { return filepath.Join(d.below.Dir, dir) }
	run(t, "mount", "-t", "overlay", "overlay", "-o",
		fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,redirect_dir=nofollow", at(lower), at(upper), at(work)), d.Dir)
}

// Forget takes back all that has changed since Settle. It is for overlays. No file of the
// disk may be open.
func (d *Disk) Forget(t testing.TB) {
	t.Helper()
	d.leave(t)
	for _, dir := range []string{upper, work} {
		require.NoError(t, os.RemoveAll(filepath.Join(d.below.Dir, dir)))
		require.NoError(t, os.Mkdir(filepath.Join(d.below.Dir, dir), 0o755))
	}
	d.mountLayers(t)
}

// Settle makes what is on the disk the image that the device was delivered with: it is
// synced, and is in an overlay's lower layer. No file of it may be open.
func (d *Disk) Settle(t testing.TB) {
	t.Helper()
	if d.below != nil {
		d.leave(t)
		at := func(dir string) string { return filepath.Join(d.below.Dir, dir) }
		old := at("old")
		require.NoError(t, os.Rename(at(lower), old))
		require.NoError(t, os.Rename(at(upper), at(lower)))
		require.NoError(t, os.Mkdir(at(upper), 0o755))
		entries, err := os.ReadDir(old)
		require.NoError(t, err)
		require.Empty(t, entries, "settle a disk once, when all is new")
		require.NoError(t, os.Remove(old))
		d.mountLayers(t)
	}
	run(t, "sync", "--file-system", d.Dir)
}
