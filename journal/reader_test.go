package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
)

func openReader(t *testing.T, path string) *journal.Reader {
	t.Helper()
	r, err := journal.OpenReader(path, journal.Options{})
	require.NoError(t, err)
	return r
}

// TestReadingWhileADaemonHangs: the writer holds its lock and may be in the
// middle of anything.
func TestReadingWhileADaemonHangs(t *testing.T) {
	path, state := newJournal(t, 2)
	j := open(t, path, options())
	r := openReader(t, path)
	require.NoError(t, r.Damaged())
	require.Equal(t, state, r.State())
	want, err := j.Records("")
	require.NoError(t, err)
	have, err := r.Records("")
	require.NoError(t, err)
	require.Equal(t, want, have)
	list, err := j.Updates()
	require.NoError(t, err)
	read, err := r.Updates()
	require.NoError(t, err)
	require.Equal(t, list, read)
	report, err := r.Verify()
	require.NoError(t, err)
	require.True(t, report.OK(), report.Problems)

	_, err = j.Append(transition("open", 5)...)
	require.NoError(t, err)
	require.Equal(t, state, r.State(), "a reader stays where it was")
}

// TestReadingWhileADaemonWrites: every copy is whole, and none is older than
// what had been written when it was begun.
func TestReadingWhileADaemonWrites(t *testing.T) {
	path := filepath.Join(fastDir(t), "journal.db")
	opt := options()
	opt.KeepUpdates = 3
	j := open(t, path, opt)
	runUpdate(t, j, updateID(0))
	done := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			default:
				runUpdate(t, j, updateID(n))
			}
		}
	}()
	for range 50 {
		at := j.State().Seq
		r := openReader(t, path)
		require.NoError(t, r.Damaged())
		require.GreaterOrEqual(t, r.State().Seq, at)
		report, err := r.Verify()
		require.NoError(t, err)
		require.Empty(t, report.Problems)
		mine, err := j.Verify()
		require.NoError(t, err)
		require.Empty(t, mine.Problems)
	}
	close(done)
	<-finished
}

// TestAReaderHoldsNothing: a pager left open overnight must not keep the
// daemon from starting.
func TestAReaderHoldsNothing(t *testing.T) {
	path, _ := newJournal(t, 1)
	r := openReader(t, path)
	open(t, path, options())
	_, err := r.Records("")
	require.NoError(t, err)
}

func TestReadingChangesNothing(t *testing.T) {
	path, _ := newJournal(t, 1)
	require.NoError(t, os.Chmod(path, 0o400))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	r := openReader(t, path)
	_, err = r.Verify()
	require.NoError(t, err)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	_, err = journal.OpenReader(path+".nowhere", journal.Options{})
	require.ErrorIs(t, err, journal.ErrMissing)
}

// TestWhatIsLeftCanBeRead: most of a damaged journal is still there to see.
func TestWhatIsLeftCanBeRead(t *testing.T) {
	for name, harm := range map[string]func(*testing.T, string){
		"a zeroed page":   zero("records", 2),
		"cut at the end":  cutPages(-4),
		"a flipped bit":   flip("records", 7),
		"half the header": func(t *testing.T, path string) { overwrite(t, path, 0, make([]byte, 64)) },
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := newJournal(t, 3)
			harm(t, path)
			r := openReader(t, path)
			recs, _ := r.Records("")
			require.Greater(t, len(recs), 10)
			report, err := r.Verify()
			require.NoError(t, err)
			require.False(t, report.OK())
		})
	}
}
