package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
)

// everywhere makes device-api one who is told the end of each update.
func everywhere(c *engine.Config) { c.Everywhere = []string{"device-api"} }

// owesEnd is a life on d that has caught up with device-api, which an earlier program had
// told of the update heard.
func owesEnd(t *testing.T, d *enginetest.Device, heard string) *enginetest.Life {
	t.Helper()
	r := d.Up(t, everywhere)
	require.NoError(t, r.OweEnd(t.Context(), func(recipient, update string) bool {
		require.Equal(t, "device-api", recipient)
		return update == heard
	}))
	return r
}

// An update that a program without an outbox has ended is owed once: no end is lost on the
// way to this program, and none is told twice.
func TestTheEndThatAnEarlierProgramLeft(t *testing.T) {
	d := updated(t) // by a program that tells nobody
	last := d.J.State().Last
	require.False(t, last.EndOwed)
	r := owesEnd(t, d, "an older update")
	n := r.Journal().OwedTo("device-api")
	require.NotNil(t, n)
	require.Equal(t, last.ID, n.Update)
	require.Equal(t, engine.Committed, n.State)
	require.True(t, n.End && n.Newest)
	require.Equal(t, "1.1.0", n.Running)
	require.Equal(t, last.Ended, n.Time)
	seq := d.J.State().Seq
	require.NoError(t, r.OweEnd(t.Context(), nil))
	require.Equal(t, seq, d.J.State().Seq, "once")
	require.NoError(t, r.Told(t.Context(), *n, ""))
	require.NoError(t, r.OweEnd(t.Context(), nil))
	require.Nil(t, r.Journal().OwedTo("device-api"))
	require.NoError(t, r.Stop())
	require.Nil(t, owesEnd(t, d, "").Journal().OwedTo("device-api"), "nor in the next life")
	recs := d.J.All()
	require.Equal(t, last.ID, recs[len(recs)-1].Update, "its story has what was told")
	require.NotNil(t, recs[len(recs)-1].Told)
}

func TestTheEndThatAnEarlierProgramTold(t *testing.T) {
	d := updated(t)
	r := owesEnd(t, d, d.J.State().Last.ID)
	require.Empty(t, r.Journal().Outbox)
	require.True(t, r.Journal().Last.EndOwed)
	seq := d.J.State().Seq
	require.NoError(t, r.Stop())
	require.Nil(t, owesEnd(t, d, "").Journal().OwedTo("device-api"), "the file is gone now, and it is told all the same")
	require.Equal(t, seq, d.J.State().Seq)
}

// The end before is owed while the next update waits, until that one ends.
func TestTheEndThatAnEarlierProgramLeftBesideAnOpenUpdate(t *testing.T) {
	d := updated(t)
	d.Bundle.Version, d.Bundle.Digest = "1.2.0", "md5:c"
	before := d.J.State().Last.ID
	r := d.Up(t, everywhere)
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.2.0"), Hold: true})
	require.NoError(t, err)
	open := r.Until(engine.Ready).Update.ID
	require.NoError(t, r.OweEnd(t.Context(), func(string, string) bool { return false }))
	require.Equal(t, before, r.Journal().OwedTo("device-api").Update)
	_, err = r.Cancel(t.Context())
	require.NoError(t, err)
	r.Until(engine.Idle)
	require.Len(t, r.Journal().Outbox, 1, "the newest end takes its place")
	n := r.Journal().OwedTo("device-api")
	require.Equal(t, open, n.Update)
	require.Equal(t, engine.Cancelled, n.State)
	require.Equal(t, engine.Cancelled, r.Journal().Last.State)
}

func TestNoEndIsOwed(t *testing.T) {
	r := owesEnd(t, enginetest.NewDevice(), "")
	require.Empty(t, r.Journal().Outbox, "nothing has happened yet")
	require.NoError(t, r.Stop())
	d := updated(t)
	seq := d.J.State().Seq
	quiet := d.Up(t)
	require.NoError(t, quiet.OweEnd(t.Context(), nil))
	require.Equal(t, seq, d.J.State().Seq, "nobody is told")
}
