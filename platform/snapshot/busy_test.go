package snapshot

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/roottest"
)

// leased takes a write lease on a file, as a file server does. asked hears when somebody
// else wants the file; release gives the lease up.
func leased(t *testing.T, path string) (asked <-chan os.Signal, release func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, unix.SIGIO)
	t.Cleanup(func() { signal.Stop(heard) })
	lease := func(kind int) error {
		_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, kind)
		return err
	}
	require.NoError(t, lease(unix.F_WRLCK))
	return heard, func() { require.NoError(t, lease(unix.F_UNLCK)) }
}

// A service that holds a lease is asked by the kernel to give it up; a snapshot waits until
// it has.
func TestASnapshotWaitsForALease(t *testing.T) {
	roottest.Need(t, "a lease")
	w := newWorld(t)
	asked, release := leased(t, w.live("app/data/db"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-asked
		release()
	}()
	w.newVersionRan()
	<-done
	w.requireBack()
}

// One that nobody gives up is waited for as long as a snapshot may take.
func TestALeaseIsNotWaitedForWithoutEnd(t *testing.T) {
	roottest.Need(t, "a lease")
	w := newWorld(t)
	asked, _ := leased(t, w.live("app/data/db"))
	ctx, stop := context.WithCancelCause(t.Context())
	go func() {
		<-asked
		stop(os.ErrDeadlineExceeded)
	}()
	_, err := w.Take(ctx, update, []string{"app/data"})
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	there, err := w.Exists(update)
	require.NoError(t, err)
	require.False(t, there)
}

// meddled is a context in which something happens when it is asked for the n-th time:
// a copy asks before each part.
type meddled struct {
	context.Context
	n      int
	meddle func()
}

func (m *meddled) Err() error {
	if m.n--; m.n == 0 {
		m.meddle()
	}
	return m.Context.Err()
}

// The kernel takes the set-id bits of a file away when somebody writes to it. A copy of it,
// with what was written, does not bring them back.
func TestAWriteDuringACopyRevivesNoSetIDBits(t *testing.T) {
	roottest.Need(t, "files of other users")
	e := disktest.NewExt4(t, 8<<20) // it cannot clone: files are copied in parts
	w := worldAt(t, e.Dir)
	path := w.live("app/data/db")
	whole := make([]byte, 600<<10)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close()
	write := func() {
		_, err := f.WriteAt([]byte("other"), int64(len(whole)-5))
		require.NoError(t, err)
	}
	others := func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // and never unlocks it
			_ = unix.Setfsuid(disktest.Nobody)
			write()
		}()
		<-done
	}
	for name, c := range map[string]struct {
		meddle func()
		mode   uint32
	}{
		"nothing":                          {func() {}, 0o6777},
		"a write":                          {others, 0o777},
		"a write of one who may keep them": {write, 0o777},
		"another mode":                     {func() { require.NoError(t, unix.Chmod(path, 0o700)) }, 0o700},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, whole, 0o600))
			require.NoError(t, unix.Chmod(path, 0o6777))
			long := time.Date(2020, 2, 3, 4, 5, 6, 7000, time.UTC)
			require.NoError(t, os.Chtimes(path, long, long))
			from, err := disk.OpenDir(w.live("app/data"))
			require.NoError(t, err)
			defer from.Close()
			to, err := disk.OpenDir(t.TempDir())
			require.NoError(t, err)
			defer to.Close()
			ctx := &meddled{Context: t.Context(), n: 3, meddle: c.meddle}
			require.NoError(t, newCopier(ctx, new(Taken)).file(from, "db", to))
			require.LessOrEqual(t, ctx.n, 0, "the file is copied in parts")
			st, err := to.Lstat("db")
			require.NoError(t, err)
			require.Equal(t, c.mode, st.Mode&0o7777)
		})
	}
}
