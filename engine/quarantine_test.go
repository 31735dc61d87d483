package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
)

func TestQuarantineIsReadAndCleared(t *testing.T) {
	d := enginetest.NewDevice()
	var bad []journal.Record
	for n := range 20 {
		bad = append(bad, journal.Record{Phase: journal.Outcome, Quarantine: &journal.Quarantined{Version: fmt.Sprintf("2.%d.0", n/2), Digest: fmt.Sprintf("md5:%d", n)}})
	}
	r := d.Up(t)
	_, err := d.J.Append(bad...)
	require.NoError(t, err)
	d.Bundle.Digest = "md5:" + bundleOf("").MD5
	d.Sick["1.1.0"] = true
	_, err = r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0")})
	require.NoError(t, err)
	r.Until(engine.Idle)

	all := r.Quarantine()
	require.Len(t, all, 21)
	require.Equal(t, "1.1.0", all[0].Version, "the newest first")
	st := r.Status()
	require.Equal(t, 21, st.Quarantined)
	require.Less(t, len(st.Quarantine), 10, "a poll is small, however many there are")
	require.Equal(t, all[0], st.Quarantine[len(st.Quarantine)-1])

	_, err = r.Unquarantine(t.Context(), "9.9.9", "x")
	require.ErrorIs(t, err, engine.ErrNotFound)
	cleared, err := r.Unquarantine(t.Context(), "2.3.0", "cleared by the test")
	require.NoError(t, err)
	require.Len(t, cleared, 2, "a version has the releases of that version")
	cleared, err = r.Unquarantine(t.Context(), all[0].Digest, "cleared by the test")
	require.NoError(t, err)
	require.Equal(t, all[:1], cleared)
	recs, err := d.J.Records("")
	require.NoError(t, err)
	last := recs[len(recs)-1]
	require.Equal(t, all[0].Digest, last.Unquarantine)
	require.Equal(t, "cleared by the test", last.Why)

	d.Sick["1.1.0"] = false
	_, err = r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0")})
	require.NoError(t, err, "what was cleared may come again")
	r.Until(engine.Idle)
	_, err = r.Unquarantine(t.Context(), "", "all of it")
	require.NoError(t, err)
	require.Empty(t, r.Quarantine())
	cleared, err = r.Unquarantine(t.Context(), "", "all of it")
	require.NoError(t, err)
	require.Empty(t, cleared)
}
