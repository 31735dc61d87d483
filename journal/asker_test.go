package journal_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
)

func TestAskersInWords(t *testing.T) {
	uid := func(n uint32) *uint32 { return &n }
	for want, a := range map[string]*journal.Asker{
		"":                                       nil,
		"the updater itself":                     {Kind: journal.ByUpdater},
		"hawkbit":                                {Kind: journal.BySource, Source: "hawkbit"},
		"channel stable, offer 1.2.0":            {Kind: journal.BySource, Source: "channel stable", Action: "1.2.0"},
		"root (tope-updater, process 12)":        {Kind: journal.ByUser, UID: uid(0), User: "root", PID: 12, Process: "tope-updater"},
		"user 1000":                              {Kind: journal.ByUser, UID: uid(1000)},
		"token ci from 192.0.2.7:4711":           {Kind: journal.ByToken, Token: "ci", Peer: "192.0.2.7:4711"},
		"token ci used by user 7 (process 1)":    {Kind: journal.ByToken, Token: "ci", UID: uid(7), PID: 1},
		"the legacy API's client at 127.0.0.1:1": {Kind: journal.ByLegacy, Peer: "127.0.0.1:1"},
		"the legacy API's client at 127.0.0.1:1, of tope": {Kind: journal.ByLegacy, Peer: "127.0.0.1:1", UID: uid(9), User: "tope"},
	} {
		require.Equal(t, want, a.String())
	}
	root, err := json.Marshal(&journal.Asker{Kind: journal.ByUser, UID: uid(0)})
	require.NoError(t, err)
	require.JSONEq(t, `{"kind":"user","uid":0}`, string(root), "root is somebody")
}

// TestAnUpdateRemembersWhoAsked, and one whose acceptance does not tell has nobody: a
// journal of a version before 0.10.
func TestAnUpdateRemembersWhoAsked(t *testing.T) {
	accept := journal.Record{Update: "u1", Phase: journal.Outcome, Accept: &journal.Accept{Kind: "install"}}
	require.Nil(t, journal.Apply(&journal.Fold{}, accept).Open.By)
	accept.By = &journal.Asker{Kind: journal.ByToken, Token: "ci"}
	f := journal.Apply(&journal.Fold{}, accept)
	f = journal.Apply(f, journal.Record{Update: "u1", Phase: journal.Outcome, By: &journal.Asker{Kind: journal.ByUpdater}, Learn: &journal.Learn{Proceed: true}})
	require.Equal(t, "ci", f.Open.By.Token, "whoever asks for its install has not begun it")
}
