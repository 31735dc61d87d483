package journaltest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
)

// Store has the methods that the real journal and the one in memory share.
type Store interface {
	Append(recs ...journal.Record) (*journal.Fold, error)
	State() *journal.Fold
	Note(update, step string, v []byte) error
	ReadNote(update, step string) ([]byte, error)
	Records(update string) ([]journal.Record, error)
	Page(update string, after uint64, size int) ([]journal.Record, error)
	Updates() ([]journal.Update, error)
	Fresh() (bool, *journal.Damage)
	Transactions() uint64
	Close() error
}

var _ Store = (*Journal)(nil)

// Conformance is the suite that every journal must pass. open makes an empty
// journal, and a function that opens the same one again, as a new process
// would.
func Conformance(t *testing.T, open func(t *testing.T) (Store, func() Store)) {
	for name, test := range map[string]func(t *testing.T, j Store, reopen func() Store){
		"records are stamped, numbered and chained":     testRecords,
		"an append is one transaction, or none":         testTransactions,
		"notes are overwritten and go with the update":  testNotes,
		"what makes no sense is refused, and harmless":  testInvalid,
		"pages have every record once":                  testPages,
		"updates are folded one by one":                 testUpdates,
		"a record reads back as it is folded":           testRoundTrip,
		"nothing but an append makes a journal not new": testFresh,
	} {
		t.Run(name, func(t *testing.T) {
			j, reopen := open(t)
			test(t, j, reopen)
		})
	}
}

func accept(id string) journal.Record {
	return journal.Record{
		Update: id, Phase: journal.Outcome, Trigger: "accept", To: "Requested",
		Accept: &journal.Accept{Kind: "install", From: "1.0.0"},
	}
}

func closed(id string) journal.Record {
	return journal.Record{Update: id, Phase: journal.Outcome, Closed: true}
}

func mustAppend(t *testing.T, j Store, recs ...journal.Record) *journal.Fold {
	t.Helper()
	s, err := j.Append(recs...)
	require.NoError(t, err)
	require.Equal(t, s, j.State())
	return s
}

func testRecords(t *testing.T, j Store, reopen func() Store) {
	mustAppend(t, j, accept("a"), journal.Record{Update: "a", Phase: journal.Intent, Step: "Download", Attempt: 1})
	mustAppend(t, j, journal.Record{Phase: journal.Observed, Why: "the device looked at itself"})
	before := j.State()
	for range 2 {
		recs, err := j.Records("")
		require.NoError(t, err)
		require.Len(t, recs, 3)
		for n, r := range recs {
			require.EqualValues(t, n+1, r.Seq)
			require.False(t, r.Time.IsZero())
			require.NotZero(t, r.Mono)
			require.NotEmpty(t, r.Boot)
			require.Len(t, r.Sum, 64)
			require.True(t, json.Valid(r.Raw))
		}
		require.Equal(t, recs[2].Sum, j.State().Sum)
		mine, err := j.Records("a")
		require.NoError(t, err)
		require.Equal(t, recs[:2], mine)
		j = reopen()
		require.Equal(t, before, j.State())
	}
}

func testPages(t *testing.T, j Store, _ func() Store) {
	const size = 1000
	for _, id := range []string{"a", "b"} {
		mustAppend(t, j, accept(id))
		for range 20 {
			mustAppend(t, j, journal.Record{Update: id, Phase: journal.Observed, Why: strings.Repeat("x", 100)})
		}
		mustAppend(t, j, journal.Record{Update: id, Phase: journal.Observed, Why: strings.Repeat("more than a page ", 1000)})
		mustAppend(t, j, closed(id))
	}
	for _, id := range []string{"", "a", "b"} {
		want, err := j.Records(id)
		require.NoError(t, err)
		var have []journal.Record
		for last := uint64(0); ; {
			page, err := j.Page(id, last, size)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			held := 0
			for _, r := range page[:len(page)-1] {
				held += journal.StoredSize(r)
			}
			require.Less(t, held, size)
			have, last = append(have, page...), page[len(page)-1].Seq
		}
		require.Equal(t, want, have, id)
	}
}

func testTransactions(t *testing.T, j Store, reopen func() Store) {
	mustAppend(t, j, accept("a"), journal.Record{Update: "a", Phase: journal.Intent, Step: "Download"})
	require.EqualValues(t, 1, j.Transactions())
	same := mustAppend(t, j)
	require.EqualValues(t, 2, same.Seq)
	require.EqualValues(t, 1, j.Transactions(), "no records, no transaction")
	require.NoError(t, j.Note("a", "Download", []byte("1")))
	require.EqualValues(t, 2, j.Transactions())
	require.Zero(t, reopen().Transactions())
}

func testNotes(t *testing.T, j Store, reopen func() Store) {
	require.ErrorIs(t, j.Note("a", "Download", []byte("1")), journal.ErrNotOpen)
	mustAppend(t, j, accept("a"))
	none, err := j.ReadNote("a", "Download")
	require.NoError(t, err)
	require.Nil(t, none)
	require.NoError(t, j.Note("a", "Download", []byte("1")))
	require.NoError(t, j.Note("a", "Download", []byte("2")))
	require.NoError(t, j.Note("a", "Extract", []byte("3")))
	j = reopen()
	for step, want := range map[string]string{"Download": "2", "Extract": "3"} {
		have, err := j.ReadNote("a", step)
		require.NoError(t, err)
		require.Equal(t, want, string(have))
	}
	mustAppend(t, j, closed("a"))
	require.ErrorIs(t, j.Note("a", "Download", []byte("4")), journal.ErrNotOpen)
	mustAppend(t, j, accept("a2"))
	for _, update := range []string{"a", "a2"} {
		gone, err := j.ReadNote(update, "Download")
		require.NoError(t, err)
		require.Nil(t, gone)
	}
}

func testInvalid(t *testing.T, j Store, _ func() Store) {
	mustAppend(t, j, accept("a"))
	for _, r := range []journal.Record{
		{},
		{Update: "a", Phase: "guess"},
		{Phase: journal.Outcome, Accept: &journal.Accept{}},
		{Phase: journal.Outcome, To: "Ready"},
		{Update: "a", Phase: journal.Outcome, Evidence: json.RawMessage("{")},
	} {
		_, err := j.Append(journal.Record{Update: "a", Phase: journal.Intent, Step: "Download"}, r)
		require.ErrorIs(t, err, journal.ErrInvalid)
		require.NotErrorIs(t, err, journal.ErrPoisoned)
	}
	require.EqualValues(t, 1, j.State().Seq)
	mustAppend(t, j, closed("a"))
}

func testUpdates(t *testing.T, j Store, reopen func() Store) {
	for _, id := range []string{"a", "b", "c"} {
		mustAppend(t, j, accept(id))
		mustAppend(t, j, journal.Record{
			Update: id, Phase: journal.Outcome, To: "Failed", Trigger: "failed", Terminal: true,
			Error: &journal.Failure{Code: "DISK_FULL", Class: "local", Text: "no room for " + id},
		})
		if id != "c" {
			mustAppend(t, j, closed(id))
		}
	}
	mustAppend(t, j, journal.Record{Update: "b", Phase: journal.Observed, Why: "a word that comes late"})
	for range 2 {
		list, err := j.Updates()
		require.NoError(t, err)
		require.Len(t, list, 3)
		for n, id := range []string{"c", "b", "a"} {
			require.Equal(t, id, list[n].ID)
			require.Equal(t, "no room for "+id, list[n].Error.Text)
			require.Equal(t, id != "c", list[n].Closed)
		}
		require.Equal(t, j.State().Last.LastSeq, list[1].LastSeq)
		require.EqualValues(t, 3, j.State().Counters["Failed"])
		require.Equal(t, "c", j.State().Open.ID)
		require.Equal(t, "b", j.State().Last.ID)
		j = reopen()
	}
}

func testRoundTrip(t *testing.T, j Store, reopen func() Store) {
	s := mustAppend(t, j, accept("a"), journal.Record{
		Update: "a", Phase: journal.Outcome, Step: "Verify",
		Evidence: json.RawMessage(" { \"html\": \"<&>\" }\n"), Why: "not UTF-8: \xff",
		Learn: &journal.Learn{Services: []string{}},
	})
	require.Equal(t, `{"html":"<&>"}`, string(s.Open.Found["Verify"]))
	require.Equal(t, s, reopen().State())
}

func testFresh(t *testing.T, j Store, reopen func() Store) {
	for range 2 {
		fresh, damage := j.Fresh()
		require.True(t, fresh)
		require.Nil(t, damage)
		j = reopen()
	}
	mustAppend(t, j, accept("a"))
	fresh, _ := j.Fresh()
	require.False(t, fresh)
	fresh, _ = reopen().Fresh()
	require.False(t, fresh)
}
