package fleet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
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
