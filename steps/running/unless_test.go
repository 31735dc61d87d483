package running_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/steps/running"
)

// waiting is a manager whose start of kiosk waits for what it requires, as systemd's does
// while api is to be started again.
type waiting struct {
	*servicetest.Fake
	clock *clocktest.Fake
	// The clock is moved by this much, once so many wait for it.
	waiters int
	by      time.Duration
}

func (w *waiting) Start(ctx context.Context, s service.Service) error {
	if s.UnitName() != "kiosk.service" {
		return w.Fake.Start(ctx, s)
	}
	if err := w.Fake.Start(ctx, s); err != nil {
		return err
	}
	w.clock.Await(w.waiters)
	w.clock.Advance(w.by)
	<-ctx.Done()
	return context.Cause(ctx)
}

// The gate is not kept from its verdict by a unit that waits for a service which has ended.
// All others are started all the same.
func TestWhatWaitsForAnEndedServiceIsNotWaitedFor(t *testing.T) {
	c := clocktest.New()
	m := &waiting{Fake: servicetest.NewFake(c, "api", "kiosk.service", "other.service"), clock: c, waiters: 2, by: time.Second}
	m.Set("api", func(s *service.Status) { s.Active, s.Sub = service.Starting, "auto-restart" })
	units := running.Companions{Dependents: []string{"kiosk.service", "other.service"}}
	err := units.StartOthers(t.Context(), m, c, []service.Service{{Name: "api"}})
	require.ErrorContains(t, err, "start kiosk.service: not waited for, since api has ended")
	require.Equal(t, []string{"start kiosk.service", "start other.service"}, m.Calls())

	m.Set("api", func(s *service.Status) { s.Active, s.Sub = service.Running, "running" })
	m.waiters, m.by = c.Waiting()+2, time.Minute
	err = units.StartOthers(t.Context(), m, c, []service.Service{{Name: "api"}})
	require.ErrorContains(t, err, "it still starts after 1m0s")
}

func TestUnless(t *testing.T) {
	c := clocktest.NewAuto()
	why, failed := errors.New("why"), errors.New("failed")
	never := func(context.Context) error { return nil }
	stuck := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	require.NoError(t, running.Unless(t.Context(), c, never, never))
	require.ErrorIs(t, running.Unless(t.Context(), c, never, func(context.Context) error { return failed }), failed)
	looks := 0
	require.ErrorIs(t, running.Unless(t.Context(), c, func(context.Context) error {
		if looks++; looks < 3 {
			return nil
		}
		return why
	}, stuck), why)
	require.Equal(t, 3, looks)
	require.NoError(t, running.Unless(t.Context(), c, func(context.Context) error { return why }, func(ctx context.Context) error { <-ctx.Done(); return nil }), "it was done all the same")

	ended, end := context.WithCancelCause(t.Context())
	end(failed)
	require.ErrorIs(t, running.Unless(ended, c, func(context.Context) error { return why }, stuck), failed, "the caller's end counts")
}
