// Package disktest gives tests a disk that they may fill and corrupt, and a
// user who may not do everything. Both need root, which CI has.
package disktest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/roottest"
)

// Nobody is the user and group that AsNobody becomes.
const Nobody = 65534

// Ext4 is a small ext4 file system of its own, mounted for one test.
type Ext4 struct {
	// Dir is where it is mounted.
	Dir   string
	image string
}

// TempDir is t.TempDir, for tests that leave trees without write bits in it. Only
// root could remove them otherwise.
func TempDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				_ = os.Chmod(path, 0o700) // what is left then is reported by t.TempDir
			}
			return nil
		})
	})
	return dir
}

// Cut shortens a file, or makes it longer, and keeps its mode, which may have no
// write bits.
func Cut(t testing.TB, path string, size int64) {
	t.Helper()
	writable(t, path, func() { require.NoError(t, os.Truncate(path, size)) })
}

// Overwrite gives a file another content, and keeps its mode, which may have no
// write bits.
func Overwrite(t testing.TB, path, content string) {
	t.Helper()
	writable(t, path, func() { require.NoError(t, os.WriteFile(path, []byte(content), 0o644)) })
}

// In lets f change the entries of a directory, which may have no write bits, and
// keeps the directory's mode.
func In(t testing.TB, dir string, f func()) {
	t.Helper()
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o700))
	f()
	require.NoError(t, os.Chmod(dir, info.Mode()))
}

func writable(t testing.TB, path string, f func()) {
	t.Helper()
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		In(t, filepath.Dir(path), f)
		return
	}
	require.NoError(t, err)
	require.NoError(t, os.Chmod(path, 0o600))
	f()
	require.NoError(t, os.Chmod(path, info.Mode()))
}

// NewExt4 makes and mounts an ext4 file system of this many bytes. Nothing is
// reserved for root, so that it is full for everybody at once.
func NewExt4(t testing.TB, size int64) *Ext4 {
	t.Helper()
	roottest.Need(t, "a loop device")
	base := t.TempDir()
	e := &Ext4{Dir: filepath.Join(base, "mnt"), image: filepath.Join(base, "image")}
	require.NoError(t, os.Mkdir(e.Dir, 0o755))
	require.NoError(t, os.WriteFile(e.image, nil, 0o600))
	require.NoError(t, os.Truncate(e.image, size))
	run(t, "mkfs.ext4", "-q", "-m", "0", e.image)
	run(t, "mount", "-o", "loop", e.image, e.Dir)
	t.Cleanup(func() { require.NoError(t, unix.Unmount(e.Dir, unix.MNT_DETACH)) })
	return e
}

// Fill leaves no more than free bytes to write. It returns the function that makes
// room again.
func (e *Ext4) Fill(t testing.TB, free int64) (release func()) {
	t.Helper()
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(e.Dir, &st))
	path := filepath.Join(e.Dir, ".filler")
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
func (e *Ext4) Corrupt(t testing.TB, text string) {
	t.Helper()
	data, err := os.ReadFile(e.image)
	require.NoError(t, err)
	require.Equal(t, 1, bytes.Count(data, []byte(text)), "the text must be on the disk, once")
	f, err := os.OpenFile(e.image, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{text[0] ^ 1}, int64(bytes.Index(data, []byte(text))))
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

// AsNobody runs f on a thread whose file accesses are an ordinary user's, and
// gives that user the tree at dir, a t.TempDir(), first. A require that fails
// in f ends f, and marks the test as failed.
func AsNobody(t testing.TB, dir string, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o711)) // TempDir keeps others out
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, Nobody, Nobody)
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread ends with the goroutine, and its
		// identity with it.
		runtime.LockOSThread()
		_ = unix.Setfsgid(Nobody) // it returns the previous id, not an error
		_ = unix.Setfsuid(Nobody)
		f()
	}()
	<-done
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strconv.Quote(filepath.Join(args...)), out)
}
