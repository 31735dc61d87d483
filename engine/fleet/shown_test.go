package fleet_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// TestWhoHasItAskedSeesTheAnswer: the status after a check is not that of the time before.
func TestWhoHasItAskedSeesTheAnswer(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		// What is looked at before an offer is begun takes its time.
		d.cfg.Thrift = func(context.Context) (string, time.Time) { time.Sleep(time.Second); return "", time.Time{} }
		d.changes = append(d.changes, slow(steps.Download, hour))
		d.offers("1", "1.1.0")
		d.up()
		require.NoError(t, d.loop.Load().Check(t.Context()))
		s := d.loop.Load().Status()
		require.Contains(t, s.Text, "is being installed")
		require.NotNil(t, s.Update)
		require.NotNil(t, s.Offer)

		d.source.Offers(nil)
		require.NoError(t, d.loop.Load().Check(t.Context()))
		d.source.Fails(errDown)
		require.ErrorIs(t, d.loop.Load().Check(t.Context()), errDown)
		require.Equal(t, 1, d.loop.Load().Status().Tries)
	})
}

// TestWhatIsInstalledIsNotOfferedAnyMore, although the source has not been asked since.
func TestWhatIsInstalledIsNotOfferedAnyMore(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Poll = 24 * hour
		d.accepts()
		d.pass(time.Minute)
		require.Equal(t, "1.1.0", d.current())
		s := d.loop.Load().Status()
		require.Equal(t, "version 1.1.0 of script is installed", s.Text)
		require.Nil(t, s.Offer)
		d.source.Offers(nil)
		d.check()
		require.Equal(t, "script", d.loop.Load().Status().Text)
	})
}

// TestWhatIsInQuarantineIsNotPromisedAgain, as an offer that has failed otherwise is.
func TestWhatIsInQuarantineIsNotPromisedAgain(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Poll = 24 * hour
		d.Sick["1.1.0"] = true
		d.accepts()
		d.pass(time.Minute)
		require.Equal(t, []string{"1.1.0"}, d.quarantined())
		s := d.loop.Load().Status()
		require.Contains(t, s.Text, "it has failed here (HEALTH_CHECK_FAILED), and is in quarantine")
		require.Equal(t, string(fleet.Failed), s.Wait.Reason)
		require.Zero(t, s.Wait.Until)
	})
}

// TestWhatAServerCallsOtherwiseIsInQuarantine: it knows files, and not releases.
func TestWhatAServerCallsOtherwiseIsInQuarantine(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Poll = 24 * hour
		d.Sick["1.1.0"] = true
		o := d.offers("1", "1.1.0")
		o.Origin.Digest, o.Source.Digest = "named:1", ""
		d.up()
		d.check()
		d.pass(time.Minute)
		require.Contains(t, d.loop.Load().Status().Text, "it has failed here (HEALTH_CHECK_FAILED), and is in quarantine")
	})
}

// TestAHoldIsInTheFirstLine, also when nothing waits for it.
func TestAHoldIsInTheFirstLine(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.up()
		require.NoError(t, d.life.Hold(t.Context(), journal.Hold{Why: "a fair"}))
		require.Equal(t, "the source has not been asked yet; offers are held back: a fair", d.loop.Load().Status().Text)
		d.offers("1", "1.1.0")
		d.check()
		d.waits(fleet.Held)
		require.Equal(t, "version 1.1.0 is ready and waits: offers are held back: a fair", d.loop.Load().Status().Text)
		_, err := d.life.Cancel(t.Context())
		require.NoError(t, err)
		d.pass(time.Second)
		s := d.loop.Load().Status()
		require.Contains(t, s.Text, "it was cancelled here, and is tried again at ")
		require.Contains(t, s.Text, ", if it is still offered then; offers are held back: a fair")
	})
}

// TestWhatIsReleasedIsNotHeld, also before the loop has looked at it again.
func TestWhatIsReleasedIsNotHeld(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Veto = func(context.Context) fleet.Veto { time.Sleep(time.Second); return fleet.Veto{} }
		d.up()
		require.NoError(t, d.life.Hold(t.Context(), journal.Hold{Why: "prints"}))
		d.offers("1", "1.1.0")
		d.check()
		d.waits(fleet.Held)
		require.NoError(t, d.life.Unhold(t.Context()))
		s := d.loop.Load().Status()
		require.Nil(t, s.Wait)
		require.Equal(t, "offers are not held back any more", s.Text)
		d.pass(time.Minute)
		require.Equal(t, "1.1.0", d.current())
	})
}

// TestWhatWaitsForTheFirstQuestionSaysSo: after a start, a source is asked before what it
// has offered is installed.
func TestWhatWaitsForTheFirstQuestionSaysSo(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.source.Silent = true
		d.up()
		require.NoError(t, d.life.Hold(t.Context(), journal.Hold{Why: "prints", Until: d.clock.Now().Add(hour)}))
		d.offers("1", "1.1.0")
		d.check()
		d.reboot(2 * hour)
		s := d.loop.Load().Status()
		require.Contains(t, s.Text, "version 1.1.0 is ready and waits: script is asked first, at ")
		require.Equal(t, string(fleet.Unheard), s.Wait.Reason)
		d.pass(2 * time.Minute)
		require.Equal(t, "1.1.0", d.current())
		require.Nil(t, d.loop.Load().Status().Wait)
	})
}
