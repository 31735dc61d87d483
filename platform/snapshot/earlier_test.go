package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// A refill that an earlier version has begun, and this one goes on with, is cut just before
// its end, where the earlier version's note is gone: what was moved is not emptied.
func TestAnEarlierVersionsRefillIsCutAgain(t *testing.T) {
	w := newWorld(t)
	w.newVersionRan()
	set := w.live(setName(update))
	require.NoError(t, os.Rename(w.set(update), set))
	for _, p := range []string{"app/data", "web"} {
		dir := filepath.Join(set, dataName, p)
		require.NoError(t, os.Rename(w.stamp(dir), filepath.Join(dir, stampPrefix+update)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(set, indexName), []byte(`{"schema":1,"update":"`+update+`","paths":["app/data","web"]}`+"\n"), 0o600))
	w.empty("app/data")
	w.write("app/data/"+oldRefillPrefix+update, "")
	w.exchange = func(*disk.Dir, string, *disk.Dir, string) error { return unix.EXDEV }
	s, err := w.open(update)
	require.NoError(t, err)
	kept, err := s.parent("app/data")
	require.NoError(t, err)
	k, err := kept.Open("data")
	require.NoError(t, err)
	live, err := w.liveParent("app/data")
	require.NoError(t, err)
	l, err := live.Open("data")
	require.NoError(t, err)
	b, err := s.begun(0, live, "data")
	require.NoError(t, err)
	require.True(t, b)
	require.NoError(t, s.moveAll(k, l))
	require.NoError(t, l.RemoveTree(oldRefillPrefix+update))
	require.NoError(t, errors.Join(k.Close(), l.Close(), kept.Close(), live.Close(), s.close()))
	_, err = w.Restore(update)
	require.NoError(t, err)
	_, err = os.ReadFile(w.live("app/data/db"))
	require.NoError(t, err)
}
