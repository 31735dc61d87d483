package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// selfDevice is a device whose release 1.1.0 carries an updater.
type selfDevice struct {
	*enginetest.Device
	t *testing.T
}

func newSelfDevice(t *testing.T) selfDevice {
	t.Helper()
	d := enginetest.NewDevice()
	d.Programs = enginetest.Programs{Process: "old", Copy: "old", Carried: map[string]string{"1.1.0": "new"}}
	return selfDevice{d, t}
}

// life is the life of one process, of the program that runs. It ends when no
// update is open, or when another program has to go on.
func (d selfDevice) life(requests ...enginetest.Request) *engine.TakeOver {
	d.t.Helper()
	d.On(enginetest.Cut{})
	l, err := d.Start()
	require.NoError(d.t, err)
	for _, r := range requests {
		if err == nil {
			err = l.Ask(r)
		}
	}
	if err == nil {
		err = l.Watch(func(s engine.Status) bool { return s.Update == nil })
	}
	if err == nil {
		err = l.Stop()
	}
	var over *engine.TakeOver
	if err != nil {
		require.ErrorAs(d.t, err, &over)
	}
	return over
}

func (d selfDevice) last() journal.Update { return *d.J.State().Last }

// An updater that spoils the journal also spoils the count of its tries.
func TestAnUpdaterThatLosesTheJournalIsNotTriedAgain(t *testing.T) {
	d := newSelfDevice(t)
	require.NotNil(t, d.life(enginetest.Install))
	d.J.Forget()
	require.Nil(t, d.life())
	require.Equal(t, engine.RolledBack, d.last().State)
	require.Equal(t, string(steps.TakeoverFailed), d.last().Cause.Code)
	require.Equal(t, "1.0.0", d.P.Current)
	require.Equal(t, "old", d.Programs.Copy)
	require.Empty(t, d.J.State().Quarantine, "a disk may have lost it as well")
}

// The power goes between the commit record and the rename: the old program
// finishes the clean-up, and goes on as the new one.
func TestTheCommittedCopyFollowsTheCommit(t *testing.T) {
	d := newSelfDevice(t)
	d.life(enginetest.Install)
	d.Programs.Process, d.Programs.ReadOnly = "new", true
	for d.J.State().Open != nil && d.J.State().Open.State != engine.Committed {
		d.life()
	}
	// However often the clean-up has been tried, a start as the old program
	// finishes it.
	d.Programs.Process, d.Programs.ReadOnly = "old", false
	require.Equal(t, &engine.TakeOver{Path: "new"}, d.life())
	require.Equal(t, "new", d.Programs.Copy)
	d.Programs.Process = "new"
	require.Nil(t, d.life())
	require.Empty(t, d.J.State().OwedProgram)
}

// Two cuts are within the budget, with takeovers as without them; the third
// boot goes back, before a service starts.
func TestBootsInATakeoverAreCountedOnce(t *testing.T) {
	d := newSelfDevice(t)
	require.NotNil(t, d.life(enginetest.Install))
	for boot := range 2 {
		d.startTrial()
		d.Reboot()
		require.NoError(t, d.Oneshot())
		d.InitStarts()
		require.Equal(t, boot+1, d.J.State().Open.Spent)
		d.Programs.Process = "old"
		require.NotNil(t, d.life())
		require.Equal(t, boot+1, d.J.State().Open.Spent)
	}
	d.startTrial()
	d.Reboot()
	require.NoError(t, d.Oneshot())
	require.Equal(t, engine.RollingBack, d.J.State().Open.State)
	d.Programs.Process = "old"
	require.Nil(t, d.life())
	require.Equal(t, engine.RolledBack, d.last().State)
}

// startTrial is the start of the version's own updater, cut off before it has
// done anything else.
func (d selfDevice) startTrial() {
	d.t.Helper()
	d.Programs.Process = "new"
	e, err := d.Engine()
	require.NoError(d.t, err)
	_, err = e.Recover(d.t.Context(), engine.Daemon)
	require.NoError(d.t, err)
}

// A program that works without a daemon cannot hand over. It commits a version
// whose own updater has not been tried, and goes back when that updater has
// begun and not finished.
func TestWithoutADaemon(t *testing.T) {
	d := newSelfDevice(t)
	d.Programs.Alone = true
	require.Nil(t, d.life(enginetest.Install))
	require.Equal(t, engine.Committed, d.last().State)
	require.Equal(t, "new", d.Programs.Copy)

	d = newSelfDevice(t)
	require.NotNil(t, d.life(enginetest.Install))
	d.Programs.Alone = true
	require.Nil(t, d.life())
	require.Equal(t, engine.RolledBack, d.last().State)
	require.Empty(t, d.J.State().Quarantine)
	require.Equal(t, "old", d.Programs.Copy)
}
