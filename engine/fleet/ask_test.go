package fleet_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
)

// TestNothingIsBegunByAnOldAnswer: what was offered long ago may have been stopped since.
func TestNothingIsBegunByAnOldAnswer(t *testing.T) {
	for _, silent := range []bool{true, false} {
		within(t, func(t *testing.T, d *device) {
			costs := "the network is metered"
			d.source.Silent = silent
			d.cfg.Thrift = func(context.Context) (string, time.Time) { return costs, time.Time{} }
			d.accepts()
			d.source.Fails(errDown)
			d.pass(40 * 24 * hour)
			costs = ""
			d.pass(5 * time.Minute)
			require.Nil(t, d.fold().Open)
			require.Equal(t, "1.0.0", d.current())
			require.Equal(t, string(fleet.Unheard), d.loop.Load().Status().Wait.Reason)
			d.source.Fails(nil)
			d.pass(2 * hour)
			require.Equal(t, "1.1.0", d.current(), d.Trace())
		})
	}
}

// TestAnOldAnswerIsAskedForAnew, at once, when its source has answered so far.
func TestAnOldAnswerIsAskedForAnew(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		costs := "the network is metered"
		d.cfg.Poll = 48 * hour
		d.cfg.Thrift = func(context.Context) (string, time.Time) { return costs, time.Time{} }
		d.accepts()
		d.pass(20 * hour)
		costs = ""
		d.pass(2 * time.Minute)
		require.Equal(t, "1.1.0", d.current(), d.Trace())
		require.Len(t, d.source.Asked(), 2)
	})
}

// TestASourceThatWantsYears is asked after a week.
func TestASourceThatWantsYears(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.source.Answers(fleet.Answer{Next: 65535 * hour})
		d.up()
		d.check()
		d.pass(8 * 24 * hour)
		require.Len(t, d.source.Asked(), 2)
	})
}
