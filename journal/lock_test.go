package journal_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
)

// share holds the lock that a program takes which only reads: an older version's
// export, a backup. release lets go of it.
func share(t *testing.T, path string) (release func()) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(f.Fd()), syscall.LOCK_SH))
	t.Cleanup(func() { _ = f.Close() })
	return func() { require.NoError(t, f.Close()) }
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Sys().(*syscall.Stat_t).Ino
}

// Somebody who reads the journal and does not let go of it does not keep it from being
// written: recovery at boot must not depend on him. A writer does.
func TestAReaderKeepsNoWriterOut(t *testing.T) {
	path, before := newJournal(t, 3)
	release := share(t, path)
	old := inode(t, path)
	j := open(t, path, options())
	require.Equal(t, before.Sum, j.State().Sum)
	require.NotEqual(t, old, inode(t, path), "a copy has taken its place")
	requireWhole(t, j)
	_, err := j.Append(acceptRecord("beside-a-reader"))
	require.NoError(t, err)

	_, err = journal.Open(path, options())
	require.ErrorIs(t, err, journal.ErrLocked, "but this is a writer")
	require.NoError(t, j.Close())
	release()
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	require.NoError(t, err)
	require.Empty(t, names, "nothing temporary is left")
}

// A reader that lets go soon is waited for, and the file stays.
func TestAReaderIsWaitedFor(t *testing.T) {
	path, before := newJournal(t, 3)
	release := share(t, path)
	old := inode(t, path)
	go func() {
		time.Sleep(50 * time.Millisecond)
		release()
	}()
	j := open(t, path, options())
	require.Equal(t, before.Sum, j.State().Sum)
	require.Equal(t, old, inode(t, path))
	require.NoError(t, j.Close())
}

// Reading a journal takes no lock at all.
func TestReadingTakesNoLock(t *testing.T) {
	path, _ := newJournal(t, 3)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				if r, err := journal.OpenReader(path, journal.Options{}); err == nil {
					_ = r.Close()
				}
			}
		}
	}()
	old := inode(t, path)
	for range 50 {
		f, err := os.Open(path)
		require.NoError(t, err)
		require.NoError(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
		require.NoError(t, f.Close())
	}
	close(stop)
	<-stopped
	require.Equal(t, old, inode(t, path))
}
