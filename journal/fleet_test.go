package journal_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tope/updater/journal"
)

var (
	first  = journal.Origin{Source: "hawkbit", Action: "17", Digest: "sha256:1"}
	second = journal.Origin{Source: "channel stable", Action: "1.2.0", Digest: "sha256:2"}
)

// ofAFleet is a record with one of each that the fold keeps of a fleet.
func ofAFleet() journal.Record {
	return journal.Record{
		Owed: []journal.Notice{
			{To: "hawkbit", Origin: &first, State: "Downloading"},
			{To: "device-api", State: "Failed", End: true, Newest: true, Error: &journal.Failure{Code: "IO_ERROR", Text: "no"}},
		},
		Remember: &journal.Remembered{Source: "channel stable", Facts: json.RawMessage(`{"serial":42}`)},
		Refuse:   &journal.Refusal{Origin: second, State: "Failed"},
		Error:    &journal.Failure{Code: "QUARANTINED", Text: "it failed before"},
		Hold:     &journal.Hold{Why: "trade fair"},
		By:       &journal.Asker{Kind: journal.ByToken, Token: "ci"},
	}
}

// fleetOf is what a fold keeps of a fleet.
func fleetOf(s *journal.Fold) map[string]any {
	return map[string]any{"outbox": s.Outbox, "remembered": s.Remembered, "offers": s.Offers, "held": s.Held, "probation": s.Probation, "suspect": s.Suspect}
}

func requireFleet(t *testing.T, s *journal.Fold) {
	t.Helper()
	require.Len(t, s.Outbox, 2)
	require.Equal(t, `{"serial":42}`, string(s.FactsOf("channel stable")))
	require.Nil(t, s.FactsOf("hawkbit"))
	require.Equal(t, "QUARANTINED", s.EndOf(second).Code)
	require.Nil(t, s.EndOf(first))
	require.Equal(t, "trade fair", s.Held.Why)
}

// Two records in which each field of a fleet stands, as they are written. Whoever changes
// this text changes the format: devices have journals that say it so.
func TestTheWordsOfAFleetInTheFormat(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for want, r := range map[string]journal.Record{
		`{"seq":1,"time":"0001-01-01T00:00:00Z","mono_ns":0,"boot":"","update":"u","phase":"outcome","accept":{"kind":"install","from":"1.0.0","before":{"current":"","previous":"","factory":""},` +
			`"origin":{"source":"hawkbit","action":"17","digest":"sha256:1"},"reports":true,"patience_ns":1000,` +
			`"evicts":{"version":"1.1.0","digest":"sha256:1","reason":"r","update":"a","time":"2026-01-02T03:04:05Z"},"reach":true},` +
			`"owed":[{"to":"device-api","newest":true,"update":"u","origin":{"source":"hawkbit","action":"17","digest":"sha256:1"},"state":"Committed","end":true,"from":"1.0.0","version":"1.1.0","running":"1.1.0",` +
			`"error":{"code":"X","class":"","text":"y"},"by":{"kind":"source","source":"hawkbit","action":"17"},"time":"2026-01-02T03:04:05Z"}],` +
			`"wait":{"reason":"window","text":"z","until":"2026-01-02T03:04:05Z"},"trial":{"lasts_ns":1000,"reach":true,"reports":true}}`: {
			Seq: 1, Update: "u", Phase: journal.Outcome,
			Accept: &journal.Accept{Kind: "install", From: "1.0.0", Origin: &first, Reports: true, Patience: 1000, Evicts: &journal.Quarantined{Version: "1.1.0", Digest: "sha256:1", Reason: "r", Update: "a", Time: at}, Reach: true},
			Owed: []journal.Notice{{
				To: "device-api", Newest: true, Update: "u", Origin: &first, State: "Committed", End: true, From: "1.0.0", Version: "1.1.0", Running: "1.1.0",
				Error: &journal.Failure{Code: "X", Text: "y"}, By: &journal.Asker{Kind: journal.BySource, Source: "hawkbit", Action: "17"}, Time: at,
			}},
			Wait: &journal.Wait{Reason: "window", Text: "z", Until: at}, Trial: &journal.Trial{Lasts: 1000, Reach: true, Reports: true},
		},
		`{"seq":2,"time":"0001-01-01T00:00:00Z","mono_ns":0,"boot":"","phase":"outcome","told":{"notice":7,"to":"hawkbit","never":"410"},"remember":{"source":"channel stable","facts":{"serial":42}},` +
			`"refuse":{"origin":{"source":"channel stable","action":"1.2.0","digest":"sha256:2"},"state":"Failed"},"hold":{"until":"2026-01-02T03:04:05Z","why":"fair"},"unhold":true,` +
			`"probed":{"ran_ns":1000,"boots":2,"over":true},"acquit":true}`: {
			Seq: 2, Phase: journal.Outcome,
			Told:     &journal.Told{Notice: 7, To: "hawkbit", Never: "410"},
			Remember: &journal.Remembered{Source: "channel stable", Facts: json.RawMessage(`{"serial":42}`)},
			Refuse:   &journal.Refusal{Origin: second, State: "Failed"}, Hold: &journal.Hold{Until: at, Why: "fair"}, Unhold: true,
			Probed: &journal.Probed{Ran: 1000, Boots: 2, Over: true}, Acquit: true,
		},
	} {
		_, stored, err := journal.Encode("", r)
		require.NoError(t, err)
		require.Equal(t, want, string(stored.Raw))
	}
}

// told appends records to the journal, each a transaction of its own.
func told(t *testing.T, j *journal.Journal, recs ...journal.Record) *journal.Fold {
	t.Helper()
	for _, r := range recs {
		r.Phase = journal.Outcome
		_, err := j.Append(r)
		require.NoError(t, err)
	}
	return j.State()
}

// Servers, people and releases may say as much as they like, for as long as they like.
func TestAFleetDoesNotGrowTheFold(t *testing.T) {
	path := filepath.Join(fastDir(t), "journal.db")
	opt := options()
	opt.Preallocate = journal.DefaultPreallocate
	j := open(t, path, opt)
	long := strings.Repeat("é", 600)
	began, err := os.Stat(path)
	require.NoError(t, err)
	const all = 10_000
	var recs []journal.Record
	for n := range all {
		o := journal.Origin{Source: fmt.Sprint("source ", n%20), Action: fmt.Sprint(n)}
		text := "no"
		if n%500 == 0 || n > all-100 {
			text = long
		}
		failure := &journal.Failure{Code: "X", Text: text, Details: text + text, Outline: text, Late: []journal.Figure{{Service: text}}}
		recs = append(recs, journal.Record{
			Phase: journal.Outcome, Error: failure, Refuse: &journal.Refusal{Origin: o, State: "Failed"},
			Owed:     []journal.Notice{{To: o.Source, Origin: &o, State: "Failed", End: n%2 == 0, Error: failure}},
			Remember: &journal.Remembered{Source: o.Source, Facts: json.RawMessage(`"` + strings.Repeat("x", 100) + `"`)},
			Hold:     &journal.Hold{Why: text},
		})
		if len(recs) == 10 {
			_, err := j.Append(recs...)
			require.NoError(t, err)
			recs = nil
			s := j.State()
			require.LessOrEqual(t, len(s.Outbox), journal.KeepEnds)
			require.LessOrEqual(t, len(s.Offers), journal.KeepOffers)
			require.LessOrEqual(t, len(s.Remembered), 8)
		}
	}
	s := j.State()
	require.Len(t, s.Outbox, journal.KeepEnds, "the ends stay, the newest of them")
	require.EqualValues(t, all-1-2*(journal.KeepEnds-1), s.Outbox[0].ID)
	require.Equal(t, fmt.Sprint(all-1), s.Offers[journal.KeepOffers-1].Action)
	worst := s.Outbox[journal.KeepEnds-1].Error
	require.LessOrEqual(t, len(worst.Text)+len(worst.Outline)+len(worst.Details), 2<<10)
	require.Empty(t, worst.Late)
	kept, err := json.Marshal(fleetOf(s))
	require.NoError(t, err)
	require.Less(t, len(kept), 200<<10)
	now, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, began.Size(), now.Size(), "the file keeps its size")
	requireWhole(t, j)

	_, err = j.Append(journal.Record{Phase: journal.Outcome, Remember: &journal.Remembered{Source: "s", Facts: json.RawMessage(`"` + strings.Repeat("x", journal.MaxFacts) + `"`)}})
	require.ErrorIs(t, err, journal.ErrInvalid)
	require.Same(t, s, j.State(), "and nothing was written")
}

// What a fleet is owed, and what its sources remember, outlives the records and the summary.
func TestAFleetOutlivesItsRecords(t *testing.T) {
	path := filepath.Join(fastDir(t), "journal.db")
	opt := options()
	opt.KeepUpdates = 2
	j := open(t, path, opt)
	told(t, j, ofAFleet())
	for n := range 5 {
		runUpdate(t, j, updateID(n))
	}
	recs, err := j.Records("")
	require.NoError(t, err)
	require.Greater(t, recs[0].Seq, uint64(1), "its record is gone")
	requireFleet(t, j.State())
	before := j.State()
	require.NoError(t, j.Close())
	for name, harm := range map[string]func(b *bolt.Bucket) error{
		"reopened":   func(*bolt.Bucket) error { return nil },
		"no summary": func(b *bolt.Bucket) error { return b.Delete([]byte("summary")) },
		"a summary of the program before": func(b *bolt.Bucket) error {
			old := *before
			old.Outbox, old.Remembered, old.Offers, old.Held, old.Probation, old.Suspect = nil, nil, nil, nil, nil, nil
			s, err := json.Marshal(map[string]any{"fold": 3, "state": old})
			require.NoError(t, err)
			return b.Put([]byte("summary"), journal.Seal("summary", s))
		},
	} {
		t.Run(name, func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), "journal.db")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(copied, data, 0o600))
			journal.Meddle(t, copied, "summary", harm)
			j := open(t, copied, opt)
			requireSame(t, before.Outbox, j.State().Outbox)
			requireSame(t, fleetOf(before), fleetOf(j.State()))
			requireWhole(t, j)
		})
	}
}

// A device went back to a program that knows nothing of fleets, which has pruned, and
// forward again. That program keeps in the anchor what it does not know, and leaves it out
// of its summary. Damage in between loses none of it either.
func TestAProgramWithoutFleetsWasHere(t *testing.T) {
	for name, damaged := range map[string]bool{"whole": false, "damaged": true} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			opt := options()
			opt.KeepUpdates = 1
			j := open(t, path, opt)
			told(t, j, ofAFleet())
			runUpdate(t, j, "a")
			runUpdate(t, j, "b")
			told(t, j, journal.Record{Owed: []journal.Notice{{To: "hawkbit", State: "Committed", End: true}}, Update: "b"})
			want := fleetOf(j.State())
			require.NoError(t, j.Close())
			var state map[string]json.RawMessage
			journal.Meddle(t, path, "anchor", func(b *bolt.Bucket) error {
				require.Contains(t, string(b.Get([]byte("anchor"))), `"outbox":[{`, "its record is gone")
				return b.Put([]byte("anchor"), journal.Seal("anchor", aged(t, b.Get([]byte("anchor")), &state)))
			})
			journal.Meddle(t, path, "summary", func(b *bolt.Bucket) error {
				aged(t, b.Get([]byte("summary")), &state)
				for key := range want {
					delete(state, key)
				}
				payload, err := json.Marshal(map[string]any{"fold": 3, "state": state})
				require.NoError(t, err)
				return b.Put([]byte("summary"), journal.Seal("summary", payload))
			})
			if damaged {
				overwrite(t, path, int64(journal.Freelist(t, path))*journal.PageSize, make([]byte, journal.PageSize))
			}
			j = open(t, path, opt)
			_, damage := j.Fresh()
			require.Equal(t, damaged, damage != nil)
			requireSame(t, want, fleetOf(j.State()))
			require.Len(t, j.State().Outbox, 3)
			requireWhole(t, j)
		})
	}
}

// aged is a stored state as the program before would have written it; state is its fields.
func aged(t *testing.T, value []byte, state *map[string]json.RawMessage) []byte {
	t.Helper()
	var s struct {
		State map[string]json.RawMessage `json:"state"`
	}
	require.NoError(t, json.Unmarshal(value[33:], &s))
	*state = s.State
	payload, err := json.Marshal(map[string]any{"fold": 3, "state": s.State})
	require.NoError(t, err)
	return payload
}
