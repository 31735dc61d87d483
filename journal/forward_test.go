package journal_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tope/updater/journal"
)

// TestANewerProgramWasHere: after a rollback an older updater finds records,
// phases, facts and summaries that it does not know. It goes on behind them,
// keeps them as they are, and calls nothing damaged.
func TestANewerProgramWasHere(t *testing.T) {
	path, before := newJournal(t, 2)
	payloads := []string{
		`{"update":"open","phase":"outcome","step":"Restart","evidence":{"x":1},"colour":"blue","took_ns":5}`,
		`{"update":"open","phase":"pondered","to":"Sleeping","mood":{"deep":[1,2,3]}}`,
		`["not even an object"]`,
	}
	seq, sum := before.Seq, before.Sum
	for _, p := range payloads {
		seq++
		value := journal.Chained(t, sum, seq, []byte(p))
		r, err := journal.Decode(seq, value)
		require.NoError(t, err)
		require.True(t, journal.Follows(sum, seq, value))
		sum = r.Sum
		journal.Meddle(t, path, "records", func(b *bolt.Bucket) error {
			if err := b.SetSequence(seq); err != nil {
				return err
			}
			return b.Put([]byte{0, 0, 0, 0, 0, 0, byte(seq >> 8), byte(seq)}, value)
		})
	}
	journal.Meddle(t, path, "summary", func(b *bolt.Bucket) error {
		s, err := json.Marshal(map[string]any{"fold": 99, "state": map[string]any{"seq": seq, "sum": sum, "weather": "fine"}})
		require.NoError(t, err)
		return b.Put([]byte("summary"), journal.Seal("summary", s))
	})

	opt := options()
	opt.Verify = true
	j := open(t, path, opt)
	fresh, damage := j.Fresh()
	require.False(t, fresh)
	require.Nil(t, damage)
	require.Equal(t, seq, j.State().Seq)
	require.JSONEq(t, `{"x":1}`, string(j.State().Open.Found["Restart"]))
	require.Equal(t, before.Open.State, j.State().Open.State, "a phase of a newer program moves nothing")
	require.Equal(t, before.Quarantine, j.State().Quarantine)

	_, err := j.Append(journal.Record{Update: "open", Phase: journal.Intent, Step: "HealthCheck"})
	require.NoError(t, err)
	requireWhole(t, j)
	recs, err := j.Records("")
	require.NoError(t, err)
	for n, p := range payloads {
		require.Equal(t, p, string(recs[len(recs)-4+n].Raw), "byte for byte")
	}
}

// TestNewerFactsOutliveTheirRecords: what a newer program put into the anchor is
// still there for it after this one has pruned.
func TestNewerFactsOutliveTheirRecords(t *testing.T) {
	path, _ := newJournal(t, 0)
	journal.Meddle(t, path, "anchor", func(b *bolt.Bucket) error {
		return b.Put([]byte("anchor"), journal.Seal("anchor", []byte(`{"fold":99,"state":{"seq":0,"sum":"","weather":{"today":"fine"}}}`)))
	})
	opt := options()
	opt.KeepUpdates = 1
	j := open(t, path, opt)
	runUpdate(t, j, "a")
	runUpdate(t, j, "b")
	recs, err := j.Records("")
	require.NoError(t, err)
	require.Equal(t, "b", recs[0].Update)
	requireWhole(t, j)
	require.NoError(t, j.Close())
	journal.Meddle(t, path, "anchor", func(b *bolt.Bucket) error {
		require.Contains(t, string(b.Get([]byte("anchor"))), `"weather":{"today":"fine"}`)
		return nil
	})
}
