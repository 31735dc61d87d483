package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// watching makes an engine watch what it commits for a day, for a source that was reached.
func watching(c *engine.Config) {
	c.Probation, c.Reached = 24*time.Hour, func(string) bool { return true }
}

// onProbation is a device on which the offer of 1.1.0 was committed, and is watched.
func onProbation(t *testing.T, changes ...enginetest.Change) (*enginetest.Device, *enginetest.Life) {
	t.Helper()
	d := enginetest.NewDevice()
	r := d.Up(t, append(changes, watching)...)
	bring(t, r)
	p := r.Journal().Probation
	require.NotNil(t, p)
	require.Equal(t, []string{"1.1.0", "1.0.0", "md5:b"}, []string{p.Version, p.Back, p.Digest})
	return d, r
}

// bring installs the offer.
func bring(t *testing.T, r *enginetest.Life) {
	t.Helper()
	req := requestOf("hawkbit", false)
	req.Hold = false
	_, err := r.Install(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
}

const dies = "PROBATION: api.service dies"

func TestGoBack(t *testing.T) {
	d, r := onProbation(t)
	id, err := r.GoBack(t.Context(), dies, false)
	require.NoError(t, err)
	st := r.Until(engine.Idle)
	require.Equal(t, engine.Committed, st.Last.State)
	require.Equal(t, engine.Probation, st.Last.Kind)
	require.Equal(t, "1.0.0", st.Pointers.Current)
	f := r.Journal()
	require.Nil(t, f.Probation)
	require.Nil(t, f.Suspect)
	require.Equal(t, dies, f.Quarantine[0].Reason)
	require.Equal(t, "md5:b", f.Quarantine[0].Digest)
	n := endOf(t, r, id)
	require.Equal(t, []any{engine.RolledBack, "1.0.0", "1.1.0"}, []any{n.State, n.Running, n.Version})
	require.Equal(t, &journal.Failure{Class: string(steps.Unhealthy), Code: string(steps.FailedProbation), Text: dies}, n.Error)
	require.Equal(t, engine.RolledBack, f.EndOf(*n.Origin).State)
	require.Equal(t, 1, f.EndOf(*n.Origin).Times)

	require.Empty(t, quarantinedBefore(d, engine.Committed), "it goes into quarantine with the record that commits the version before")
	_, err = r.GoBack(t.Context(), dies, false)
	require.ErrorIs(t, err, engine.ErrNothingToDo)
}

// quarantinedBefore are the records that put a release into quarantine before any update
// of kind probation has ended so.
func quarantinedBefore(d *enginetest.Device, end engine.State) (list []journal.Record) {
	kinds := map[string]journal.Kind{}
	for _, r := range d.J.All() {
		if r.Accept != nil {
			kinds[r.Update] = r.Accept.Kind
		}
		if kinds[r.Update] == engine.Probation && r.To == end {
			return list
		}
		if r.Quarantine != nil {
			list = append(list, r)
		}
	}
	return list
}

// The device does not go to and fro: a way back that fails is not tried again.
func TestGoBackToAVersionThatIsWorse(t *testing.T) {
	d, r := onProbation(t)
	d.Sick["1.0.0"] = true
	id, err := r.GoBack(t.Context(), dies, false)
	require.NoError(t, err)
	st := r.Until(engine.Idle)
	require.Equal(t, engine.RolledBack, st.Last.State)
	require.Equal(t, "1.1.0", st.Pointers.Current)
	f := r.Journal()
	require.Empty(t, f.Quarantine)
	require.Nil(t, f.Probation)
	require.Equal(t, engine.Committed, f.EndOf(*requestOf("hawkbit", false).Origin).State, "that stands")
	for _, n := range f.Outbox {
		require.NotEqual(t, id, n.Update, "its source has heard of a good end")
	}
	_, err = r.GoBack(t.Context(), dies, false)
	require.ErrorIs(t, err, engine.ErrNothingToDo)
}

// A source that cannot be reached is held against the release only once the version before
// has reached it; and once only.
func TestASourceThatIsNotReached(t *testing.T) {
	goBack := func(t *testing.T) *enginetest.Life {
		_, r := onProbation(t)
		require.True(t, r.Journal().Probation.Reach)
		require.ErrorIs(t, r.Convict(t.Context()), engine.ErrNothingToDo)
		_, err := r.GoBack(t.Context(), "PROBATION: nobody answers", true)
		require.NoError(t, err)
		require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
		require.Empty(t, r.Journal().Quarantine)
		require.Equal(t, "1.1.0", r.Journal().Suspect.Version)
		return r
	}
	t.Run("convict", func(t *testing.T) {
		r := goBack(t)
		require.NoError(t, r.Convict(t.Context()))
		require.Nil(t, r.Journal().Suspect)
		require.Equal(t, "PROBATION: nobody answers", r.Journal().Quarantine[0].Reason)
	})
	t.Run("acquit, and never to and fro", func(t *testing.T) {
		r := goBack(t)
		require.NoError(t, r.Acquit(t.Context(), "the version before does not either"))
		require.Nil(t, r.Journal().Suspect)
		require.Empty(t, r.Journal().Quarantine)
		require.ErrorIs(t, r.Convict(t.Context()), engine.ErrNothingToDo)
		bring(t, r)
		require.False(t, r.Journal().Probation.Reach, "the second time it says nothing of the version")
	})
}

// What is watched: a version that came by an offer, when there is one to go back to.
func TestWhatIsOnProbation(t *testing.T) {
	for name, c := range map[string]struct {
		from   string
		device func(*enginetest.Device)
		change enginetest.Change
		reach  bool
		on     bool
	}{
		"an offer": {"hawkbit", func(*enginetest.Device) {}, watching, true, true},
		"of a source that was only asked by the program before": {"hawkbit", func(*enginetest.Device) {}, func(c *engine.Config) { c.Probation = time.Hour }, true, true},
		"a request":                          {"", func(*enginetest.Device) {}, watching, false, false},
		"nothing, by the configuration":      {"hawkbit", func(*enginetest.Device) {}, func(*engine.Config) {}, false, false},
		"the first version has none before":  {"hawkbit", empty, watching, false, false},
		"a version that did not become well": {"hawkbit", func(d *enginetest.Device) { d.Sick["1.1.0"] = true }, watching, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := enginetest.NewDevice()
			c.device(d)
			r := d.Up(t, c.change)
			req := requestOf(c.from, false)
			req.Hold = false
			_, err := r.Install(t.Context(), req)
			require.NoError(t, err)
			r.Until(engine.Idle)
			p := r.Journal().Probation
			require.Equal(t, c.on, p != nil)
			require.Equal(t, c.reach, p != nil && p.Reach)
		})
	}
}

// empty is a device without any version.
func empty(d *enginetest.Device) {
	d.P.Current, d.P.Previous, d.P.Factory, d.Running = "", "", "", ""
	clear(d.States)
}

// An offer that waits gives way to what goes back: it is younger than the evidence.
func TestGoBackTakesTheNextOffersPlace(t *testing.T) {
	d, r := onProbation(t)
	d.Bundle = enginetest.Bundle{Version: "1.2.0", Digest: "md5:c"}
	next := requestOf("hawkbit", false)
	next.Origin.Action = "newer"
	id, err := r.Install(t.Context(), next)
	require.NoError(t, err)
	r.Until(engine.Ready)
	back, err := r.GoBack(t.Context(), dies, false)
	require.NoError(t, err)
	require.Equal(t, back, r.Until(engine.Idle).Last.ID)
	require.Equal(t, engine.Cancelled, endOf(t, r, id).State)
	require.Equal(t, engine.RolledBack, endOf(t, r, back).State)
}
