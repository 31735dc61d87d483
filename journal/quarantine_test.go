package journal_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tope/updater/journal"
)

func badRelease(n int) journal.Quarantined {
	return journal.Quarantined{Version: fmt.Sprintf("1.%d.0", n), Digest: fmt.Sprintf("sha256:%064d", n), Reason: strings.Repeat("é", 300)}
}

// The quarantine once grew without end: 2,400 entries outgrew the journal.
func TestTheQuarantineIsBounded(t *testing.T) {
	path := filepath.Join(fastDir(t), "journal.db")
	j := open(t, path, options())
	size := func() int64 {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Size()
	}
	began := size()
	const all = 2400
	for n := 0; n < all; n += 100 {
		var recs []journal.Record
		for i := range 100 {
			q := badRelease(n + i)
			recs = append(recs, journal.Record{Phase: journal.Observed, Quarantine: &q})
		}
		_, err := j.Append(recs...)
		require.NoError(t, err)
	}
	again := badRelease(all - 10)
	_, err := j.Append(journal.Record{Phase: journal.Observed, Quarantine: &again})
	require.NoError(t, err)
	q := j.State().Quarantine
	require.Len(t, q, journal.KeepQuarantine)
	require.Equal(t, badRelease(all-journal.KeepQuarantine).Version, q[0].Version, "the newest stay")
	require.Equal(t, again.Digest, q[len(q)-1].Digest, "one that failed again is the newest")
	require.LessOrEqual(t, len(q[0].Reason), 200)
	require.True(t, utf8.ValidString(q[0].Reason))
	require.Equal(t, began, size(), "the file keeps its size")
	requireWhole(t, j)
}

// A journal of an older program has a long quarantine in its anchor and in its summary.
func TestALongQuarantineOfAnOlderProgram(t *testing.T) {
	path, before := newJournal(t, 0)
	var long []journal.Quarantined
	for n := range 2400 {
		long = append(long, badRelease(n))
	}
	for _, bucket := range []string{"anchor", "summary"} {
		journal.Meddle(t, path, bucket, func(b *bolt.Bucket) error {
			state := *before
			if bucket == "anchor" {
				state = journal.Fold{}
			}
			state.Quarantine = long
			s, err := json.Marshal(map[string]any{"fold": 1, "state": state})
			require.NoError(t, err)
			return b.Put([]byte(bucket), journal.Seal(bucket, s))
		})
	}
	j := open(t, path, options())
	q := j.State().Quarantine
	require.Len(t, q, journal.KeepQuarantine)
	require.NotEqual(t, badRelease(2399).Reason, q[len(q)-2].Reason, "reasons are short")
	require.Equal(t, "md5:666", q[len(q)-1].Digest, "what the records tell comes last")
	requireWhole(t, j)
}
