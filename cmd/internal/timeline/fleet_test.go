package timeline_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
)

// fleetStory is a device that a server updates: an offer that waits, is installed and put
// on probation, and one that is turned down; and what the server heard of it.
func fleetStory() *story {
	offer := journal.Origin{Source: "hawkbit", Action: "17", Digest: "sha256:0123456789abcdef0123456789abcdef"}
	bad := journal.Origin{Source: "hawkbit", Action: "18"}
	server := &journal.Asker{Kind: journal.BySource, Source: "hawkbit", Action: "17"}
	ci := &journal.Asker{Kind: journal.ByToken, Token: "ci", Peer: "192.0.2.7:4711"}
	night := time.Date(2026, 3, 2, 22, 0, 0, 0, time.UTC)
	s := newStory("u-7")
	device := func(r journal.Record) {
		s.id, r.Phase = "", journal.Outcome
		s.pass(time.Second).write(r).id = "u-7"
	}
	tell := func(seq uint64, to, never string) {
		device(journal.Record{Told: &journal.Told{Notice: seq, To: to, Never: never}})
	}

	device(journal.Record{Remember: &journal.Remembered{Source: "hawkbit", Facts: json.RawMessage(`{"etag":"7","attributes":{"version":"1.0.0"}}`)}})
	device(journal.Record{Hold: &journal.Hold{Until: night, Why: "trade fair"}, By: ci})
	s.pass(time.Second).write(journal.Record{
		Phase: journal.Outcome, Trigger: "accept", From: "Idle", To: "Requested", By: server,
		Accept: &journal.Accept{
			Kind: "install", Source: json.RawMessage(`{"url":"https://fleet.example/app-1.1.0.tope"}`), From: "1.0.0",
			Before: versions.Pointers{Current: "1.0.0", Factory: "1.0.0"}, Origin: &offer, Reports: true, Patience: 14 * 24 * time.Hour,
		},
		Owed: []journal.Notice{{To: "hawkbit", Origin: &offer, State: "Requested"}},
	})
	s.pass(time.Second).write(journal.Record{
		Phase: journal.Outcome, Trigger: "succeed", From: "Verifying", To: "Ready",
		Wait: &journal.Wait{Reason: "hold", Text: "token ci holds updates back: trade fair", Until: night},
	})
	tell(3, "hawkbit", "")
	device(journal.Record{Unhold: true, Why: "it is over", By: ci})
	s.pass(time.Second).write(journal.Record{
		Phase: journal.Outcome, Trigger: "succeed", From: "Committing", To: "Committed", Terminal: true, Trial: &journal.Trial{Lasts: 24 * time.Hour},
		Owed: []journal.Notice{{To: "hawkbit", Origin: &offer, State: "Committed", End: true}, {To: "device-api", Newest: true, State: "Committed", End: true}},
	})
	tell(7, "device-api", "")
	tell(7, "hawkbit", "")
	device(journal.Record{Probed: &journal.Probed{Ran: 3 * time.Hour, Boots: 2}})
	device(journal.Record{Probed: &journal.Probed{Ran: 24 * time.Hour, Boots: 2, Over: true}, Why: "its services have run without a failure"})
	device(journal.Record{
		Refuse: &journal.Refusal{Origin: bad, State: "Failed"}, Error: &journal.Failure{Code: "QUARANTINED", Text: "it failed on this device before"},
		By:   &journal.Asker{Kind: journal.BySource, Source: "hawkbit", Action: "18"},
		Owed: []journal.Notice{{To: "hawkbit", Origin: &bad, State: "Failed", End: true}},
	})
	tell(12, "hawkbit", "the server has closed the action (410)")
	tell(2, "hawkbit", "")
	s.id = "u-8"
	s.pass(time.Second).write(journal.Record{
		Phase: journal.Outcome, Trigger: "accept", From: "Idle", To: "Requested", By: ci,
		Accept: &journal.Accept{Kind: "install", Source: json.RawMessage(`{"url":"https://fleet.example/app-1.2.0.tope"}`), From: "1.1.0", Origin: &offer},
	})
	s.id = "u-9"
	s.pass(time.Second).write(journal.Record{
		Phase: journal.Outcome, Trigger: "accept", From: "Idle", To: "Requested",
		Accept: &journal.Accept{
			Kind: "probation", From: "1.1.0", To: "1.0.0", Origin: &offer, Reach: true,
			Evicts: &journal.Quarantined{Version: "1.1.0", Digest: offer.Digest, Reason: "hawkbit cannot be reached any more"},
		},
	})
	device(journal.Record{Acquit: true, Why: "hawkbit cannot be reached from 1.0.0 either"})
	return s
}

// `journal show` of one update has only its records: what they do not tell is not made up.
func TestAReportWhoseRecordIsNotThere(t *testing.T) {
	var text bytes.Buffer
	s := newStory("u").asked().write(journal.Record{Phase: journal.Outcome, Told: &journal.Told{Notice: 4711, To: "hawkbit"}})
	s.write(journal.Record{Phase: journal.Outcome, Told: &journal.Told{Notice: 4711, To: "hawkbit", Never: "\x1b[2Jgone"}})
	require.NoError(t, timeline.Write(&text, timeline.Build(s.records), nil))
	require.Contains(t, text.String(), "told hawkbit: what record 4711 says\n")
	require.Contains(t, text.String(), "hawkbit will never take: what record 4711 says: ")
	require.NotContains(t, text.String(), "\x1b")
}
