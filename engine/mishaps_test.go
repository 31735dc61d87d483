package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// stopIn has a device install 1.1.0, and ends the process in order while a step runs.
func stopIn(t *testing.T, d *enginetest.Device, step steps.Name) {
	t.Helper()
	l := d.Up(t, slow(step, nil))
	require.NoError(t, l.Ask(enginetest.Install))
	l.Until(stateOf(step))
	require.NoError(t, l.Stop())
}

// Three boots without a commit: rolled back by recover, before services start.
func TestBootBudget(t *testing.T) {
	d := enginetest.NewDevice()
	stopIn(t, d, steps.HealthCheck)
	for boot := 1; boot <= 2; boot++ {
		d.Reboot()
		require.NoError(t, d.Oneshot())
		require.Equal(t, string(engine.CheckingHealth), d.J.State().Open.State, "boot %d goes on", boot)
		require.NoError(t, d.Oneshot(), "asked twice in one boot")
		require.Equal(t, boot, d.J.State().Open.Spent, "counted once a boot")
	}
	d.Reboot()
	require.NoError(t, d.Oneshot())
	require.Equal(t, string(engine.RollingBack), d.J.State().Open.State)
	require.Equal(t, "1.0.0", d.P.Current, "back before any service starts")
	require.Empty(t, d.Running)
	require.Len(t, d.J.State().Quarantine, 1)
	d.InitStarts()
	require.NoError(t, d.Live(nil, nil))
	require.Equal(t, string(engine.RolledBack), d.J.State().Last.State)
	require.Equal(t, string(steps.BudgetSpent), d.J.State().Last.Cause.Code)
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
				s.forgetful, s.toldSuccess = true, false // what was told is lost with the journal
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

// What an operator does to the pointers in mid-update is respected.
func TestOperatorMovesPointers(t *testing.T) {
	stopped := func(t *testing.T, step steps.Name) *enginetest.Device {
		d := enginetest.NewDevice()
		stopIn(t, d, step)
		d.States["7.7.7"] = versions.Complete
		d.Reboot()
		return d
	}
	t.Run("a third version: touch nothing", func(t *testing.T) {
		d := stopped(t, steps.HealthCheck)
		d.P.Current = "7.7.7"
		require.NoError(t, d.Oneshot())
		require.Equal(t, "7.7.7", d.P.Current)
		require.Equal(t, string(engine.NeedsAttention), d.J.State().Open.State)
		d.InitStarts()
		require.NoError(t, d.Live(nil, nil))
		require.Equal(t, "7.7.7", d.P.Current)
		require.Equal(t, "7.7.7", d.Running, "services are left started")
	})
	t.Run("a third version while the services are stopped", func(t *testing.T) {
		d := stopped(t, steps.Restart)
		d.P.Current = "7.7.7"
		d.Clock.Pass(time.Minute) // no reboot: only the daemon was restarted
		d.Running = ""
		require.NoError(t, d.Live(nil, nil))
		require.Equal(t, string(engine.NeedsAttention), d.J.State().Last.State)
		require.Equal(t, "7.7.7", d.Running, "services are started")
	})
	t.Run("the marker renamed over current: rolled back", func(t *testing.T) {
		d := stopped(t, steps.HealthCheck)
		d.P.Current, d.Marked, d.MarkAt = d.MarkAt, false, ""
		require.NoError(t, d.Oneshot())
		d.InitStarts()
		require.NoError(t, d.Live(nil, nil))
		require.Equal(t, string(engine.RolledBack), d.J.State().Last.State)
		require.Equal(t, versions.Pointers{Current: "1.0.0", Previous: "0.9.0", Factory: "0.5.0"}, d.P)
	})
	t.Run("while downloading: the update no longer fits", func(t *testing.T) {
		d := stopped(t, steps.Download)
		d.P.Current = "0.9.0"
		d.InitStarts()
		require.NoError(t, d.Live(nil, nil))
		require.Equal(t, string(engine.Failed), d.J.State().Last.State)
		require.Equal(t, "0.9.0", d.P.Current)
	})
}
