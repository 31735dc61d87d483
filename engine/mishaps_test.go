package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/steps"
)

// stopIn makes a device install 1.1.0, and ends the process in order while a
// step runs.
func stopIn(t *testing.T, d *enginetest.Device, step steps.Name) {
	t.Helper()
	l := d.Up(t, slow(step, nil))
	require.NoError(t, l.Ask(enginetest.Install))
	l.Until(stateOf(step))
	require.NoError(t, l.Stop())
}

// The journal is lost at every point of every flow: the device comes to a
// whole version, a gate that is owed is run, and the next update works.
func TestJournalLostEverywhere(t *testing.T) {
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			whole := newStory(f)
			whole.begin(t, enginetest.Cut{})
			for _, c := range everyCut(whole.Count()) {
				s := newStory(f)
				require.True(t, s.begin(t, c))
				s.J.Forget()
				s.forgetful, s.toldSuccess = true, false // a success that was told is lost with the journal
				require.NoError(t, s.Boot(enginetest.Cut{}, nil))
				require.Contains(t, append(f.may, "0.9.0", "0.5.0"), s.P.Current)
				if s.P.Current != "" {
					require.True(t, s.Whole())
					require.False(t, s.Sick[s.P.Current] && f.end == engine.RolledBack && s.P.Current == "1.1.0", "the owed gate was run:\n%s", s.Trace())
				}
				s.atEnd(t)
			}
			require.Greater(t, whole.Count(), 5)
		})
	}
}
