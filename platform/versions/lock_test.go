package versions_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/versions"
)

// Two updaters with configurations of their own have journals of their own; what
// they share is the tree.
func TestOneUpdaterAtATimeHoldsTheTree(t *testing.T) {
	d := newDevice(t)
	first, err := d.Lock(t.Context(), 0)
	require.NoError(t, err)
	d.publish("1.0.0")
	d.open()
	_, err = d.Lock(t.Context(), 0)
	require.ErrorIs(t, err, versions.ErrTreeLocked)
	_, err = d.List()
	require.NoError(t, err, "reading needs no lock")
	go func() {
		time.Sleep(20 * time.Millisecond)
		_ = first.Close()
	}()
	second, err := d.Lock(t.Context(), time.Minute)
	require.NoError(t, err, "who waits gets it when it is let go of")
	require.NoError(t, second.Close())
	require.NoError(t, second.Close(), "again is fine")
	d.has("v1.0.0") // the lock leaves nothing in the directory
}

func TestATreeThatIsNotThereHasNoLock(t *testing.T) {
	d := newDevice(t)
	require.NoError(t, os.Remove(d.Dir()))
	l, err := d.Lock(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

// A backup that locks what it reads is not an updater: recovery at boot, which does not
// wait for one, goes on beside it. Another updater is still kept out.
func TestAReaderOfTheTreeIsNotAnUpdater(t *testing.T) {
	d := newDevice(t)
	backup, err := os.Open(d.Dir())
	require.NoError(t, err)
	defer func() { require.NoError(t, backup.Close()) }()
	require.NoError(t, syscall.Flock(int(backup.Fd()), syscall.LOCK_SH))
	l, err := d.Lock(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, l.Close())

	require.NoError(t, syscall.Flock(int(backup.Fd()), syscall.LOCK_EX))
	_, err = d.Lock(t.Context(), 0)
	require.ErrorIs(t, err, versions.ErrTreeLocked)
}
