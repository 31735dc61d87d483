package engine_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
)

// TestTheJournalSaysWhoAsked: for an update, its install request, what took its place, its
// cancel, a rollback, upkeep, and a release that left the quarantine. What nobody asked
// for has nobody's name.
func TestTheJournalSaysWhoAsked(t *testing.T) {
	d := enginetest.NewDevice()
	r := d.Up(t)
	by := func(name string) context.Context {
		return engine.AskedBy(t.Context(), &journal.Asker{Kind: journal.ByToken, Token: name})
	}
	_, err := r.Install(by("anna"), engine.InstallRequest{Source: bundleOf("1.1.0"), Hold: true})
	require.NoError(t, err)
	require.Equal(t, "anna", r.Until(engine.Ready).Update.By.Token)
	_, err = r.Install(by("berta"), engine.InstallRequest{Source: bundleOf("1.1.0"), Hold: true})
	require.NoError(t, err)
	r.Until(engine.Ready)
	_, err = r.Proceed(by("clara"), "1.1.0")
	require.NoError(t, err)
	require.Equal(t, "berta", r.Until(engine.Idle).Last.By.Token)
	_, err = r.Rollback(by("dora"), "", engine.Turning{})
	require.NoError(t, err)
	require.Equal(t, "dora", r.Until(engine.Idle).Last.By.Token)
	_, err = r.Install(by("emma"), engine.InstallRequest{Source: bundleOf("1.1.0"), Hold: true})
	require.NoError(t, err)
	r.Until(engine.Ready)
	_, err = r.Cancel(by("frida"))
	require.NoError(t, err)
	r.Until(engine.Idle)
	require.NoError(t, r.Exclusive(by("greta"), "prune", func(context.Context) error {
		recs, err := d.J.Records("")
		require.NoError(t, err)
		last := recs[len(recs)-1]
		require.Equal(t, "prune", last.Upkeep, "it is in the journal before it is done")
		require.Equal(t, "greta", last.By.Token)
		return nil
	}))
	require.NoError(t, r.Exclusive(t.Context(), "tidying", func(context.Context) error { return nil }))
	_, err = d.J.Append(journal.Record{Phase: journal.Outcome, Quarantine: &journal.Quarantined{Version: "9.0.0", Digest: "md5:9"}})
	require.NoError(t, err)
	_, err = r.Unquarantine(by("hanna"), "9.0.0", "")
	require.NoError(t, err)

	recs, err := d.J.Records("")
	require.NoError(t, err)
	var said []string
	for _, rec := range recs {
		if rec.By == nil {
			require.Empty(t, rec.Upkeep)
			continue
		}
		what := rec.Upkeep + string(rec.Trigger)
		if rec.Unquarantine != "" {
			what = "clear"
		}
		said = append(said, rec.By.Token+" "+what)
	}
	require.Equal(t, []string{
		"anna accept", "berta supersede", "berta accept", "clara proceed", "dora accept",
		"emma accept", "frida cancel", "greta prune", "hanna clear",
	}, said)
}
