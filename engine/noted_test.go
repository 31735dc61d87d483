package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
)

// When a program finds out something that is not part of an update, the engine
// journals it under a rule, and shows it at once.
func TestWhatIsNotedBesideUpdates(t *testing.T) {
	d := enginetest.NewDevice()
	d.On(enginetest.Cut{})
	e, err := d.Engine()
	require.NoError(t, err)
	require.NoError(t, e.NoteJournalLost())
	_, err = e.Recover(t.Context(), engine.Daemon)
	require.NoError(t, err)
	require.NoError(t, e.NoteUnits("1.0.0", map[string]string{"version": "1.0.0"}))

	all := d.J.All()
	require.Len(t, all, 2)
	lost, units := all[0], all[1]
	require.Equal(t, engine.RuleJournalLost, lost.Rule)
	require.Equal(t, journal.DamagedMissing, lost.Damage.Kind)
	require.Equal(t, engine.RuleUnits, units.Rule)
	require.Equal(t, "unit files did not agree with version 1.0.0", units.Why)
	require.JSONEq(t, `{"version":"1.0.0"}`, string(units.Evidence))
	for _, r := range all {
		require.Equal(t, journal.Observed, r.Phase)
		require.Empty(t, r.Update, "it is about the device")
	}
	require.Equal(t, engine.JournalStatus{Seq: 2, Damaged: true}, e.Status().Journal)
}

// The status shows that an update waits for its install request, and shows when
// the waiting is over.
func TestHoldIsTold(t *testing.T) {
	r := enginetest.NewDevice().Up(t)
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0"), Hold: true})
	require.NoError(t, err)
	require.True(t, r.Until(engine.Ready).Update.Hold)
	_, err = r.Proceed(t.Context(), "1.1.0")
	require.NoError(t, err)
	st := r.Until(engine.Idle)
	require.Equal(t, engine.Committed, st.Last.State)
	require.False(t, st.Last.Hold)
}
