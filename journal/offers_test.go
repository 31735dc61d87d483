package journal_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
)

// offeredUpdate is an update that carries out an offer, from 1.0.0 to 1.1.0.
func offeredUpdate(id string, o journal.Origin, rest ...journal.Record) []journal.Record {
	recs := []journal.Record{{Update: id, To: "Requested", Accept: &journal.Accept{
		Kind: "install", From: "1.0.0", To: "1.1.0", Origin: &o, Reports: true, Patience: time.Hour,
	}}}
	for _, r := range rest {
		r.Update = id
		recs = append(recs, r)
	}
	return append(recs, journal.Record{Update: id, Closed: true})
}

func failure(text string) *journal.Failure { return &journal.Failure{Code: "X", Text: text} }

// ends are the records that bring updates to their ends.
var (
	committed  = journal.Record{Trigger: "succeed", To: "Committed", Terminal: true, Trial: &journal.Trial{Lasts: time.Hour}}
	turned     = journal.Record{Trigger: "fail", To: "RollingBack", Error: failure("it does not answer")}
	rolledBack = journal.Record{Trigger: "succeed", To: "RolledBack", Terminal: true}
	fell       = journal.Record{Trigger: "fail", To: "FallingBack", Error: failure("the old one neither")}
	fellBack   = journal.Record{Trigger: "succeed", To: "FellBack", Terminal: true}
)

func TestTheEndOfAnOffer(t *testing.T) {
	var recs []journal.Record
	add := func(more ...journal.Record) *journal.OfferEnd {
		recs = append(recs, more...)
		return fold(recs...).EndOf(first)
	}
	require.Nil(t, add())

	end := add(offeredUpdate("a", first, journal.Record{Step: "Download", Error: failure("once more")}, turned, rolledBack)...)
	require.Equal(t, "a", end.Update)
	require.EqualValues(t, "RolledBack", end.State)
	require.Equal(t, "it does not answer", end.Text, "the record of the end itself has no error")
	require.Equal(t, 1, end.Times)
	require.Equal(t, end.Time, end.Ended.Time)
	require.Equal(t, "boot", end.Ended.Boot)

	end = add(offeredUpdate("b", first, turned, fell, fellBack)...)
	require.Equal(t, "it does not answer", end.Text, "not what went wrong on the way back")
	require.Equal(t, 2, end.Times)

	end = add(journal.Record{Refuse: &journal.Refusal{Origin: first, State: "Failed"}, Error: failure(strings.Repeat("x", 999))})
	require.Empty(t, end.Update)
	require.Len(t, end.Text, 200)
	require.Equal(t, 3, end.Times)

	end = add(journal.Record{Refuse: &journal.Refusal{Origin: second, State: "Failed"}})
	require.Equal(t, 3, end.Times, "another offer's end says nothing of this one")

	end = add(offeredUpdate("c", first, journal.Record{Step: "Download", Error: failure("once more")}, committed)...)
	require.EqualValues(t, "Committed", end.State)
	require.Zero(t, end.Times)
	require.Empty(t, end.Text, "what was tried again did not fail it")
	require.Len(t, fold(recs...).Offers, 2)
	require.Equal(t, first, fold(recs...).Offers[1].Origin, "the newest last")

	end = add(offeredUpdate("d", first, journal.Record{Trigger: "succeed", To: "Checked", Terminal: true})...)
	require.Zero(t, end.Times, "what was only to be checked has succeeded")
}

func TestTheOutbox(t *testing.T) {
	owe := func(n ...journal.Notice) journal.Record { return journal.Record{Owed: n} }
	tell := func(id uint64, to string) journal.Record {
		return journal.Record{Told: &journal.Told{Notice: id, To: to}}
	}
	ids := func(s *journal.Fold) (list []string) {
		for _, n := range s.Outbox {
			list = append(list, n.To+" "+string(n.State))
		}
		return list
	}
	progress, end := journal.Notice{To: "hawkbit", State: "Downloading"}, journal.Notice{To: "hawkbit", State: "Failed", End: true}
	api := journal.Notice{To: "device-api", Newest: true, State: "Committed", End: true}

	s := fold(owe(progress, api), owe(end), tell(1, "hawkbit"))
	require.Equal(t, []string{"device-api Committed", "hawkbit Failed"}, ids(s), "one record's reports are told one by one")
	s = fold(owe(progress, api), owe(end), owe(api), tell(1, "device-api"))
	require.Equal(t, []string{"hawkbit Downloading", "hawkbit Failed", "device-api Committed"}, ids(s), "the newest stays when the one it replaced was told")
	require.EqualValues(t, 3, s.Outbox[2].ID)
	require.Nil(t, fold(owe(end), tell(1, "hawkbit")).Outbox)
	require.Equal(t, []string{"hawkbit Failed"}, ids(fold(owe(progress, end))), "one record has one report for each")

	recs := []journal.Record{owe(end)}
	for range 3 * journal.KeepNotices {
		recs = append(recs, owe(progress))
	}
	s = fold(recs...)
	require.Len(t, s.Outbox, journal.KeepNotices)
	require.True(t, s.Outbox[0].End, "an end survives the progress after it")
	require.EqualValues(t, len(recs), s.Outbox[journal.KeepNotices-1].ID)

	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	timed := end
	timed.Time = at
	s = fold(owe(end), owe(timed))
	require.Equal(t, stamped(owe(end))[0].Time, s.Outbox[0].Time, "the record's time, unless it says another")
	require.Equal(t, at, s.Outbox[1].Time)
}

func TestHoldsAndWaits(t *testing.T) {
	by := &journal.Asker{Kind: journal.ByToken, Token: "ci"}
	hold := journal.Record{Hold: &journal.Hold{Why: strings.Repeat("x", 999)}, By: by}
	s := fold(hold)
	require.Equal(t, by, s.Held.By)
	require.False(t, s.Held.Time.IsZero())
	require.Len(t, s.Held.Why, 200)
	require.Nil(t, fold(hold, journal.Record{Unhold: true}).Held)

	wait := func(text string) *journal.Wait { return &journal.Wait{Reason: "window", Text: text} }
	recs := offeredUpdate("a", first, journal.Record{To: "Ready", Wait: wait("until 22:00")})[:2]
	u := fold(recs...).Open
	require.Equal(t, "until 22:00", u.Wait.Text, "the record that enters Ready may say why it waits")
	require.Equal(t, &first, u.Origin)
	require.True(t, u.Reports)
	require.Equal(t, time.Hour, u.Patience)
	recs = append(recs, journal.Record{Update: "a", Wait: wait(strings.Repeat("y", 999))})
	require.Len(t, fold(recs...).Open.Wait.Text, 200)
	require.Nil(t, fold(append(recs, journal.Record{Update: "a", To: "Extracting"})...).Open.Wait)
}

func TestProbationInTheFold(t *testing.T) {
	before := journal.Record{Update: "zero", Accept: &journal.Accept{Kind: "install", To: "1.0.0"}}
	recs := append([]journal.Record{before, {Update: "zero", To: "Committed", Terminal: true, Closed: true, Trial: &journal.Trial{Lasts: 1}}},
		offeredUpdate("a", first, journal.Record{Learn: &journal.Learn{Digest: "sha256:1"}}, committed)...)
	require.Nil(t, fold(recs[:2]...).Probation, "the first version has none to go back to")
	on := func(more ...journal.Record) *journal.Probation {
		return fold(append(recs[:len(recs):len(recs)], more...)...).Probation
	}
	p := on()
	require.Equal(t, "a", p.Update)
	require.Equal(t, "1.1.0", p.Version)
	require.Equal(t, "1.0.0", p.Back)
	require.Equal(t, "sha256:1", p.Digest)
	require.Equal(t, &first, p.Origin)
	require.Equal(t, time.Hour, p.Lasts)
	require.Equal(t, p.Began, p.Seen)

	p = on(journal.Record{Probed: &journal.Probed{Ran: time.Minute, Boots: 2}})
	require.Equal(t, time.Minute, p.Ran)
	require.Equal(t, 2, p.Boots)
	require.Greater(t, p.Seen.Mono, p.Began.Mono)
	require.Nil(t, on(journal.Record{Probed: &journal.Probed{Over: true}}))
	require.Nil(t, on(journal.Record{Probed: &journal.Probed{Over: true}}, journal.Record{Probed: &journal.Probed{}}))

	next := func(end ...journal.Record) []journal.Record {
		begin := journal.Record{Update: "b", To: "Requested", Accept: &journal.Accept{Kind: "install", From: "1.1.0", To: "1.2.0"}}
		begin.Accept.Before.Current, begin.Accept.Before.Factory = "1.1.0", "0.5.0"
		all := []journal.Record{begin}
		for _, r := range end {
			r.Update = "b"
			all = append(all, r)
		}
		return all
	}
	require.Equal(t, "1.1.0", on(next(turned)...).Version, "it runs until something else does")
	require.Equal(t, "1.1.0", on(next(turned, rolledBack)...).Version, "what it came back to is still watched")
	require.Nil(t, on(next(turned, fell, fellBack)...), "the factory's version is not")
	require.Equal(t, "1.2.0", on(next(committed)...).Version)
	untried := committed
	untried.Trial = nil
	require.Nil(t, on(next(untried)...))

	again := next(committed)
	again[0].Accept.To = "1.1.0"
	require.Nil(t, on(again...), "a version is not its own way back")
}

// A version that nobody could be reached from is suspected until the one before has had its
// try; what is known of its offer is a bad end.
func TestGoingBackFromAProbation(t *testing.T) {
	evicts := &journal.Quarantined{Version: "1.1.0", Digest: "sha256:1", Reason: strings.Repeat("x", 999)}
	s := func(reach bool, end journal.Record, more ...journal.Record) *journal.Fold {
		begin := journal.Record{Update: "b", To: "Requested", Accept: &journal.Accept{
			Kind: "probation", From: "1.1.0", To: "1.0.0", Origin: &first, Evicts: evicts, Reach: reach,
		}}
		begin.Accept.Before.Current, begin.Accept.Before.Factory = "1.1.0", "0.5.0"
		end.Update, end.Trial = "b", nil
		return fold(append(append(offeredUpdate("a", first, committed), begin, end), more...)...)
	}
	back := s(true, committed)
	require.Nil(t, back.Probation)
	require.Equal(t, "1.1.0", back.Suspect.Version)
	require.Len(t, back.Suspect.Reason, 200)
	require.EqualValues(t, "RolledBack", back.EndOf(first).State)
	require.Equal(t, "PROBATION", back.EndOf(first).Code)
	require.Equal(t, 1, back.EndOf(first).Times)
	require.Nil(t, s(false, committed).Suspect, "what it did itself needs no other witness")
	require.Nil(t, s(true, committed, journal.Record{Acquit: true}).Suspect)
	require.Nil(t, s(true, committed, journal.Record{Quarantine: evicts}).Suspect)
	require.NotNil(t, s(true, committed, journal.Record{Quarantine: &journal.Quarantined{Digest: "sha256:2"}}).Suspect)
	require.Nil(t, s(true, committed, offeredUpdate("c", second, committed)...).Suspect)

	stays := s(true, rolledBack)
	require.Nil(t, stays.Probation, "the way back has failed, and is not tried again")
	require.EqualValues(t, "Committed", stays.EndOf(first).State)
	require.Nil(t, s(true, fellBack).Probation, "it does not run any more")
}

// The sources heard last are remembered. One that has nothing to say is not forgotten.
func TestWhatSourcesRemember(t *testing.T) {
	remember := func(source, facts string) journal.Record {
		return journal.Record{Remember: &journal.Remembered{Source: source, Facts: json.RawMessage(facts)}}
	}
	s := fold(remember("a", "1"), remember("b", "2"), remember("a", "3"), remember("b", ""))
	require.Equal(t, "3", string(s.FactsOf("a")))
	require.Equal(t, "2", string(s.FactsOf("b")))
	require.Len(t, s.Remembered, 2)
}
