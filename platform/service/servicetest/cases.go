package servicetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
)

func unknown(t *testing.T, k kit) {
	require.False(t, k.status(k.Unknown).Loaded)
	require.Zero(t, k.status(k.Unknown).MainPID)
	for _, err := range []error{k.Manager.Start(k.ctx, k.Unknown), k.Manager.Restart(k.ctx, k.Unknown)} {
		require.ErrorIs(t, err, service.ErrNotFound)
		require.ErrorContains(t, err, k.Unknown.Name)
	}
	k.stop(k.Unknown)
}

func neverStarted(_ *testing.T, k kit) { k.stopped(k.Good) }

func start(t *testing.T, k kit) {
	before := k.Clock.Monotonic()
	k.start(k.Good)
	first := k.runs(k.Good, before)
	require.Zero(t, first.Restarts)
	k.start(k.Good)
	require.Equal(t, first, k.runs(k.Good, before))
}

func restart(t *testing.T, k kit) {
	k.start(k.Good)
	first := k.status(k.Good)
	before := k.Clock.Monotonic()
	k.restart(k.Good)
	second := k.runs(k.Good, before)
	require.NotEqual(t, first.MainPID, second.MainPID)
	require.Zero(t, second.Restarts)
}

func restartStopped(_ *testing.T, k kit) {
	before := k.Clock.Monotonic()
	k.restart(k.Good)
	k.runs(k.Good, before)
}

func stop(_ *testing.T, k kit) {
	k.stop(k.Good)
	k.stopped(k.Good)
	k.start(k.Good)
	k.stop(k.Good)
	k.stopped(k.Good)
	k.stop(k.Good)
	k.stopped(k.Good)
}

func separate(t *testing.T, k kit) {
	k.start(k.Good)
	k.start(k.Other)
	other := k.status(k.Other)
	require.NotEqual(t, other.MainPID, k.status(k.Good).MainPID)
	k.restart(k.Good)
	k.stop(k.Good)
	require.Equal(t, other, k.status(k.Other))
}

func dies(t *testing.T, k kit) {
	k.start(k.Good)
	first := k.status(k.Good)
	k.Kill(t, first.MainPID)
	second := k.until(k.Good, "running again", func(st service.Status) bool {
		return st.Active == service.Running && st.MainPID != 0 && st.MainPID != first.MainPID
	})
	require.Equal(t, 1, second.Restarts)
	// systemd forgets how the last process ended as soon as the next one runs.
	require.Contains(t, []int{0, 128 + 9}, second.ExitStatus)
	require.GreaterOrEqual(t, second.Started, first.Started)
	k.restart(k.Good)
	require.Zero(t, k.status(k.Good).Restarts, "an asked-for restart begins the count again")
}

func exits(t *testing.T, k kit) {
	for range 2 { // The second time the start limit has been hit already: it must not stand in the way.
		k.restart(k.Bad)
		st := k.until(k.Bad, "broken", func(st service.Status) bool { return st.Active == service.Broken })
		require.Zero(t, st.MainPID)
		require.Equal(t, 3, st.ExitStatus)
		// Newer systemds go on saying what was wrong before the limit was hit.
		require.Contains(t, []string{"start-limit-hit", "exit-code"}, st.Result)
		require.Positive(t, st.Restarts)
	}
	k.stop(k.Bad)
}

func staysStopped(_ *testing.T, k kit) {
	k.start(k.Bad)
	k.stop(k.Bad)
	st := k.status(k.Bad)
	require.NotEqual(k.t, service.Running, st.Active)
	require.NotEqual(k.t, service.Starting, st.Active)
	require.Zero(k.t, st.MainPID)
	k.start(k.Good)
	k.stop(k.Good)
	k.Manager = k.Again(k.t)
	k.stopped(k.Good)
}

func outlive(t *testing.T, k kit) {
	before := k.Clock.Monotonic()
	k.start(k.Good)
	first := k.runs(k.Good, before)
	k.Manager = k.Again(t)
	require.Equal(t, first, k.runs(k.Good, before))
	k.start(k.Good)
	require.Equal(t, first, k.runs(k.Good, before), "start must leave alone what it did not start itself")
	k.stop(k.Good)
	k.stopped(k.Good)
	k.restart(k.Good)
	k.runs(k.Good, before)
}

func cancelled(t *testing.T, k kit) {
	cause := errors.New("the test said so")
	ctx, cancel := context.WithCancelCause(k.ctx)
	cancel(cause)
	require.ErrorIs(t, k.Manager.Start(ctx, k.Good), cause)
	require.ErrorIs(t, k.Manager.Restart(ctx, k.Good), cause)
	k.stopped(k.Good)
}

func reload(t *testing.T, k kit) {
	k.start(k.Good)
	before := k.status(k.Good)
	require.NoError(t, k.Manager.Reload(k.ctx))
	require.Equal(t, before, k.status(k.Good))
	stopping, err := k.Manager.Stopping(k.ctx)
	require.NoError(t, err)
	require.False(t, stopping)
}

func surveyed(t *testing.T, k kit) {
	k.start(k.Good)
	got, err := k.Manager.Survey(k.ctx, []service.Service{k.Good, k.Other, k.Unknown})
	require.NoError(t, err)
	require.Subset(t, []string{k.Unknown.Name}, got.Stale, "those that a reload may bring")
	got.Stale = nil
	require.Equal(t, service.Survey{}, got)
	k.runs(k.Good, 0)
	k.stopped(k.Other)
}

// inhibited: where nothing can be put off, an error says so, and nothing else happens.
func inhibited(t *testing.T, k kit) {
	release, err := k.Manager.Inhibit(k.ctx, "a test")
	require.NotNil(t, release)
	if err != nil {
		require.NotEmpty(t, err.Error())
	}
	k.start(k.Good)
	release()
	release()
	k.runs(k.Good, 0)
}

func concurrent(t *testing.T, k kit) {
	var wg sync.WaitGroup
	for _, s := range []service.Service{k.Good, k.Other, k.Good, k.Other} {
		wg.Go(func() {
			for range 20 {
				if _, err := k.Manager.Status(k.ctx, s); err != nil {
					t.Errorf("status of %s: %v", s.Name, err)
				}
			}
		})
	}
	for range 3 {
		k.restart(k.Good)
		k.restart(k.Other)
	}
	wg.Wait()
	k.runs(k.Good, 0)
	k.runs(k.Other, 0)
}

// together: a call for a service does not have to wait for one for another.
func together(t *testing.T, k kit) {
	k.start(k.Good)
	for range 3 {
		before := map[string]int{k.Good.Name: k.status(k.Good).MainPID, k.Other.Name: k.status(k.Other).MainPID}
		since := k.Clock.Monotonic()
		done, errs := service.Together([]service.Service{k.Good, k.Other}, false, func(_ int, s service.Service) error {
			return k.Manager.Restart(k.ctx, s)
		})
		require.Empty(t, errs)
		for _, s := range done {
			require.NotEqual(t, before[s.Name], k.runs(s, since).MainPID)
		}
	}
	_, errs := service.Together([]service.Service{k.Good, k.Other}, true, func(_ int, s service.Service) error {
		return k.Manager.Stop(k.ctx, s)
	})
	require.Empty(t, errs)
	k.stopped(k.Good)
	k.stopped(k.Other)
}
