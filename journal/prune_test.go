package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tope/updater/journal"
)

func TestPruneKeepsTheFacts(t *testing.T) {
	path := filepath.Join(fastDir(t), "journal.db")
	opt := options()
	opt.KeepUpdates = 5
	j := open(t, path, opt)
	_, err := j.Append(journal.Record{
		Phase: journal.Observed, EpochFloor: 7, Quarantine: &journal.Quarantined{Version: "6.6.6", Digest: "md5:666"},
	})
	require.NoError(t, err)
	for n := range 12 {
		runUpdate(t, j, updateID(n))
	}
	list, err := j.Updates()
	require.NoError(t, err)
	require.Len(t, list, 5)
	require.Equal(t, updateID(11), list[0].ID)
	require.Equal(t, updateID(7), list[4].ID)
	recs, err := j.Records("")
	require.NoError(t, err)
	require.Equal(t, list[4].FirstSeq, recs[0].Seq)
	gone, err := j.Records(updateID(6))
	require.NoError(t, err)
	require.Empty(t, gone)

	s := j.State()
	require.EqualValues(t, 7, s.EpochFloor)
	require.Equal(t, "6.6.6", s.Quarantine[0].Version)
	require.EqualValues(t, 12, s.Counters["Committed"])
	requireWhole(t, j)
	require.NoError(t, j.Close())
	journal.CheckWithBolt(t, path)

	// What is left tells it all once more, without the summary.
	journal.Meddle(t, path, "summary", func(b *bolt.Bucket) error { return b.Delete([]byte("summary")) })
	j = open(t, path, opt)
	_, damage := j.Fresh()
	require.Equal(t, journal.DamagedSummary, damage.Kind)
	require.Equal(t, s.Counters, j.State().Counters)
	require.Equal(t, s.Quarantine, j.State().Quarantine)
	require.Equal(t, s.Last, j.State().Last)
}

// TestTheFileNeverGrows: for all kinds of writes, as long as the open update fits.
func TestTheFileNeverGrows(t *testing.T) {
	for name, write := range map[string]func(t *testing.T, j *journal.Journal, n int){
		"updates": func(t *testing.T, j *journal.Journal, n int) { runUpdate(t, j, updateID(n)) },
		"updates with a lot to say": func(t *testing.T, j *journal.Journal, n int) {
			runUpdate(t, j, updateID(n))
			_, err := j.Append(journal.Record{Update: updateID(n), Phase: journal.Observed, Why: strings.Repeat("x", 20_000+100*n)})
			require.NoError(t, err)
		},
		"boots with nothing to do": func(t *testing.T, j *journal.Journal, _ int) {
			for range 40 {
				_, err := j.Append(journal.Record{Phase: journal.Observed, Why: strings.Repeat("nothing to do ", 30)})
				require.NoError(t, err)
			}
		},
		"updates that are superseded": func(t *testing.T, j *journal.Journal, n int) {
			for i := range 6 {
				_, err := j.Append(acceptRecord(fmt.Sprint(n, "-", i)))
				require.NoError(t, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(fastDir(t), "journal.db")
			opt := options()
			opt.Preallocate = 1 << 20
			j := open(t, path, opt)
			for n := range 150 {
				write(t, j, n)
			}
			report, err := j.Verify()
			require.NoError(t, err)
			require.Empty(t, report.Problems)
			require.Greater(t, report.First, uint64(1), "something was pruned")
			require.GreaterOrEqual(t, report.Records, 100, "but not everything")
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.EqualValues(t, opt.Preallocate, info.Size())
			require.GreaterOrEqual(t, info.Sys().(*syscall.Stat_t).Blocks*512, opt.Preallocate)
		})
	}
}

// TestTheDefaultSizeHoldsTheDefaultUpdates: 100 updates of 30 records of 600
// bytes never press against the reserve, so that all 100 are kept.
func TestTheDefaultSizeHoldsTheDefaultUpdates(t *testing.T) {
	j := open(t, filepath.Join(fastDir(t), "journal.db"), journal.Options{Clock: options().Clock, Create: true})
	for n := range 110 {
		runUpdate(t, j, updateID(n))
	}
	report, err := j.Verify()
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.Equal(t, journal.DefaultKeepUpdates, report.Updates)
	inUse := (report.Pages - report.Free) * journal.PageSize
	t.Logf("%d records, %d KiB in use, %d KiB touched", report.Records, inUse>>10, report.Pages*journal.PageSize>>10)
	require.Less(t, inUse, uint64(journal.DefaultPreallocate/2))
}

// TestPruningAndDamage: unreadable records do not keep new ones from being written.
func TestPruningAndDamage(t *testing.T) {
	t.Run("a bad record goes like any other", func(t *testing.T) {
		path, _ := newJournal(t, 3)
		flip("records", 7)(t, path)
		opt := options()
		opt.KeepUpdates = 1
		j := open(t, path, opt)
		runUpdate(t, j, "next")
		requireWhole(t, j)
	})
	t.Run("behind a bad page nothing is pruned", func(t *testing.T) {
		path, _ := newJournal(t, 3)
		zero("records", 2)(t, path)
		opt := options()
		opt.KeepUpdates = 1
		j := open(t, path, opt)
		for n := range 5 {
			runUpdate(t, j, updateID(10+n))
		}
		recs, err := j.Records("")
		require.ErrorIs(t, err, journal.ErrDamaged)
		require.EqualValues(t, 1, recs[0].Seq)
		list, err := j.Updates()
		require.ErrorIs(t, err, journal.ErrDamaged)
		require.Equal(t, updateID(14), list[0].ID)
	})
}
