package fleet_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/fleettest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// onProbation has version 1.1.0 committed by an offer, with a service that fails when why
// is set.
func (d *device) onProbation(why *string) {
	d.t.Helper()
	d.cfg.Failing = func(context.Context) string { return *why }
	d.accepts()
	require.Equal(d.t, "1.1.0", d.current())
	require.NotNil(d.t, d.fold().Probation)
	require.True(d.t, d.fold().Probation.Reach, "it was offered a moment ago")
	d.source.Offers(nil)
	d.check()
	d.source.Words()
}

func (d *device) quarantined() (versions []string) {
	for _, q := range d.fold().Quarantine {
		versions = append(versions, q.Version)
	}
	return versions
}

func TestAVersionPasses(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		why := ""
		d.onProbation(&why)
		d.pass(12 * hour)
		why = "api is restarting"
		d.pass(4 * time.Minute)
		why = "" // it was down for less than five minutes
		require.InDelta(t, 12*hour, d.loop.Load().Status().Probation.Left, float64(10*time.Minute))
		d.pass(12 * hour)
		require.Nil(t, d.fold().Probation)
		why = "api has failed"
		d.pass(24 * hour)
		require.Equal(t, "1.1.0", d.current())
		require.Empty(t, d.quarantined())
		d.words()
	})
}

func TestAServiceThatFailsOnProbation(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		why := ""
		d.onProbation(&why)
		d.pass(3 * hour)
		why = "api has failed"
		d.pass(4 * time.Minute)
		require.Equal(t, "1.1.0", d.current())
		require.Equal(t, why, d.loop.Load().Status().Probation.Doubt)
		d.pass(3 * time.Minute)
		require.Equal(t, "1.0.0", d.current(), d.Trace())
		last := d.fold().Last
		require.Equal(t, engine.Probation, last.Kind)
		require.Equal(t, engine.Committed, last.State)
		require.Contains(t, last.Evicts.Reason, "PROBATION: api has failed")
		require.Equal(t, []string{"1.1.0"}, d.quarantined())
		d.words("1 RolledBack PROBATION, the end")
		for _, r := range d.J.All() {
			if r.Quarantine != nil {
				break
			}
			require.False(t, r.Update == last.ID && r.To == engine.Committed && r.Quarantine == nil && len(d.quarantined()) == 0)
		}
		d.pass(48 * hour)
		require.Equal(t, "1.0.0", d.current(), "not to and fro")
		require.Nil(t, d.fold().Probation)
	})
}

// TestTheQuarantineComesWithTheWayBack: not before the version that takes its place is
// committed.
func TestTheQuarantineComesWithTheWayBack(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		why := ""
		d.onProbation(&why)
		d.halt()
		d.changes = append(d.changes, slow(steps.Commit, 10*time.Minute))
		d.start()
		why = "api has failed"
		d.pass(8 * time.Minute)
		require.Equal(t, engine.Committing, d.fold().Open.State)
		require.Empty(t, d.quarantined())
		d.pass(10 * time.Minute)
		require.Equal(t, []string{"1.1.0"}, d.quarantined())
	})
}

func TestTheWayBackFails(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		why := ""
		d.onProbation(&why)
		d.Sick["1.0.0"] = true
		why = "api has failed"
		d.pass(10 * time.Minute)
		require.Equal(t, engine.RolledBack, d.fold().Last.State)
		require.Equal(t, "1.1.0", d.current(), "the new version stays")
		require.Empty(t, d.quarantined())
		d.pass(48 * hour)
		tries := 0
		for _, r := range d.J.All() {
			if r.Accept != nil && r.Accept.Kind == engine.Probation {
				tries++
			}
		}
		require.Equal(t, 1, tries)
		require.Nil(t, d.fold().Probation)
		d.words()
	})
}

// cutOff is a device whose version 1.1.0 cannot reach its source. It has gone back.
func (d *device) cutOff() {
	d.t.Helper()
	why := ""
	d.onProbation(&why)
	d.source.Fails(errDown)
	d.pass(10 * hour)
	require.Equal(d.t, "1.1.0", d.current())
	for i := 0; i < 6*60 && d.current() == "1.1.0"; i++ {
		d.pass(time.Minute)
	}
	require.Equal(d.t, "1.0.0", d.current(), d.Trace())
	require.Contains(d.t, d.fold().Last.Evicts.Reason, "cannot be reached")
	require.Empty(d.t, d.quarantined(), "that is only a suspicion")
	require.NotNil(d.t, d.fold().Suspect)
}

func TestConvicted(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cutOff()
		d.source.Fails(nil)
		d.pass(70 * time.Minute)
		require.Equal(t, []string{"1.1.0"}, d.quarantined())
		require.Nil(t, d.fold().Suspect)
		require.Contains(t, d.source.Words(), "1 RolledBack PROBATION, the end")
	})
}

// TestAnOutageThatEndsLaterConvictsNobody: the version before has not reached the source at
// once either, so that it was the source.
func TestAnOutageThatEndsLaterConvictsNobody(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cutOff()
		d.pass(30 * time.Minute)
		require.Nil(t, d.fold().Suspect)
		d.source.Fails(nil)
		d.pass(2 * hour)
		require.Empty(t, d.quarantined())
	})
}

// TestAcquitted: when the version before reaches nobody either, the release may be
// installed again, and is not sent back for that a second time.
func TestAcquitted(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cutOff()
		d.pass(7 * hour)
		require.Nil(t, d.fold().Suspect)
		require.Empty(t, d.quarantined())
		d.source.Fails(nil)
		d.offers("1", "1.1.0")
		d.pass(3 * hour)
		require.Equal(t, "1.1.0", d.current(), d.Trace())
		require.False(t, d.fold().Probation.Reach)
		d.source.Fails(errDown)
		d.pass(48 * hour)
		require.Equal(t, "1.1.0", d.current())
		require.Nil(t, d.fold().Probation, "it has passed")
	})
}

// TestAnOutageIsNotHeldAgainstAVersion: a source that was away for long and is there again
// is asked before the device goes back.
func TestAnOutageIsNotHeldAgainstAVersion(t *testing.T) {
	for i := range 20 {
		within(t, func(t *testing.T, d *device) {
			why := ""
			d.cfg.ID, d.cfg.Poll = fmt.Sprint("device-", i), 6*hour
			d.onProbation(&why)
			d.source.Fails(errDown)
			require.Error(t, d.loop.Load().Check(t.Context()))
			d.pass(11*hour + 30*time.Minute)
			d.source.Fails(nil)
			d.pass(24 * hour)
			require.Equal(t, "1.1.0", d.current())
			require.Nil(t, d.fold().Probation)
		})
	}
}

// TestSomebodyAnswers: a server that is broken does not cut a device off.
func TestSomebodyAnswers(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		why := ""
		d.onProbation(&why)
		d.source.Fails(fleet.ErrHeard)
		d.pass(23 * hour)
		require.Equal(t, "1.1.0", d.current())
	})
}

// TestAnotherSourceSaysNothingOfAVersion: that a source cannot be reached, where somebody
// has configured another one since.
func TestAnotherSourceSaysNothingOfAVersion(t *testing.T) {
	for _, change := range []func(*fleettest.Script){
		func(s *fleettest.Script) { s.Other = "another source" },
		func(s *fleettest.Script) { s.At = "http://sevrer" },
	} {
		within(t, func(t *testing.T, d *device) {
			why := ""
			d.onProbation(&why)
			d.halt()
			change(d.source)
			d.source.Fails(errDown)
			d.start()
			d.pass(20 * hour)
			require.Equal(t, "1.1.0", d.current(), d.Trace())
		})
	}
}

// TestProbationCountsWhileTheDeviceRuns, and the starts meanwhile.
func TestProbationCountsWhileTheDeviceRuns(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		why := ""
		d.onProbation(&why)
		for boot := range 3 {
			d.pass(6*hour + 30*time.Minute) // of which six hours are noted
			d.reboot(100 * hour)
			p := d.fold().Probation
			require.NotNil(t, p)
			require.Equal(t, boot+1, p.Boots)
			require.InDelta(t, time.Duration(boot+1)*6*hour, p.Ran, float64(90*time.Minute))
		}
		d.pass(8 * hour)
		require.Nil(t, d.fold().Probation)
	})
}

// TestALocalVersionIsNotOnProbation, nor does one replace what is watched unseen.
func TestALocalVersionIsNotOnProbation(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		why := ""
		d.onProbation(&why)
		d.Bundle.Version, d.Bundle.Digest = "1.5.0", digest("5")
		_, err := d.life.Install(t.Context(), engine.InstallRequest{Source: local()})
		require.NoError(t, err)
		d.pass(time.Minute)
		require.Equal(t, "1.5.0", d.current())
		require.Nil(t, d.fold().Probation)
		why = "api has failed"
		d.pass(hour)
		require.Equal(t, "1.5.0", d.current())
	})
}

// TestProbationWhileTheNextOfferWaits: the way back comes first.
func TestProbationWhileTheNextOfferWaits(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		why := ""
		d.onProbation(&why)
		require.NoError(t, d.life.Hold(t.Context(), journal.Hold{Why: "a fair"}))
		d.offers("2", "1.2.0")
		d.check()
		d.waits(fleet.Held)
		why = "api has failed"
		d.pass(10 * time.Minute)
		require.Equal(t, "1.0.0", d.current(), d.Trace())
		require.Equal(t, []string{"1.1.0"}, d.quarantined())
	})
}
