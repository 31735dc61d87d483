package journal_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/disk"
)

// damage is one way to damage a journal of three updates with a fourth open,
// and the result that Open must reach.
type damage struct {
	name string
	harm func(t *testing.T, path string)
	kind string
	// repaired: the journal goes on as it is, with all its records.
	repaired bool
	// hidden: only Options.Verify finds it.
	hidden bool
	// open and facts say whether the open update and the facts must have been saved.
	open, facts bool
}

func damages() []damage {
	return []damage{
		{name: "empty", harm: cutTo(0), kind: journal.DamagedEmpty},
		{name: "100 bytes", harm: cutTo(100), kind: journal.DamagedShort},
		{name: "a torn first write: 8 KiB", harm: cutTo(8 << 10), kind: journal.DamagedShort},
		{name: "a torn first write: 12 KiB", harm: cutTo(12 << 10), kind: journal.DamagedShort},
		{name: "cut in the middle", harm: cutPages(-8), kind: journal.DamagedShort},
		{name: "its last page in use cut off", harm: cutPages(-1), kind: journal.DamagedShort},
		{name: "cut inside its last page in use", harm: func(t *testing.T, path string) {
			_, pages := journal.Newest(t, path)
			require.NoError(t, os.Truncate(path, int64(pages)*journal.PageSize-1))
		}, kind: journal.DamagedShort},

		{name: "text", harm: writeFile([]byte("this is not a journal\n")), kind: journal.DamagedShort},
		{name: "noise", harm: writeFile(noise(64 << 10)), kind: journal.DamagedHeader},
		{name: "zeros", harm: writeFile(make([]byte, 64<<10)), kind: journal.DamagedHeader},
		{name: "another program's bbolt file", harm: func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			db, err := bolt.Open(path, 0o600, nil)
			require.NoError(t, err)
			require.NoError(t, db.Close())
		}, kind: journal.DamagedPages},

		{name: "both header pages", harm: func(t *testing.T, path string) {
			overwrite(t, path, 40, noise(8))
			overwrite(t, path, journal.PageSize+40, noise(8))
		}, kind: journal.DamagedHeader},
		{name: "the newest header page", harm: func(t *testing.T, path string) {
			meta, _ := journal.Newest(t, path)
			overwrite(t, path, int64(meta)*journal.PageSize+40, noise(8))
		}, kind: journal.DamagedMeta, repaired: true, facts: true},
		{name: "the older header page", harm: func(t *testing.T, path string) {
			meta, _ := journal.Newest(t, path)
			overwrite(t, path, int64(1-meta)*journal.PageSize, make([]byte, journal.PageSize))
		}, kind: journal.DamagedMeta, repaired: true, facts: true, open: true},

		{name: "the root page zeroed", harm: zero("", 0), kind: journal.DamagedPages, facts: true},
		{name: "the free list zeroed", harm: func(t *testing.T, path string) {
			overwrite(t, path, int64(journal.Freelist(t, path))*journal.PageSize, make([]byte, journal.PageSize))
		}, kind: journal.DamagedPages, facts: true, open: true},
		{name: "the free list out of its range", harm: func(t *testing.T, path string) {
			overwrite(t, path, int64(journal.Freelist(t, path))*journal.PageSize+16, bytes.Repeat([]byte{0xee}, 8))
		}, kind: journal.DamagedPages, facts: true, open: true},
		{name: "the free list has a live page", harm: func(t *testing.T, path string) {
			page := journal.Pages(t, path, "records")[0]
			overwrite(t, path, int64(journal.Freelist(t, path))*journal.PageSize+10, []byte{1, 0})
			overwrite(t, path, int64(journal.Freelist(t, path))*journal.PageSize+16, []byte{byte(page), byte(page >> 8), 0, 0, 0, 0, 0, 0})
		}, kind: journal.DamagedPages, hidden: true, facts: true, open: true},
		{name: "the root of the records zeroed", harm: zero("records", 0), kind: journal.DamagedPages, facts: true},
		{name: "the oldest records zeroed", harm: zero("records", 1), kind: journal.DamagedPages, hidden: true, facts: true, open: true},
		{name: "the newest records zeroed", harm: zero("records", -1), kind: journal.DamagedPages, facts: true},
		{name: "records that are another page", harm: func(t *testing.T, path string) {
			pages := journal.Pages(t, path, "records")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			at := pages[2] * journal.PageSize
			overwrite(t, path, int64(pages[1])*journal.PageSize, data[at:at+journal.PageSize])
		}, kind: journal.DamagedPages, hidden: true, facts: true, open: true},
		{name: "the summary zeroed", harm: zero("summary", 0), kind: journal.DamagedPages, facts: true},

		{name: "a byte in an old record", harm: flip("records", 7), kind: journal.DamagedChain, hidden: true, facts: true, open: true},
		{name: "a byte in the newest record", harm: flip("records", -1), kind: journal.DamagedChain, facts: true},
		{name: "an old record gone", harm: meddle("records", func(b *bolt.Bucket) error {
			return b.Delete(nth(b, 7))
		}), kind: journal.DamagedChain, hidden: true, facts: true, open: true},
		{name: "the newest record gone", harm: meddle("records", func(b *bolt.Bucket) error {
			return b.Delete(nth(b, -1))
		}), kind: journal.DamagedChain, facts: true},
		{name: "two records in each other's place", harm: meddle("records", func(b *bolt.Bucket) error {
			k, l := nth(b, 7), nth(b, 8)
			v, w := bytes.Clone(b.Get(k)), bytes.Clone(b.Get(l))
			if err := b.Put(k, w); err != nil {
				return err
			}
			return b.Put(l, v)
		}), kind: journal.DamagedChain, hidden: true, facts: true, open: true},

		{name: "a byte in the summary", harm: flip("summary", 0), kind: journal.DamagedSummary, repaired: true, facts: true, open: true},
		{name: "no summary", harm: meddle("summary", func(b *bolt.Bucket) error {
			return b.Delete([]byte("summary"))
		}), kind: journal.DamagedSummary, repaired: true, facts: true, open: true},
		{name: "a whole summary that is wrong", harm: meddle("summary", func(b *bolt.Bucket) error {
			payload := bytes.Replace(b.Get([]byte("summary"))[33:], []byte(`"Committed":3`), []byte(`"Committed":8`), 1)
			return b.Put([]byte("summary"), journal.Seal("summary", payload))
		}), kind: journal.DamagedSummary, repaired: true, hidden: true, facts: true, open: true},
		{name: "an update gone from the index", harm: meddle("updates", func(b *bolt.Bucket) error {
			return b.Delete(nth(b, 1))
		}), kind: journal.DamagedChain, hidden: true, facts: true, open: true},
		{name: "an index of what never was", harm: meddle("updates", func(b *bolt.Bucket) error {
			return b.Put([]byte{0, 0, 0, 0, 0, 0, 0, 5}, []byte("never"))
		}), kind: journal.DamagedChain, hidden: true, facts: true, open: true},
		{name: "a byte in the anchor", harm: flip("anchor", 0), kind: journal.DamagedChain, facts: true, open: true},
		{name: "a byte in the summary and one in an old record", harm: func(t *testing.T, path string) {
			flip("summary", 0)(t, path)
			flip("records", 7)(t, path)
		}, kind: journal.DamagedChain, facts: true},
	}
}

func TestDamage(t *testing.T) {
	for _, d := range damages() {
		t.Run(d.name, func(t *testing.T) {
			path, before := newJournal(t, 3)
			d.harm(t, path)
			harmed, err := os.ReadFile(path)
			require.NoError(t, err)

			readable(t, path)

			opt := options()
			opt.Verify = d.hidden
			opt.Create = false
			j, err := journal.Open(path, opt)
			if d.repaired {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, journal.ErrDamaged)
				require.ErrorContains(t, err, path)
				same, err := os.ReadFile(path)
				require.NoError(t, err)
				require.True(t, bytes.Equal(harmed, same), "nothing is touched without Create")
				opt.Create = true
				j = open(t, path, opt)
			}
			requireRecovered(t, j, d, before, harmed)

			_, err = j.Append(acceptRecord("next"))
			require.NoError(t, err)
			requireWhole(t, j)
			require.NoError(t, j.Close())
			journal.CheckWithBolt(t, path)
			opt.Verify = true
			_, again := open(t, path, opt).Fresh()
			require.Nil(t, again)
		})
	}
}

// requireRecovered checks the journal that Open made after the damage.
func requireRecovered(t *testing.T, j *journal.Journal, d damage, before *journal.Fold, harmed []byte) {
	t.Helper()
	fresh, found := j.Fresh()
	require.NotNil(t, found)
	require.Equal(t, d.kind, found.Kind)
	require.NotEmpty(t, found.Text)
	require.Equal(t, !d.repaired, fresh)
	require.Equal(t, found, j.State().Damage)
	recs, err := j.Records("")
	require.NoError(t, err)
	require.Equal(t, found, recs[len(recs)-1].Damage, "it is journaled")

	if d.repaired || d.kind == journal.DamagedEmpty {
		require.Empty(t, found.Kept)
	} else {
		kept, err := os.ReadFile(found.Kept)
		require.NoError(t, err)
		require.True(t, bytes.Equal(harmed, kept))
		require.Len(t, recs, 1)
		var s journal.Salvage
		require.NoError(t, json.Unmarshal(recs[0].Evidence, &s))
		require.Equal(t, d.open, s.Exact)
	}
	require.NoFileExists(t, disk.TempName(j.Path()))

	state := j.State()
	if d.facts {
		require.Equal(t, before.Quarantine, state.Quarantine)
		require.Equal(t, before.Counters, state.Counters)
		require.Equal(t, before.Last, state.Last)
		requireSame(t, fleetOf(before), fleetOf(state))
	}
	if d.open {
		require.Equal(t, before.Open, state.Open)
		note, err := j.ReadNote("open", "Download")
		require.NoError(t, err)
		require.Equal(t, d.repaired, note != nil)
	} else if !d.repaired {
		require.Nil(t, state.Open)
	}
}

// readable checks that a reader survives the damage too.
func readable(t *testing.T, path string) {
	t.Helper()
	r, err := journal.OpenReader(path, journal.Options{})
	if err != nil {
		require.ErrorIs(t, err, journal.ErrDamaged)
		return
	}
	report, err := r.Verify()
	require.NoError(t, err)
	require.NotEmpty(t, report.Problems)
	require.NotNil(t, r.State())
	for _, update := range []string{"", "u001"} {
		if _, err := r.Records(update); err != nil {
			require.ErrorIs(t, err, journal.ErrDamaged)
		}
	}
	if _, err := r.Updates(); err != nil {
		require.ErrorIs(t, err, journal.ErrDamaged)
	}
}

// TestDamagedJournalsAreNotKeptForEver: each may be large, so only some are kept.
func TestDamagedJournalsAreNotKeptForEver(t *testing.T) {
	path, _ := newJournal(t, 1)
	for range 5 {
		require.NoError(t, os.Truncate(path, 12<<10))
		require.NoError(t, open(t, path, options()).Close())
	}
	kept, err := filepath.Glob(path + ".damaged-*")
	require.NoError(t, err)
	require.Len(t, kept, 3)
}

// TestReplacingIsCut: the power goes at each point of putting a new journal in
// the place of a damaged one; the next Open must know what happened.
func TestReplacingIsCut(t *testing.T) {
	path, _ := newJournal(t, 1)
	cutTo(12<<10)(t, path)
	harmed, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, open(t, path, options()).Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)

	for name, tt := range map[string]struct{ at, tmp, kept []byte }{
		"while the new one is written":         {harmed, whole[:journal.PageSize], nil},
		"after the new one was written":        {harmed, whole, nil},
		"after the damaged one was moved away": {nil, whole, harmed},
		"after the new one was put in place":   {whole, nil, harmed},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			for file, data := range map[string][]byte{path: tt.at, disk.TempName(path): tt.tmp, path + ".damaged-20260102T030405Z": tt.kept} {
				if data != nil {
					require.NoError(t, os.WriteFile(file, data, 0o600))
				}
			}
			j := open(t, path, options())
			fresh, damage := j.Fresh()
			require.True(t, fresh)
			require.Equal(t, journal.DamagedShort, damage.Kind)
			require.NoFileExists(t, disk.TempName(path))
			kept, err := filepath.Glob(path + ".damaged-*")
			require.NoError(t, err)
			require.Len(t, kept, 1)
			data, err := os.ReadFile(kept[0])
			require.NoError(t, err)
			require.True(t, bytes.Equal(harmed, data))
		})
	}
}

func cutTo(size int64) func(*testing.T, string) {
	return func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, size)) }
}

// cutPages cuts the file to so many pages less than are in use.
func cutPages(n int64) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		_, pages := journal.Newest(t, path)
		require.NoError(t, os.Truncate(path, (int64(pages)+n)*journal.PageSize))
	}
}

func writeFile(data []byte) func(*testing.T, string) {
	return func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, data, 0o600)) }
}

// noise is the same every time.
func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

// zero zeroes the n'th page of a bucket, from the end when n is negative.
func zero(bucket string, n int) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		pages := journal.Pages(t, path, bucket)
		id := pages[(n+len(pages))%len(pages)]
		overwrite(t, path, int64(id)*journal.PageSize, make([]byte, journal.PageSize))
	}
}

func meddle(bucket string, f func(*bolt.Bucket) error) func(*testing.T, string) {
	return func(t *testing.T, path string) { journal.Meddle(t, path, bucket, f) }
}

// flip flips a bit in the n'th value of a bucket.
func flip(bucket string, n int) func(*testing.T, string) {
	return meddle(bucket, func(b *bolt.Bucket) error {
		k := nth(b, n)
		v := bytes.Clone(b.Get(k))
		v[len(v)/2] ^= 4
		return b.Put(k, v)
	})
}

// nth is the n'th key of a bucket, from the end when n is negative.
func nth(b *bolt.Bucket, n int) []byte {
	var keys [][]byte
	_ = b.ForEach(func(k, _ []byte) error {
		keys = append(keys, bytes.Clone(k))
		return nil
	})
	return keys[(n+len(keys))%len(keys)]
}

func replaceBytes(t testing.TB, path, from, to string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(data), from)
	require.NoError(t, os.WriteFile(path, bytes.ReplaceAll(data, []byte(from), []byte(to)), 0o600))
}
