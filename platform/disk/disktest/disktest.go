// Package disktest gives tests a disk that they may fill and corrupt and whose power
// they may cut, with any file system that the guide names, and a user who may not do
// everything. Both need root, which CI has.
//
// Start at New; Each runs a test on every kind of file system.
package disktest

import (
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
)

// Nobody is the user and group that AsNobody becomes.
const Nobody = 65534

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
