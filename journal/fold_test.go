package journal_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
)

// stamped numbers and stamps records as Append would.
func stamped(recs ...journal.Record) []journal.Record {
	for n := range recs {
		recs[n].Seq = uint64(n + 1)
		recs[n].Time = time.Date(2026, 1, 2, 3, 4, n, 0, time.UTC)
		recs[n].Mono = time.Duration(n) * time.Second
		recs[n].Boot = "boot"
		if recs[n].Phase == "" {
			recs[n].Phase = journal.Outcome
		}
	}
	return recs
}

func fold(recs ...journal.Record) *journal.Fold {
	s := &journal.Fold{}
	for _, r := range stamped(recs...) {
		s = journal.Apply(s, r)
	}
	return s
}

func TestApply(t *testing.T) {
	accept := journal.Record{Update: "u", To: "Requested", Accept: &journal.Accept{Kind: "install", From: "1.0.0", Hold: true}}
	failure := func(text string) *journal.Failure { return &journal.Failure{Code: "IO_ERROR", Text: text} }
	for name, tt := range map[string]struct {
		recs  []journal.Record
		check func(t *testing.T, s *journal.Fold, u *journal.Update)
	}{
		"accept opens an update": {nil, func(t *testing.T, s *journal.Fold, u *journal.Update) {
			require.EqualValues(t, "install", u.Kind)
			require.EqualValues(t, "Requested", u.State)
			require.EqualValues(t, 1, u.FirstSeq)
			require.EqualValues(t, 1, u.LastSeq)
			require.Equal(t, u.Accepted, u.Entered)
			require.Nil(t, s.Last)
		}},
		"entering a state forgets what was spent in the one before": {[]journal.Record{
			{Update: "u", To: "Switching", Spend: &journal.Spend{By: "daemon", Cost: 1}},
			{Update: "u", Phase: journal.Observed, Spend: &journal.Spend{By: "recover", Cost: 1}},
			{Update: "u", Phase: journal.Observed, Spend: &journal.Spend{By: "daemon", Cost: 0}},
		}, func(t *testing.T, _ *journal.Fold, u *journal.Update) {
			require.Equal(t, 2, u.Spent)
			require.Equal(t, "daemon", u.LastSpendBy)
			require.Equal(t, "boot", u.LastSpendBoot)
			next := journal.Apply(&journal.Fold{Open: u}, journal.Record{Update: "u", Phase: journal.Outcome, To: "RollingBack"})
			require.Zero(t, next.Open.Spent)
			require.Empty(t, next.Open.LastSpendBy)
			require.Empty(t, next.Open.LastSpendBoot)
		}},
		"an intent is the step that is under way": {[]journal.Record{
			{Update: "u", Phase: journal.Intent, Step: "Download", Attempt: 1},
			{Update: "u", Phase: journal.Intent, Step: "Download", Attempt: 2},
			{Update: "u", Phase: journal.Observed, Step: "Verify", Attempt: 7},
		}, func(t *testing.T, _ *journal.Fold, u *journal.Update) {
			require.EqualValues(t, "Download", u.Step)
			require.Equal(t, 2, u.Attempt)
			require.Equal(t, 2*time.Second, u.IntentMono)
		}},
		"evidence is found by step, of successes only": {[]journal.Record{
			{Update: "u", Step: "Download", Evidence: json.RawMessage(`1`)},
			{Update: "u", Step: "Download", Evidence: json.RawMessage(`2`)},
			{Update: "u", Step: "Verify", Evidence: json.RawMessage(`3`), Error: failure("no")},
			{Update: "u", Phase: journal.Observed, Step: "Extract", Evidence: json.RawMessage(`4`)},
		}, func(t *testing.T, _ *journal.Fold, u *journal.Update) {
			require.Equal(t, map[journal.Step]json.RawMessage{"Download": json.RawMessage(`2`)}, u.Found)
		}},
		"the cause is the failure that turned it back, the error the newest": {[]journal.Record{
			{Update: "u", Error: failure("retried")},
			{Update: "u", Error: failure("turned back"), Trigger: "failed", To: "RollingBack"},
			{Update: "u", Error: failure("fell"), Trigger: "failed", To: "FallingBack"},
		}, func(t *testing.T, _ *journal.Fold, u *journal.Update) {
			require.Equal(t, "turned back", u.Cause.Text)
			require.Equal(t, "fell", u.Error.Text)
		}},
		"what is learnt is merged": {[]journal.Record{
			{Update: "u", Learn: &journal.Learn{To: "2.0.0", Digest: "md5:1", Services: []string{"a"}}},
			{Update: "u", Learn: &journal.Learn{Digest: "md5:2", Proceed: true}},
		}, func(t *testing.T, _ *journal.Fold, u *journal.Update) {
			require.Equal(t, "2.0.0", u.To)
			require.Equal(t, "md5:2", u.Digest)
			require.Equal(t, []string{"a"}, u.Services)
			require.False(t, u.Hold)
		}},
		"terminal is counted once, and not yet closed": {[]journal.Record{
			{Update: "u", To: "Committed", Terminal: true},
			{Update: "u", Terminal: true},
		}, func(t *testing.T, s *journal.Fold, u *journal.Update) {
			require.True(t, u.Terminal)
			require.Equal(t, time.Second, u.EndedMono)
			require.Equal(t, map[journal.State]int64{"Committed": 1}, s.Counters)
		}},
		"another update's word changes nothing": {[]journal.Record{
			{Update: "v", To: "Committed", Terminal: true, Closed: true},
		}, func(t *testing.T, s *journal.Fold, u *journal.Update) {
			require.EqualValues(t, "Requested", u.State)
			require.Nil(t, s.Last)
			require.Empty(t, s.Counters)
		}},
		"a phase of a newer program moves nothing": {[]journal.Record{
			{Update: "u", Phase: "pondered", To: "Sleeping", EpochFloor: 9},
		}, func(t *testing.T, s *journal.Fold, u *journal.Update) {
			require.EqualValues(t, "Requested", u.State)
			require.EqualValues(t, 2, s.Seq)
			require.Zero(t, s.EpochFloor)
		}},
		"quarantine is by digest": {[]journal.Record{
			{Quarantine: &journal.Quarantined{Digest: "1", Reason: "old"}},
			{Quarantine: &journal.Quarantined{Digest: "2"}},
			{Quarantine: &journal.Quarantined{Digest: "1", Reason: "new"}},
			{Unquarantine: "2"},
		}, func(t *testing.T, s *journal.Fold, _ *journal.Update) {
			require.Equal(t, []journal.Quarantined{{Digest: "1", Reason: "new"}}, s.Quarantine)
		}},
		"the floor only rises": {[]journal.Record{
			{EpochFloor: 3}, {EpochFloor: 2},
		}, func(t *testing.T, s *journal.Fold, _ *journal.Update) {
			require.EqualValues(t, 3, s.EpochFloor)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := fold(append([]journal.Record{accept}, tt.recs...)...)
			require.NotNil(t, s.Open)
			tt.check(t, s, s.Open)
		})
	}
}

func TestApplyClosing(t *testing.T) {
	accept := func(id string) journal.Record {
		return journal.Record{Update: id, To: "Requested", Accept: &journal.Accept{}}
	}
	t.Run("a closed update is the last one, also for what comes late", func(t *testing.T) {
		s := fold(accept("u"), journal.Record{Update: "u", To: "Failed", Terminal: true}, journal.Record{Update: "u", Closed: true},
			journal.Record{Update: "u", Phase: journal.Observed, Why: "reported"})
		require.Nil(t, s.Open)
		require.Equal(t, "u", s.Last.ID)
		require.True(t, s.Last.Closed)
		require.EqualValues(t, 4, s.Last.LastSeq)
	})
	t.Run("a superseded update is not lost", func(t *testing.T) {
		s := fold(accept("u"), accept("v"))
		require.Equal(t, "v", s.Open.ID)
		require.Equal(t, "u", s.Last.ID)
		require.False(t, s.Last.Closed)
	})
	t.Run("one transaction may end an update and begin the next", func(t *testing.T) {
		s := fold(accept("u"), journal.Record{Update: "u", To: "Failed", Terminal: true, Closed: true}, accept("v"))
		require.Equal(t, "v", s.Open.ID)
		require.Equal(t, "u", s.Last.ID)
		require.EqualValues(t, 1, s.Counters["Failed"])
	})
}
