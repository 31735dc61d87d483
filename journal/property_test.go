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
	"pgregory.net/rapid"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/journal/journaltest"
	"github.com/tope/updater/platform/clock/clocktest"
)

// TestAnyStory tells random stories to a real journal and to one in memory,
// with the same clock, so that even the checksums must be the same: the fold,
// the summary over restarts, and what pruning leaves of both.
func TestAnyStory(t *testing.T) {
	dir := fastDir(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		clk := clocktest.New()
		opt := journal.Options{
			Clock: clk, Create: true,
			KeepUpdates: rapid.IntRange(1, 4).Draw(rt, "keep"),
			Preallocate: rapid.SampledFrom([]int64{160 << 10, small}).Draw(rt, "size"),
		}
		real, err := journal.Open(path, opt)
		require.NoError(rt, err)
		defer func() { require.NoError(rt, os.Remove(path)) }()
		defer func() { require.NoError(rt, real.Close()) }()
		model := journaltest.New(clk)

		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				clk.Advance(time.Second)
				recs := rapid.SliceOfN(anyRecord(model.State().Open), 1, 4).Draw(rt, "records")
				want, err := model.Append(recs...)
				require.NoError(rt, err)
				have, err := real.Append(recs...)
				require.NoError(rt, err)
				requireSame(rt, want, have)
			},
			"note": func(rt *rapid.T) {
				open := model.State().Open
				if open == nil {
					rt.Skip("no update is open")
				}
				v := []byte(rapid.String().Draw(rt, "note"))
				require.NoError(rt, model.Note(open.ID, "Download", v))
				require.NoError(rt, real.Note(open.ID, "Download", v))
			},
			"reopen": func(rt *rapid.T) {
				require.NoError(rt, real.Close())
				opt.Verify = rapid.Bool().Draw(rt, "verify")
				real, err = journal.Open(path, opt)
				require.NoError(rt, err)
				model = model.Reopen()
				_, damage := real.Fresh()
				require.Nil(rt, damage)
			},
			"": func(rt *rapid.T) { requireAgree(rt, real, model) },
		})
	})
}

// requireAgree checks that the real journal is whole, and that it equals the
// model, less the oldest records.
func requireAgree(t *rapid.T, real *journal.Journal, model *journaltest.Journal) {
	requireSame(t, model.State(), real.State())
	report, err := real.Verify()
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	all, err := model.Records("")
	require.NoError(t, err)
	kept, err := real.Records("")
	require.NoError(t, err)
	requireSame(t, all[len(all)-len(kept):], kept)
	list, err := real.Updates()
	require.NoError(t, err)
	want, err := model.Updates()
	require.NoError(t, err)
	for _, u := range list {
		for _, w := range want {
			if w.FirstSeq == u.FirstSeq {
				requireSame(t, w, u)
			}
		}
	}
	open := model.State().Open
	if open == nil {
		return
	}
	require.Equal(t, open.ID, list[0].ID, "the open update is never pruned")
	mine, err := model.Records(open.ID)
	require.NoError(t, err)
	have, err := real.Records(open.ID)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(have), 1)
	requireSame(t, mine[len(mine)-len(have):], have)
	note, err := real.ReadNote(open.ID, "Download")
	require.NoError(t, err)
	wantNote, err := model.ReadNote(open.ID, "Download")
	require.NoError(t, err)
	require.Equal(t, string(wantNote), string(note))
}

func requireSame(t require.TestingT, want, have any) {
	w, err := json.Marshal(want)
	require.NoError(t, err)
	h, err := json.Marshal(have)
	require.NoError(t, err)
	require.Equal(t, string(w), string(h)) // as text: a number may be one that no float64 holds
}

// anyRecord is a record that may follow when open is the open update.
func anyRecord(open *journal.Update) *rapid.Generator[journal.Record] {
	return rapid.Custom(func(t *rapid.T) journal.Record {
		ids := []string{"a", "b", "c"}
		if open != nil {
			ids = append(ids, open.ID, open.ID, open.ID)
		}
		r := journal.Record{
			Update:  rapid.SampledFrom(ids).Draw(t, "update"),
			Phase:   rapid.SampledFrom([]journal.Phase{journal.Intent, journal.Observed, journal.Outcome}).Draw(t, "phase"),
			Step:    rapid.SampledFrom([]journal.Step{"", "Download", "Switch"}).Draw(t, "step"),
			Attempt: rapid.IntRange(0, 2).Draw(t, "attempt"),
			Why:     strings.Repeat("because ", rapid.IntRange(0, 700).Draw(t, "length")),
		}
		for _, add := range rapid.SliceOfN(rapid.SampledFrom(ingredients()), 0, 3).Draw(t, "with") {
			add(t, &r)
		}
		return r
	})
}

func ingredients() []func(*rapid.T, *journal.Record) {
	text := func(t *rapid.T) string { return rapid.StringN(0, 5, 20).Draw(t, "text") }
	state := rapid.SampledFrom([]journal.State{"Downloading", "Switching", "Failed", "Committed"})
	return []func(*rapid.T, *journal.Record){
		func(t *rapid.T, r *journal.Record) {
			r.Update = fmt.Sprintf("u%d", rapid.IntRange(0, 1000).Draw(t, "id"))
			r.Accept = &journal.Accept{Kind: journal.Kind(text(t)), From: text(t), Hold: rapid.Bool().Draw(t, "hold")}
			if rapid.Bool().Draw(t, "offered") {
				o := anyOrigin().Draw(t, "origin")
				r.Accept.Origin, r.Accept.Reports, r.Accept.Patience = &o, true, time.Hour
			}
		},
		func(t *rapid.T, r *journal.Record) { r.To, r.Trigger = state.Draw(t, "to"), journal.Trigger(text(t)) },
		func(t *rapid.T, r *journal.Record) { r.To, r.Terminal = state.Draw(t, "to"), true },
		func(_ *rapid.T, r *journal.Record) { r.Closed = true },
		func(t *rapid.T, r *journal.Record) {
			r.Evidence, _ = json.Marshal(map[string]string{text(t): text(t)})
		},
		func(t *rapid.T, r *journal.Record) { r.Error = &journal.Failure{Code: text(t), Text: text(t)} },
		func(t *rapid.T, r *journal.Record) {
			r.Learn = &journal.Learn{To: text(t), Digest: text(t), Services: []string{text(t)}, Proceed: rapid.Bool().Draw(t, "go")}
		},
		func(t *rapid.T, r *journal.Record) { r.Spend = &journal.Spend{By: "daemon", Cost: 1} },
		func(t *rapid.T, r *journal.Record) { r.Baseline = json.RawMessage(`{"ok":true}`) },
		func(t *rapid.T, r *journal.Record) {
			r.Quarantine = &journal.Quarantined{Digest: rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "digest"), Reason: text(t)}
		},
		func(t *rapid.T, r *journal.Record) {
			r.Unquarantine = rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "release")
		},
		func(t *rapid.T, r *journal.Record) { rapid.SampledFrom(fleetIngredients()).Draw(t, "fleet")(t, r) },
		func(t *rapid.T, r *journal.Record) { r.SignedBy = text(t) },
		func(t *rapid.T, r *journal.Record) { r.TrustForgotten = rapid.Bool().Draw(t, "forgotten") },
		func(t *rapid.T, r *journal.Record) { r.EpochFloor = rapid.Int64Range(0, 9).Draw(t, "epoch") },
	}
}

// TestApplyIsPure: the state handed in is shared and must stay as it was.
func TestApplyIsPure(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &journal.Fold{}
		for n := range rapid.IntRange(1, 12).Draw(rt, "length") {
			r := anyRecord(s.Open).Draw(rt, "record")
			r.Seq = uint64(n + 1)
			before, err := json.Marshal(s)
			require.NoError(rt, err)
			next := journal.Apply(s, r)
			requireSame(rt, next, journal.Apply(s, r))
			after, err := json.Marshal(s)
			require.NoError(rt, err)
			require.Equal(rt, string(before), string(after))
			s = next
		}
	})
}
