package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Three boots without a commit: rolled back by recover, before services start.
func TestBootBudget(t *testing.T) {
	d := enginetest.NewDevice()
	ctx, cancel := context.WithCancel(t.Context())
	cfgSteps := d.Steps(d.Bundle)
	cfgSteps[steps.HealthCheck] = waiting{cfgSteps[steps.HealthCheck], nil}
	e, err := engine.New(engine.Config{Journal: d.J, Versions: d, Keeper: d, Gate: d, Starter: d, Steps: cfgSteps, Clock: d.Clock})
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	_, err = e.Install(ctx, engine.InstallRequest{Source: source("1.1.0")})
	require.NoError(t, err)
	running{e, d, t}.until(engine.CheckingHealth)
	cancel()
	require.NoError(t, <-ran)
	for boot := 1; boot <= 2; boot++ {
		d.Reboot()
		require.NoError(t, d.Oneshot())
		require.Equal(t, engine.CheckingHealth, d.J.State().Open.State, "boot %d goes on", boot)
		require.NoError(t, d.Oneshot(), "asked twice in one boot")
		require.Equal(t, boot, d.J.State().Open.Spent, "counted once a boot")
	}
	d.Reboot()
	require.NoError(t, d.Oneshot())
	require.Equal(t, engine.RollingBack, d.J.State().Open.State)
	require.Equal(t, "1.0.0", d.P.Current, "back before any service starts")
	require.Empty(t, d.Running)
	require.Len(t, d.J.State().Quarantine, 1)
	d.InitStarts()
	require.NoError(t, d.Life(nil, nil))
	require.Equal(t, engine.RolledBack, d.J.State().Last.State)
	require.Equal(t, string(steps.BudgetSpent), d.J.State().Last.Cause.Code)
}

// The journal is lost at every point of every flow: the device comes to a
// whole version, a gate that is owed is run, and the next update works.
func TestJournalLostEverywhere(t *testing.T) {
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			lost := 0
			for range everyCut(t, func(c enginetest.Cut) (bool, int) {
				s := &story{Device: f.device(), flow: f}
				s.On(c)
				_ = s.Life(f.request, nil)
				if !s.Off() {
					return false, 0
				}
				s.J.Forget()
				s.forgetful = true
				require.NoError(t, s.Boot(enginetest.Cut{}, nil))
				s.toldSuccess = false // what was told is lost with the journal
				require.Contains(t, append(f.may, "0.9.0", "0.5.0"), s.P.Current)
				if s.P.Current != "" {
					require.True(t, s.Whole())
					require.False(t, s.Sick[s.P.Current] && f.end == engine.RolledBack && s.P.Current == "1.1.0", "the owed gate was run:\n%s", s.Trace())
				}
				s.atEnd(t)
				lost++
				return true, 0
			}) {
			}
			require.Greater(t, lost, 5)
		})
	}
}

// What an operator does to the pointers in mid-update is respected.
func TestOperatorMovesPointers(t *testing.T) {
	stopIn := func(t *testing.T, step steps.Name) *enginetest.Device {
		d := enginetest.NewDevice()
		ctx, cancel := context.WithCancel(t.Context())
		all := d.Steps(d.Bundle)
		all[step] = waiting{all[step], nil}
		e, err := engine.New(engine.Config{Journal: d.J, Versions: d, Keeper: d, Gate: d, Starter: d, Steps: all, Clock: d.Clock})
		require.NoError(t, err)
		ran := make(chan error, 1)
		go func() { ran <- e.Run(ctx) }()
		_, err = e.Install(ctx, engine.InstallRequest{Source: source("1.1.0")})
		require.NoError(t, err)
		running{e, d, t}.until(stateOf(step))
		cancel()
		require.NoError(t, <-ran)
		d.States["7.7.7"] = versions.Complete
		d.Reboot()
		return d
	}
	t.Run("a third version: touch nothing", func(t *testing.T) {
		d := stopIn(t, steps.HealthCheck)
		d.P.Current = "7.7.7"
		require.NoError(t, d.Oneshot())
		require.Equal(t, "7.7.7", d.P.Current)
		require.Equal(t, engine.NeedsAttention, d.J.State().Open.State)
		d.InitStarts()
		require.NoError(t, d.Life(nil, nil))
		require.Equal(t, "7.7.7", d.P.Current)
		require.Equal(t, "7.7.7", d.Running, "services are left started")
	})
	t.Run("a third version while the services are stopped", func(t *testing.T) {
		d := stopIn(t, steps.Restart)
		d.P.Current = "7.7.7"
		d.Clock.Pass(time.Minute) // no reboot: only the daemon was restarted
		d.Running = ""
		require.NoError(t, d.Life(nil, nil))
		require.Equal(t, engine.NeedsAttention, d.J.State().Last.State)
		require.Equal(t, "7.7.7", d.Running, "services are started")
	})
	t.Run("the marker renamed over current: rolled back", func(t *testing.T) {
		d := stopIn(t, steps.HealthCheck)
		d.P.Current, d.Marked, d.MarkAt = d.MarkAt, false, ""
		require.NoError(t, d.Oneshot())
		d.InitStarts()
		require.NoError(t, d.Life(nil, nil))
		require.Equal(t, engine.RolledBack, d.J.State().Last.State)
		require.Equal(t, versions.Pointers{Current: "1.0.0", Previous: "0.9.0", Factory: "0.5.0"}, d.P)
	})
	t.Run("while downloading: the update no longer fits", func(t *testing.T) {
		d := stopIn(t, steps.Download)
		d.P.Current = "0.9.0"
		d.InitStarts()
		require.NoError(t, d.Life(nil, nil))
		require.Equal(t, engine.Failed, d.J.State().Last.State)
		require.Equal(t, "0.9.0", d.P.Current)
	})
}
