package journal_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tope/updater/journal"
)

// anyOrigin is one of a few offers, so that they come again.
func anyOrigin() *rapid.Generator[journal.Origin] {
	return rapid.Custom(func(t *rapid.T) journal.Origin {
		return journal.Origin{
			Source: rapid.SampledFrom([]string{"channel stable", "hawkbit"}).Draw(t, "source"),
			Action: rapid.SampledFrom([]string{"17", "18"}).Draw(t, "action"),
			Digest: rapid.SampledFrom([]string{"", "sha256:1"}).Draw(t, "digest"),
		}
	})
}

func anyNotice() *rapid.Generator[journal.Notice] {
	return rapid.Custom(func(t *rapid.T) journal.Notice {
		n := journal.Notice{
			To:     rapid.SampledFrom([]string{"channel stable", "hawkbit", "device-api"}).Draw(t, "to"),
			Newest: rapid.Bool().Draw(t, "newest"),
			End:    rapid.Bool().Draw(t, "end"),
			State:  rapid.SampledFrom([]journal.State{"Downloading", "Failed", "Committed"}).Draw(t, "state"),
		}
		if rapid.Bool().Draw(t, "failed") {
			n.Error = &journal.Failure{Code: "X", Text: rapid.StringN(0, 700, -1).Draw(t, "text"), Late: []journal.Figure{{Service: "s"}}}
		}
		if rapid.Bool().Draw(t, "timed") {
			n.Time = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		}
		return n
	})
}

func fleetIngredients() []func(*rapid.T, *journal.Record) {
	return []func(*rapid.T, *journal.Record){
		func(t *rapid.T, r *journal.Record) { r.Owed = rapid.SliceOfN(anyNotice(), 1, 3).Draw(t, "owed") },
		func(t *rapid.T, r *journal.Record) {
			r.Told = &journal.Told{
				Notice: rapid.Uint64Range(1, 40).Draw(t, "notice"),
				To:     rapid.SampledFrom([]string{"channel stable", "hawkbit", "device-api"}).Draw(t, "to"),
				Never:  rapid.SampledFrom([]string{"", "410"}).Draw(t, "never"),
			}
		},
		func(t *rapid.T, r *journal.Record) {
			facts, _ := json.Marshal(rapid.IntRange(0, 9).Draw(t, "facts"))
			r.Remember = &journal.Remembered{Source: rapid.StringN(0, 1, 4).Draw(t, "source"), Facts: facts}
		},
		func(t *rapid.T, r *journal.Record) {
			r.Refuse = &journal.Refusal{Origin: anyOrigin().Draw(t, "origin"), State: "Failed"}
		},
		func(t *rapid.T, r *journal.Record) {
			r.Hold = &journal.Hold{Why: rapid.StringN(0, 300, -1).Draw(t, "hold")}
		},
		func(_ *rapid.T, r *journal.Record) { r.Unhold = true },
		func(_ *rapid.T, r *journal.Record) { r.Acquit = true },
		func(t *rapid.T, r *journal.Record) {
			r.Update = "p" + rapid.StringN(0, 1, 4).Draw(t, "probation")
			r.Accept = &journal.Accept{Kind: "probation", From: "1", To: "0", Reach: rapid.Bool().Draw(t, "reach"), Evicts: &journal.Quarantined{Digest: "1"}}
			r.To, r.Terminal = "Committed", rapid.Bool().Draw(t, "at once")
		},
		func(t *rapid.T, r *journal.Record) {
			r.Wait = &journal.Wait{Reason: "window", Text: rapid.StringN(0, 300, -1).Draw(t, "wait")}
		},
		func(t *rapid.T, r *journal.Record) {
			r.To, r.Terminal = rapid.SampledFrom([]journal.State{"Committed", "FellBack"}).Draw(t, "to"), true
			r.Trial = &journal.Trial{Lasts: time.Hour, Reach: rapid.Bool().Draw(t, "reach")}
		},
		func(t *rapid.T, r *journal.Record) {
			r.Probed = &journal.Probed{Ran: time.Minute, Boots: rapid.IntRange(0, 3).Draw(t, "boots"), Over: rapid.Bool().Draw(t, "over")}
		},
	}
}

// TestNothingOwedIsLost: whatever is told in between, an end is in the outbox until it is
// told, replaced by the newest to a recipient that wants no other, or older than KeepEnds
// others. The order is that of the records.
func TestNothingOwedIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &journal.Fold{}
		var want []journal.Notice // the ends, as simply as can be said
		for n := range rapid.IntRange(1, 200).Draw(rt, "length") {
			seq := uint64(n + 1)
			r := journal.Record{Seq: seq, Phase: journal.Outcome}
			if len(s.Outbox) > 0 && rapid.IntRange(0, 3).Draw(rt, "tell") == 0 {
				told := rapid.SampledFrom(s.Outbox).Draw(rt, "which")
				r.Told = &journal.Told{Notice: told.ID, To: told.To}
				want = slices.DeleteFunc(want, func(w journal.Notice) bool { return w.ID == told.ID && w.To == told.To })
			} else {
				o := anyNotice().Draw(rt, "notice")
				r.Owed = []journal.Notice{o}
				o.ID = seq
				want = slices.DeleteFunc(want, func(w journal.Notice) bool { return o.Newest && w.To == o.To })
				if o.End {
					want = append(want, o)
				}
			}
			s = journal.Apply(s, r)
			want = want[max(0, len(want)-journal.KeepEnds):]
			require.LessOrEqual(rt, len(s.Outbox), journal.KeepEnds)
			var have []uint64
			last := uint64(0)
			for _, o := range s.Outbox {
				require.Greater(rt, o.ID, last, "in order, and each once")
				if last = o.ID; o.End {
					have = append(have, o.ID)
				}
			}
			var ids []uint64
			for _, w := range want {
				ids = append(ids, w.ID)
			}
			require.Equal(rt, ids, have)
		}
	})
}
