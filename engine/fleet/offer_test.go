package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/fleettest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// shut is a window that is shut for the rest of the day.
const shut = "* 22:00-23:00"

func local() steps.Source { return steps.Source{URL: source.New("http://server/local")} }

// TestALocalRequestSaysThatItTakesAnOffersPlace, in so many words.
func TestALocalRequestSaysThatItTakesAnOffersPlace(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Windows = windows(t, "UTC", shut)
		d.accepts()
		_, err := d.life.Install(t.Context(), engine.InstallRequest{Source: local()})
		require.ErrorIs(t, err, engine.ErrBusy)
		d.waits(fleet.OutsideWindow)
		d.source.Words()
		d.Bundle.Version, d.Bundle.Digest = "1.5.0", digest("5")
		_, err = d.life.Install(t.Context(), engine.InstallRequest{Source: local(), Supersede: true})
		require.NoError(t, err)
		d.pass(time.Second)
		require.Equal(t, "1.5.0", d.current())
		d.words("1 Cancelled CANCELLED, the end")
	})
}

func TestANewerOfferTakesThePlaceOfAnOlder(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Windows = windows(t, "UTC", shut)
		d.accepts()
		d.source.Words()
		d.offers("2", "1.2.0")
		d.check()
		d.waits(fleet.OutsideWindow)
		require.Equal(t, "2", d.fold().Open.Origin.Action)
		d.words("1 Cancelled CANCELLED, the end", "2 Downloading", "2 Ready")
		d.pass(13 * hour)
		require.Equal(t, "1.2.0", d.current())
	})
}

// TestANewerOfferIsSeenBeforeAnOlderIsInstalled: the question before the installation finds
// it.
func TestANewerOfferIsSeenBeforeAnOlderIsInstalled(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Windows, d.cfg.Poll = windows(t, "UTC", shut), 48*hour
		d.accepts()
		d.offers("2", "1.2.0")
		d.pass(13 * hour)
		require.Equal(t, "1.2.0", d.current(), d.Trace())
		require.EqualValues(t, 1, d.fold().Counters[engine.Committed])
	})
}

// TestAnOfferThatWasStoppedIsNotInstalled: a source that was heard long ago is asked once
// more before anything is switched.
func TestAnOfferThatWasStoppedIsNotInstalled(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Windows, d.cfg.Poll = windows(t, "UTC", shut), 48*hour
		o := d.accepts()
		d.source.Answers(fleet.Answer{Cancel: &o.Origin, CancelWhy: "it was halted"})
		d.pass(13 * hour)
		require.Equal(t, "1.0.0", d.current())
		require.Equal(t, engine.Cancelled, d.fold().Last.State)
		require.Contains(t, d.fold().Last.Error.Text, "it was halted")
	})
}

func TestCancelBeforeTheSwitch(t *testing.T) {
	for _, step := range []steps.Name{steps.Download, steps.Verify, steps.Extract, steps.Stage} {
		within(t, func(t *testing.T, d *device) {
			d.changes = []enginetest.Change{slow(step, 10*time.Minute)}
			o := d.accepts()
			require.Equal(t, engine.StateOf(step), d.fold().Open.State)
			d.source.Words()
			d.source.Answers(fleet.Answer{Cancel: &o.Origin})
			d.check()
			d.pass(20 * time.Minute)
			d.words("1 Cancelled CANCELLED, the end")
			require.Equal(t, "1.0.0", d.current())
			require.True(t, d.fold().Last.Error != nil && d.source.Told()[len(d.source.Told())-1].By.Source == "script")
		})
	}
}

func TestCancelAfterTheSwitch(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.changes = []enginetest.Change{slow(steps.Restart, 10*time.Minute)}
		o := d.accepts()
		d.source.Words()
		d.source.Answers(fleet.Answer{Cancel: &o.Origin})
		d.check()
		d.words("uncancel 1")
		d.source.Offers(nil)
		d.pass(20 * time.Minute)
		d.words("1 Committed, the end")
		require.Equal(t, "1.1.0", d.current())
	})
}

func TestCancelOfWhatNobodyKnowsIsToldOnce(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.up()
		d.source.Deaf(func(journal.Notice) error { return errDown })
		d.source.Answers(fleet.Answer{Cancel: &journal.Origin{Source: "script", Action: "7"}})
		d.check()
		d.check()
		d.pass(5 * hour)
		require.Len(t, d.fold().Outbox, 1)
		d.source.Deaf(nil)
		d.source.Offers(nil)
		d.pass(2 * hour)
		d.words("7 Cancelled CANCELLED, the end")
	})
}

// TestAFailedOfferIsTriedAgain: an offer that has failed is tried again after one hour, four, sixteen, and
// then each day, and at once when somebody asks.
func TestAFailedOfferIsTriedAgain(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Poll = 10 * time.Minute
		d.Bundle.Broken = true
		var fails []time.Time
		d.source.See = func(word string) {
			if word == "1 Failed INVALID_PACKAGE, the end" {
				fails = append(fails, time.Now())
			}
		}
		d.accepts()
		d.pass(5 * time.Minute)
		w := d.loop.Load().Status().Wait
		require.Equal(t, string(fleet.Failed), w.Reason)
		require.WithinDuration(t, day.Add(hour), w.Until, time.Minute)
		d.pass(72 * hour)
		require.Len(t, fails, 6)
		for i, wait := range []time.Duration{hour, 4 * hour, 16 * hour, 24 * hour, 24 * hour} {
			require.InDelta(t, wait, fails[i+1].Sub(fails[i]), float64(2*time.Minute), i)
		}
		d.check()
		d.pass(time.Minute)
		require.Len(t, fails, 7, "somebody has asked for it")
		d.Bundle.Broken = false
		d.check()
		require.Equal(t, "1.1.0", d.current())
	})
}

// TestTheRetryIsAskedFor: an offer that may be tried again is asked for before the next poll.
func TestTheRetryIsAskedFor(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Poll = 100 * hour
		d.Bundle.Broken = true
		d.accepts()
		d.Bundle.Broken = false
		n := len(d.source.Asked())
		d.pass(hour - time.Second)
		require.Len(t, d.source.Asked(), n)
		d.pass(2 * time.Second)
		require.Equal(t, "1.1.0", d.current())
	})
}

// TestNoRetryBeforeTheEndIsTold: a source that does not know of an end yet still offers.
func TestNoRetryBeforeTheEndIsTold(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.source.Deaf(func(journal.Notice) error { return errDown })
		d.Bundle.Broken = true
		d.accepts()
		d.pass(30 * hour)
		require.EqualValues(t, 1, d.fold().Counters[engine.Failed])
	})
}

// TestTheRetryGoesOnThroughReboots, whatever the wall clock says.
func TestTheRetryGoesOnThroughReboots(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Poll = 10 * time.Minute
		d.Bundle.Broken = true
		d.accepts()
		d.reboot(20 * time.Minute)
		d.pass(30 * time.Minute)
		require.EqualValues(t, 1, d.fold().Counters[engine.Failed])
		d.clock.Jump(-60 * 365 * 24 * hour)
		d.reboot(time.Minute)
		d.pass(50 * time.Minute)
		require.EqualValues(t, 1, d.fold().Counters[engine.Failed], "what nobody knows has not passed")
		d.pass(30 * time.Minute)
		require.EqualValues(t, 2, d.fold().Counters[engine.Failed])
	})
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		o := d.offers("1", "1.1.0")
		o.Unfit = "it is for another hardware"
		d.up()
		d.check()
		d.pass(time.Minute)
		d.words("1 Failed INVALID_PACKAGE, the end")
		require.Nil(t, d.fold().Last)
		require.Contains(t, d.source.Told()[0].Error.Text, "another hardware")
	})
}

// TestFacts: what a source has to remember is durable before its offer is begun.
func TestFacts(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.source.Answers(fleet.Answer{Facts: json.RawMessage(`{"serial":7}`), Offer: d.offers("1", "1.1.0")})
		d.up()
		d.check()
		require.Equal(t, "1.1.0", d.current())
		remembers := 0
		for i, r := range d.J.All() {
			if r.Remember != nil {
				remembers = i + 1
			}
			if r.Accept != nil {
				require.NotZero(t, remembers, "the offer was accepted before")
			}
		}
		d.reboot(hour)
		d.check()
		require.JSONEq(t, `{"serial":7}`, string(d.source.Question().Facts))
	})
}

// TestACutBetweenFactsAndInstall leaves the facts, and no update.
func TestACutBetweenFactsAndInstall(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.source.Answers(fleet.Answer{Facts: json.RawMessage(`{"serial":7}`), Offer: d.offers("1", "1.1.0")})
		d.On(enginetest.Cut{N: 1, At: "journal Idle→Requested"})
		d.start()
		_ = d.loop.Load().Check(t.Context())
		d.pass(time.Second)
		require.True(t, d.Off())
		d.reboot(hour)
		require.NotNil(t, d.fold().FactsOf("script"))
		require.Nil(t, d.fold().Open)
		d.pass(2 * hour)
		require.Equal(t, "1.1.0", d.current())
	})
}

func TestAttributesAreToldAgainWhenTheyChange(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		version := "1.0.0"
		d.cfg.Attributes = func() map[string]string { return map[string]string{"version": version, "hardware": "b"} }
		d.up()
		d.check()
		d.words("attributes hardware=b version=1.0.0")
		d.pass(10 * hour)
		d.words()
		version = "1.1.0"
		d.pass(2 * hour)
		d.words("attributes hardware=b version=1.1.0")
		d.source.Answers(fleet.Answer{Identify: true})
		d.check()
		d.words("attributes hardware=b version=1.1.0")
	})
}

// TestConfirm: a source that waits for a word gets a yes when the offer would be installed
// now, and otherwise the reason, once.
func TestConfirm(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Windows, d.cfg.Poll = windows(t, "UTC", "* 22:00-04:00"), 5*time.Minute
		o := d.offers("1", "1.1.0")
		o.Do = fleet.Ask
		d.up()
		d.check()
		d.words("deny 1: the next maintenance window opens at 2026-12-01 22:00 UTC")
		d.pass(11 * hour)
		d.words()
		d.pass(2*hour + 10*time.Minute)
		require.Contains(t, d.source.Words(), "confirm 1")
		agreed := *o
		agreed.Do = fleet.Install
		d.source.Offers(&agreed)
		d.pass(10 * time.Minute)
		require.Equal(t, "1.1.0", d.current())
	})
}

// TestAnotherActionIsDeniedToo, for the same reason.
func TestAnotherActionIsDeniedToo(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Windows = windows(t, "UTC", shut)
		d.up()
		for i := range 2 {
			o := d.offers(fmt.Sprint(i), "1.1.0")
			o.Do = fleet.Ask
			d.check()
			d.words(fmt.Sprintf("deny %d: the next maintenance window opens at 2026-12-01 22:00 UTC", i))
		}
	})
}

func TestThrift(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		why := "the day's data is used up"
		d.cfg.Thrift = func(context.Context) (string, time.Time) { return why, time.Time{} }
		o := d.accepts()
		require.Nil(t, d.fold().Open)
		require.Equal(t, string(fleet.Thrifty), d.loop.Load().Status().Wait.Reason)
		o.Forced = true
		d.source.Offers(o)
		d.check()
		require.Equal(t, "1.1.0", d.current())
	})
}

// TestAnotherSource: what one that is not configured any more has offered does not block
// the device, and what is owed to it is dropped.
func TestAnotherSource(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.up()
		o := fleettest.Offer("9", "1.9.0", digest("9")).Origin
		o.Source = "hawkbit"
		d.Bundle = enginetest.Bundle{Version: "1.9.0", Digest: digest("9")}
		_, err := d.life.Install(t.Context(), engine.InstallRequest{Source: local(), Hold: true, Origin: &o, Reports: true, Patience: 100 * hour})
		require.NoError(t, err)
		d.pass(time.Second)
		require.NotEmpty(t, d.fold().Outbox)
		d.halt()
		d.accepts()
		require.Empty(t, d.fold().Outbox)
		require.Equal(t, "1.1.0", d.current())
		for _, word := range d.source.Words() {
			require.NotContains(t, word, "9 ")
		}
	})
}

// TestAFileThatHasFailedIsRefusedUnfetched, when it is offered under another name.
func TestAFileThatHasFailedIsRefusedUnfetched(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.Sick["1.1.0"] = true
		o := *d.accepts()
		d.pass(time.Minute)
		require.Equal(t, []string{"1.1.0"}, d.quarantined())
		o.Origin.Action = "2"
		d.source.Offers(&o)
		d.check()
		d.pass(time.Minute)
		end := d.fold().EndOf(o.Origin)
		require.Equal(t, engine.Failed, end.State)
		require.Equal(t, string(steps.Quarantined), end.Code)
		require.Empty(t, end.Update)
		require.Contains(t, end.Text, "release 1.1.0 failed on this device before (HEALTH_CHECK_FAILED")
	})
}
