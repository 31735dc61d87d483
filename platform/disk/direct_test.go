package disk_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/roottest"
)

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, root.Close()) })
	return root
}

func TestDirectReadsAllSizes(t *testing.T) {
	dir := t.TempDir()
	root := openRoot(t, dir)
	random := rand.NewChaCha8([32]byte{1})
	for _, size := range []int{0, 1, 511, 512, 4095, 4096, 4097, 256<<10 - 1, 256 << 10, 256<<10 + 1, 1<<20 + 4096} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			want := make([]byte, size)
			_, err := random.Read(want)
			require.NoError(t, err)
			require.NoError(t, disk.WriteFile(filepath.Join(dir, "f"), want, 0o600))
			d, err := disk.OpenDirect(root, "f")
			require.NoError(t, err)
			require.NoError(t, iotest.TestReader(io.MultiReader(d), want))
			require.NoError(t, d.Close())
		})
	}
}

// The page cache holds the right content while the disk below has another: a
// read through the cache does not find that, a direct read does.
func TestDirectSeesTheDiskNotTheCache(t *testing.T) {
	const text = "the content as it was written, unlike any other text on this disk"
	ext4 := disktest.NewExt4(t, 4<<20)
	path := filepath.Join(ext4.Dir, "f")
	require.NoError(t, disk.WriteFile(path, []byte(text), 0o600))
	cached, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, text, string(cached))

	ext4.Corrupt(t, text)

	cached, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, text, string(cached), "the cache hides it")
	d, err := disk.OpenDirect(openRoot(t, ext4.Dir), "f")
	require.NoError(t, err)
	direct, err := io.ReadAll(d)
	require.NoError(t, err)
	require.True(t, d.Bypassed())
	require.NoError(t, d.Close())
	require.NotEqual(t, text, string(direct))

	f, err := os.Open(path)
	require.NoError(t, err)
	require.NoError(t, disk.DropCache(f))
	dropped, err := io.ReadAll(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Equal(t, direct, dropped, "and so does a read after the cache was dropped")
}

func TestDirectOpensRegularFilesOnly(t *testing.T) {
	dir := dirWith(t, both(file("x", "d/f"), link("d/f", "l")))
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	root := openRoot(t, dir)
	for _, name := range []string{"d", "l", "pipe", "gone", "../" + filepath.Base(dir) + "/d/f"} {
		_, err := disk.OpenDirect(root, name)
		require.Error(t, err, name)
	}
}

// ramfs has no O_DIRECT at all: the file is read after dropping its cache.
func TestDirectReadsWhereThereIsNoDirect(t *testing.T) {
	roottest.Need(t, "a mount")
	dir := t.TempDir()
	require.NoError(t, unix.Mount("ramfs", dir, "ramfs", 0, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	want := bytes.Repeat([]byte("kept in memory "), 50_000)
	require.NoError(t, disk.WriteFile(filepath.Join(dir, "f"), want, 0o600))
	d, err := disk.OpenDirect(openRoot(t, dir), "f")
	require.NoError(t, err)
	require.False(t, d.Bypassed())
	got, err := io.ReadAll(d)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NoError(t, d.Close())
}
