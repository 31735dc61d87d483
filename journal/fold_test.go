package journal_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

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
		"a signed release counts with the record that ends the update": {[]journal.Record{
			{Update: "u", To: "Switching", SignedBy: "early"},
			{Update: "u", Learn: &journal.Learn{To: "1.1.0"}},
			{Update: "u", To: "Committed", Terminal: true, SignedBy: "key"},
		}, func(t *testing.T, s *journal.Fold, u *journal.Update) {
			require.Equal(t, &journal.Signed{Version: "1.1.0", Key: "key", Update: "u", Time: u.Ended}, s.Signed)
			gone := journal.Apply(s, journal.Record{Seq: s.Seq + 1, Phase: journal.Outcome, TrustForgotten: true, Why: "sold"})
			require.Nil(t, gone.Signed)
			require.Equal(t, &journal.Forgotten{Why: "sold"}, gone.Forgotten)
			require.NotNil(t, s.Signed, "the fold before it is as it was")
		}},
		"figures: the newest, and the longest ever": {[]journal.Record{
			{Figures: []journal.Figure{{Service: "a", What: "start", Took: 9, Version: "1.0.0"}, {Service: "b", What: "start", Took: 1, Version: "1.0.0"}}},
			{Figures: []journal.Figure{{Service: "a", What: "start", Took: 2, Version: "1.1.0"}, {Service: "a", What: "tcp :1", Took: 3, Version: "1.1.0"}}},
		}, func(t *testing.T, s *journal.Fold, _ *journal.Update) {
			require.Equal(t, []journal.Figure{
				{Service: "b", What: "start", Took: 1, Version: "1.0.0", Longest: 1},
				{Service: "a", What: "start", Took: 2, Version: "1.1.0", Longest: 9},
				{Service: "a", What: "tcp :1", Took: 3, Version: "1.1.0", Longest: 3},
			}, s.Figures)
		}},
		"figures are bounded, the oldest go": {func() (recs []journal.Record) {
			for n := range journal.MaxFigures + 5 {
				recs = append(recs, journal.Record{Figures: []journal.Figure{{Service: "s", What: string(rune('A' + n)), Took: 1}}})
			}
			return recs
		}(), func(t *testing.T, s *journal.Fold, _ *journal.Update) {
			require.Len(t, s.Figures, journal.MaxFigures)
			require.Equal(t, string(rune('A'+5)), s.Figures[0].What)
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

// A journal of an older program does not say where it left the device. It is learnt from
// the updates that it keeps, or from the one that ended last before those.
func TestWhereAnOlderProgramLeftTheDevice(t *testing.T) {
	for state, want := range map[string]string{
		`{"id":"u","from":"1.0.0","to":"1.1.0","state":"Committed","terminal":true,"before":{"current":"1.0.0"}}`:                  "1.1.0",
		`{"id":"u","from":"1.0.0","to":"1.1.0","state":"RolledBack","terminal":true,"before":{"current":"1.0.0"}}`:                 "1.0.0",
		`{"id":"u","from":"1.0.0","to":"1.1.0","state":"FellBack","terminal":true,"before":{"current":"1.0.0","factory":"0.5.0"}}`: "0.5.0",
		`{"id":"u","from":"1.0.0","to":"1.1.0","state":"Failed","terminal":true,"before":{"current":"1.0.0"}}`:                     "1.0.0",
		`{"id":"u","from":"1.0.0","to":"1.1.0","state":"NeedsAttention","terminal":true,"before":{"current":"1.0.0"}}`:             "",
	} {
		path, _ := newJournal(t, 0)
		journal.Meddle(t, path, "anchor", func(b *bolt.Bucket) error {
			return b.Put([]byte("anchor"), journal.Seal("anchor", []byte(`{"fold":1,"state":{"seq":0,"sum":"","last":`+state+`}}`)))
		})
		journal.Meddle(t, path, "summary", func(b *bolt.Bucket) error {
			return b.Put([]byte("summary"), journal.Seal("summary", []byte(`{"fold":1,"state":{"seq":0,"sum":"","last":`+state+`}}`)))
		})
		j := open(t, path, options())
		require.Equal(t, want, j.State().Committed, state)
		_, err := j.Append(
			journal.Record{Phase: journal.Outcome, Update: "a", Accept: &journal.Accept{Kind: "rollback", From: "1.1.0", To: "0.9.0"}},
			journal.Record{Phase: journal.Outcome, Update: "a", To: "Committed", Terminal: true},
		)
		require.NoError(t, err)
		require.Equal(t, "0.9.0", j.State().Committed)
		require.NoError(t, j.Close())
	}
}

// A part that is fetched again has not made the update turn back: what does so later is
// the cause.
func TestALackIsNotTheCause(t *testing.T) {
	recs := offeredUpdate("a", first, journal.Record{Trigger: "lack", To: "Downloading", Error: failure("a copy is damaged")}, turned, rolledBack)
	require.Equal(t, "it does not answer", fold(recs...).Last.Cause.Text)
	require.Equal(t, "it does not answer", fold(recs...).EndOf(first).Text)
}
