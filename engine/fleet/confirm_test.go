package fleet_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
)

// TestMaxDeferOfAConfirmation: a veto puts off the word that a source waits for as long as
// an update, and not without end, also over reboots.
func TestMaxDeferOfAConfirmation(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.MaxDefer = 30 * hour
		d.cfg.Veto = func(context.Context) fleet.Veto { return fleet.Veto{Busy: true, Why: "it prints"} }
		o := d.offers("1", "1.1.0")
		o.Do = fleet.Ask
		d.up()
		d.check()
		d.pass(15 * hour)
		d.reboot(hour)
		d.pass(10 * hour)
		require.NotContains(t, d.source.Words(), "confirm 1")
		d.pass(6 * hour)
		require.Contains(t, d.source.Words(), "confirm 1")
	})
}

// TestWhoGoesOnAskingIsNotAskedMore than at any other time.
func TestWhoGoesOnAskingIsNotAskedMore(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		o := d.offers("1", "1.1.0")
		o.Do = fleet.Ask
		d.up()
		d.check()
		d.pass(24 * hour)
		require.Less(t, len(d.source.Asked()), 30)
	})
}
