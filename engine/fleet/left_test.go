package fleet_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
)

// goesBack has somebody go back by hand.
func (d *device) goesBack() {
	d.t.Helper()
	_, err := d.life.Rollback(d.t.Context(), "", engine.Turning{})
	require.NoError(d.t, err)
	d.pass(time.Minute)
}

// TestWhoGoesBackByHandIsNotOverruled: a channel goes on offering what somebody has gone
// back from. It is installed again when that is asked for, and what is newer by itself.
func TestWhoGoesBackByHandIsNotOverruled(t *testing.T) {
	for _, silent := range []bool{true, false} {
		within(t, func(t *testing.T, d *device) {
			d.source.Silent = silent
			d.accepts()
			require.Equal(t, "1.1.0", d.current())
			d.pass(2 * hour)
			d.source.Words()
			d.goesBack()
			d.pass(50 * hour)
			d.reboot(hour)
			d.pass(50 * hour)
			require.Equal(t, "1.0.0", d.current(), d.Trace())
			w := d.loop.Load().Status().Wait
			require.NotNil(t, w)
			require.Equal(t, string(fleet.Failed), w.Reason)
			require.Contains(t, w.Text, "by hand")
			d.words()
			d.check()
			require.Equal(t, "1.1.0", d.current(), "it was asked for")
			d.pass(hour)
			d.goesBack()
			d.offers("2", "1.2.0")
			d.pass(2 * hour)
			require.Equal(t, "1.2.0", d.current())
		})
	}
}

// TestAHoldInTheLastMoment, while the device is asked whether it is busy, holds: whoever was
// told that offers are held back can rely on it.
func TestAHoldInTheLastMoment(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		held := false
		d.cfg.Veto = func(ctx context.Context) fleet.Veto {
			if !held {
				held = true
				require.NoError(t, d.life.Hold(ctx, journal.Hold{Why: "a fair"}))
			}
			return fleet.Veto{}
		}
		d.accepts()
		d.waits(fleet.Held)
		d.pass(5 * hour)
		require.Equal(t, "1.0.0", d.current())
		require.NoError(t, d.life.Unhold(t.Context()))
		d.pass(time.Minute)
		require.Equal(t, "1.1.0", d.current())
	})
}

// TestTheFactoryVersionStartsAnew: who resets a device does not mean the release. Nor does
// it matter what its clock says.
func TestTheFactoryVersionStartsAnew(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.source.Silent = true
		d.accepts()
		d.clock.SetNow(time.Unix(0, 0))
		_, err := d.life.RestoreFactory(t.Context(), engine.Turning{})
		require.NoError(t, err)
		d.pass(2 * hour)
		require.Equal(t, "1.1.0", d.current(), d.Trace())
		require.EqualValues(t, 3, d.fold().Counters[engine.Committed])
	})
}

// TestNobodyIsAskedAnyMore: what waits does not block a device that asks nobody now, and is
// told of when its source is asked again.
func TestNobodyIsAskedAnyMore(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Windows = windows(t, "UTC", shut)
		d.accepts()
		d.source.Words()
		d.stop()
		require.NoError(t, <-d.ran)
		d.ran <- nil
		require.NoError(t, fleet.Abandon(t.Context(), d.life.Engine))
		require.NoError(t, fleet.Abandon(t.Context(), d.life.Engine))
		_, err := d.life.Install(t.Context(), engine.InstallRequest{Source: local()})
		require.NoError(t, err)
		d.pass(time.Second)
		require.Equal(t, "1.1.0", d.current())
		d.source.Offers(nil)
		d.halt()
		d.start()
		d.words("1 Cancelled CANCELLED, the end")
	})
}
