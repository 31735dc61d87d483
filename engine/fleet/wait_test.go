package fleet_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

func TestAnOfferIsInstalled(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.accepts()
		require.Equal(t, "1.1.0", d.current())
		d.pass(time.Minute)
		d.words("1 Downloading", "1 Ready", "1 Switching", "1 Committed, the end")
		require.Empty(t, d.fold().Outbox)
		d.pass(30 * time.Minute)
		d.words()
		d.pass(24 * hour)
		for _, word := range d.source.Words() {
			require.Equal(t, "1 Committed, the end", word, "a source that has forgotten hears it again")
		}
		require.EqualValues(t, 1, d.fold().Counters[engine.Committed], "it is installed once, whatever the source still offers")
		require.Len(t, d.fold().Counters, 1)
	})
}

// TestWindow: tonight's window opens at 22:00, and this device's turn is in its first hour.
func TestWindow(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Windows = windows(t, "UTC", "* 22:00-04:00")
		d.accepts()
		d.waits(fleet.OutsideWindow)
		require.Equal(t, day.Add(12*hour), d.fold().Open.Wait.Until)
		d.words("1 Downloading", "1 Ready")
		d.pass(12*hour - time.Second)
		d.waits(fleet.OutsideWindow)
		d.pass(2 * time.Second)
		d.waits(fleet.OutsideWindow)
		turn := d.fold().Open.Wait.Until
		require.WithinRange(t, turn, day.Add(12*hour), day.Add(13*hour))
		d.pass(turn.Sub(d.clock.Now()) - time.Second)
		require.Equal(t, "1.0.0", d.current())
		d.pass(2 * time.Second)
		require.Equal(t, "1.1.0", d.current())
	})
}

// TestSpread: devices whose window opens in one moment begin one after the other.
func TestSpread(t *testing.T) {
	turns := map[time.Time]bool{}
	for i := range 20 {
		within(t, func(t *testing.T, d *device) {
			d.cfg.ID, d.cfg.Windows = fmt.Sprint("device-", i), windows(t, "UTC", "* 22:00-02:00")
			d.accepts()
			d.pass(12*hour + time.Second)
			turn := d.fold().Open.Wait.Until
			require.WithinRange(t, turn, day.Add(12*hour), day.Add(13*hour))
			turns[turn] = true
		})
	}
	require.Greater(t, len(turns), 18)
}

// TestAWindowThatIsAlwaysOpen holds no device back.
func TestAWindowThatIsAlwaysOpen(t *testing.T) {
	for i := range 20 {
		within(t, func(t *testing.T, d *device) {
			d.cfg.ID, d.cfg.Windows = fmt.Sprint("device-", i), windows(t, "UTC", "* 00:00-24:00")
			d.accepts()
			require.Equal(t, "1.1.0", d.current())
		})
	}
}

func TestAWindowOfADeviceWithoutClock(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.clock.SetNow(time.Unix(0, 0))
		d.cfg.Windows = windows(t, "UTC", "* 09:00-18:00")
		d.accepts()
		d.waits(fleet.NoClock)
		d.pass(24 * hour)
		d.waits(fleet.NoClock)
		d.clock.SetNow(day)
		d.pass(2 * hour)
		require.Equal(t, "1.1.0", d.current())
	})
}

func TestVeto(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		busy := true
		d.cfg.Veto = func(context.Context) fleet.Veto { return fleet.Veto{Busy: busy, Why: "it prints"} }
		d.accepts()
		d.waits(fleet.Busy)
		require.Contains(t, d.fold().Open.Wait.Text, "it prints")
		d.pass(3 * hour)
		d.waits(fleet.Busy)
		busy = false
		d.pass(time.Minute)
		require.Equal(t, "1.1.0", d.current())
	})
}

func TestHold(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.up()
		until := day.Add(50*hour + 10*time.Minute)
		require.NoError(t, d.life.Hold(t.Context(), journal.Hold{Why: "a fair", Until: until}))
		o := d.offers("1", "1.1.0")
		o.Forced = true
		d.check()
		d.waits(fleet.Held)
		require.Contains(t, d.fold().Open.Wait.Text, "a fair")
		d.reboot(hour)
		d.pass(until.Sub(d.clock.Now()) - time.Second)
		d.waits(fleet.Held)
		d.pass(2 * time.Second)
		require.Equal(t, "1.1.0", d.current(), d.Trace())
		require.Nil(t, d.fold().Held, "a hold that is over is ended in the journal")
	})
}

func TestHoldWithoutEndIsReleased(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.up()
		require.NoError(t, d.life.Hold(t.Context(), journal.Hold{Why: "a fair"}))
		d.offers("1", "1.1.0")
		d.check()
		d.pass(20 * 24 * hour)
		d.waits(fleet.Held)
		require.NoError(t, d.life.Unhold(t.Context()))
		d.pass(time.Second)
		require.Equal(t, "1.1.0", d.current())
	})
}

func TestPolicies(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Policy = fleet.Check
		d.accepts()
		require.Nil(t, d.fold().Open)
		require.Equal(t, string(fleet.ByPolicy), d.loop.Load().Status().Wait.Reason)
		d.pass(24 * hour)
		require.Nil(t, d.fold().Open)
	})
	within(t, func(t *testing.T, d *device) {
		d.cfg.Policy = fleet.Download
		d.accepts()
		d.waits(fleet.ByPolicy)
		d.pass(5 * 24 * hour)
		d.waits(fleet.ByPolicy)
		_, err := d.life.Proceed(t.Context(), "1.1.0")
		require.NoError(t, err)
		d.pass(time.Second)
		require.Equal(t, "1.1.0", d.current(), d.Trace())
		require.Contains(t, d.source.Words(), "1 Committed, the end")
	})
}

func TestTheSourcesOwnWindow(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		o := d.offers("1", "1.1.0")
		o.Do, o.Window = fleet.Fetch, true
		d.up()
		d.check()
		d.waits(fleet.BySource)
		require.Contains(t, d.fold().Open.Wait.Text, "window")
		d.pass(5 * hour)
		d.waits(fleet.BySource)
		open := *o
		open.Do, open.Window = fleet.Install, false
		d.source.Offers(&open)
		d.pass(70 * time.Minute)
		require.Equal(t, "1.1.0", d.current())
	})
}

// TestASourceThatFlipsItsWindow: the journal does not grow with each answer.
func TestASourceThatFlipsItsWindow(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		o := d.offers("1", "1.1.0")
		o.Do = fleet.Fetch
		d.cfg.Veto = func(context.Context) fleet.Veto { return fleet.Veto{Busy: true, Why: "prints"} }
		d.up()
		d.check()
		before := len(d.J.All())
		for i := range 500 {
			next := *o
			next.Do = []fleet.Do{fleet.Install, fleet.Fetch}[i%2]
			d.source.Offers(&next)
			d.check()
			d.pass(10 * time.Second)
		}
		d.waits(fleet.BySource)
		require.Less(t, len(d.J.All())-before, 40)
		require.Equal(t, string(fleet.BySource), d.loop.Load().Status().Wait.Reason, "people see how it is")
	})
}

// TestUnheard: after a start, what waits is not installed before its source was heard,
// which may have shut its window; a source that hears nothing of it has no such word.
func TestUnheard(t *testing.T) {
	for _, silent := range []bool{false, true} {
		within(t, func(t *testing.T, d *device) {
			d.source.Silent = silent
			d.cfg.Windows = windows(t, "UTC", "* 22:00-04:00")
			d.accepts()
			d.source.Fails(errDown)
			d.pass(11 * hour)
			before := len(d.source.Asked())
			d.reboot(2 * hour) // the window is open
			d.pass(2 * hour)
			if silent {
				require.Equal(t, "1.1.0", d.current())
				return
			}
			d.waits(fleet.Unheard)
			require.LessOrEqual(t, len(d.source.Asked())-before, 10, "it backs off")
			d.source.Fails(nil)
			d.pass(70 * time.Minute)
			require.Equal(t, "1.1.0", d.current())
		})
	}
}

// TestNothingIsAskedAtTheStart, not even what waits in an open window: a street that has
// its power again does not stampede.
func TestNothingIsAskedAtTheStart(t *testing.T) {
	var moments []time.Duration
	for i := range 20 {
		within(t, func(t *testing.T, d *device) {
			d.cfg.ID, d.source.Silent = fmt.Sprint("device-", i), true
			d.up()
			// The hold is over while there is no power.
			require.NoError(t, d.life.Hold(t.Context(), journal.Hold{Why: "a fair", Until: d.clock.Now().Add(hour)}))
			d.offers("1", "1.1.0")
			d.check()
			before := len(d.source.Asked())
			d.reboot(2 * hour)
			began := time.Now()
			require.Equal(t, "1.0.0", d.current(), "it asks before")
			d.pass(2 * time.Minute)
			require.Equal(t, "1.1.0", d.current())
			moments = append(moments, d.source.Asked()[before].Sub(began))
		})
	}
	require.Less(t, busiest(moments, 6*time.Second), 8, moments)
}

// TestMaxDefer: windows and a veto put an offer off for so long, and not without end.
func TestMaxDefer(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.MaxDefer, d.cfg.Poll = 30*hour, 24*hour
		d.cfg.Windows = windows(t, "UTC", "mon 22:00-23:00")
		d.cfg.Veto = func(context.Context) fleet.Veto { return fleet.Veto{Busy: true} }
		d.accepts()
		d.pass(10 * hour)
		d.reboot(2 * hour)
		d.pass(18*hour - time.Minute)
		d.waits(fleet.OutsideWindow)
		d.pass(time.Minute + time.Second)
		require.Equal(t, "1.1.0", d.current(), d.Trace())
	})
	within(t, func(t *testing.T, d *device) {
		d.cfg.MaxDefer = 30 * hour
		d.up()
		require.NoError(t, d.life.Hold(t.Context(), journal.Hold{Why: "a fair"}))
		d.offers("1", "1.1.0")
		d.check()
		d.pass(80 * hour)
		d.waits(fleet.Held)
	})
}

// TestPatience: nothing waits without end, and what ends so is told.
func TestPatience(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.MaxDefer, d.cfg.Patience = 10*hour, 50*hour
		d.up()
		require.NoError(t, d.life.Hold(t.Context(), journal.Hold{Why: "a fair"}))
		d.offers("1", "1.1.0")
		d.check()
		d.pass(20 * hour)
		d.reboot(10 * hour)
		d.pass(20*hour - time.Minute)
		d.waits(fleet.Held)
		d.source.Words()
		d.source.Offers(nil)
		d.pass(2 * time.Minute)
		require.Equal(t, engine.Failed, d.fold().Last.State)
		d.words("1 Failed OFFER_EXPIRED, the end")
		require.Equal(t, "1.0.0", d.current())
	})
}

// TestLongWaitIsVerifiedAgain: longer than the trust window.
func TestLongWaitIsVerifiedAgain(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		verified := 0
		d.changes = []enginetest.Change{func(c *engine.Config) { c.Steps[steps.Verify] = counting{c.Steps[steps.Verify], &verified} }}
		d.cfg.Windows = windows(t, "UTC", "sat 10:00-16:00")
		d.accepts()
		require.Equal(t, 1, verified)
		for range 3 {
			d.pass(20 * hour)
			d.reboot(hour)
			d.pass(2 * time.Minute)
			d.waits(fleet.OutsideWindow)
		}
		d.pass(48 * hour)
		require.Equal(t, "1.1.0", d.current(), d.Trace())
		require.Equal(t, 2, verified)
		require.NotZero(t, len(d.fold().Offers))
		require.Equal(t, engine.Committed, d.fold().Offers[0].State)
	})
}

type counting struct {
	steps.Step
	n *int
}

func (c counting) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	*c.n++
	return c.Step.Do(ctx, t)
}
