package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// programs is the updater's copies: which runs, which is committed, and which
// each version carries, by digest.
type programs struct {
	running, committed string
	carried            map[string]string
	unable             bool  // this process cannot be replaced
	broken             error // Successor's
	readOnly           error // Adopt's
}

func (p *programs) Running() (string, error) { return p.running, nil }

func (p *programs) Successor(_ context.Context, version string) (*engine.Successor, error) {
	if c := p.carried[version]; c != "" && c != p.running {
		return &engine.Successor{Path: c, Digest: c, Able: !p.unable}, p.broken
	}
	return nil, nil
}

func (p *programs) Committed() (*engine.Successor, error) {
	if p.committed == p.running || p.unable {
		return nil, nil
	}
	return &engine.Successor{Path: p.committed, Digest: p.committed, Able: true}, nil
}

func (p *programs) Adopt(version string) (bool, error) {
	c := p.carried[version]
	if c == "" || c == p.committed || p.readOnly != nil {
		return false, p.readOnly
	}
	p.committed = c
	return true, nil
}

// selfDevice is a device whose release 1.1.0 carries an updater.
type selfDevice struct {
	*enginetest.Device
	*programs
	t *testing.T
}

func newSelfDevice(t *testing.T) selfDevice {
	t.Helper()
	return selfDevice{enginetest.NewDevice(), &programs{running: "old", committed: "old", carried: map[string]string{"1.1.0": "new"}}, t}
}

// life is one process's: it begins as the program that runs, and ends when no
// update is open, or when another program has to go on.
func (d selfDevice) life(ask bool) *engine.TakeOver {
	d.t.Helper()
	d.On(enginetest.Cut{})
	e, err := engine.New(engine.Config{Journal: d.J, Versions: d, Keeper: d, Gate: d, Starter: d, Steps: d.Steps(d.Bundle), Clock: d.Clock, Program: d.programs})
	require.NoError(d.t, err)
	_, err = e.Recover(d.t.Context(), engine.Daemon)
	require.NoError(d.t, err)
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	if ask {
		_, err := e.Install(ctx, engine.InstallRequest{Source: source("1.1.0")})
		require.NoError(d.t, err)
	}
	for {
		changed := e.Changed()
		if st := e.Status(); st.Update == nil {
			// What ends Run comes with the record that closes the update.
			select {
			case err = <-ran:
			case <-time.After(20 * time.Millisecond):
				cancel()
				err = <-ran
			}
			break
		}
		select {
		case <-changed:
			continue
		case err = <-ran:
		}
		break
	}
	var over *engine.TakeOver
	if err != nil {
		require.ErrorAs(d.t, err, &over)
	}
	return over
}

func (d selfDevice) last() journal.Update { return *d.J.State().Last }

func TestAVersionIsCommittedByItsOwnUpdater(t *testing.T) {
	d := newSelfDevice(t)
	over := d.life(true)
	require.Equal(t, &engine.TakeOver{Path: "new", Trial: true}, over)
	require.Equal(t, engine.CheckingHealth, d.J.State().Open.State)
	require.Equal(t, "old", d.committed, "not before the commit")
	d.running = "new"
	require.Nil(t, d.life(false))
	require.Equal(t, engine.Committed, d.last().State)
	require.Equal(t, "new", d.committed)
	require.Zero(t, d.last().Spent, "a takeover costs nothing")
	require.True(t, d.last().Takeover.Up)
}

// What dies has two chances in a boot; then the release has failed, and is not
// tried again unasked.
func TestAnUpdaterThatDiesIsNotTriedForEver(t *testing.T) {
	d := newSelfDevice(t)
	require.NotNil(t, d.life(true)) // and dies
	require.NotNil(t, d.life(false))
	require.Nil(t, d.life(false))
	require.Equal(t, engine.RolledBack, d.last().State)
	require.Equal(t, string(steps.TakeoverFailed), d.last().Cause.Code)
	require.Len(t, d.J.State().Quarantine, 1)
	require.Equal(t, "old", d.committed)
}

// One that spoils the journal spoils what counts its chances, too.
func TestAnUpdaterThatLosesTheJournalIsNotTriedAgain(t *testing.T) {
	d := newSelfDevice(t)
	require.NotNil(t, d.life(true))
	d.J.Forget()
	require.Nil(t, d.life(false))
	require.Equal(t, engine.RolledBack, d.last().State)
	require.Equal(t, string(steps.TakeoverFailed), d.last().Cause.Code)
	require.Equal(t, "1.0.0", d.P.Current)
	require.Equal(t, "old", d.committed)
	require.Empty(t, d.J.State().Quarantine, "a disk may have lost it as well")
}

func TestTheWayBackIsTheCommittedUpdaters(t *testing.T) {
	d := newSelfDevice(t)
	d.Sick["1.1.0"] = true
	require.NotNil(t, d.life(true))
	d.running = "new"
	require.Equal(t, &engine.TakeOver{Path: "old"}, d.life(false))
	require.Equal(t, engine.RollingBack, d.J.State().Open.State)
	require.Equal(t, "1.1.0", d.P.Current, "it has not begun to go back")
	d.running = "old"
	require.Nil(t, d.life(false))
	require.Equal(t, engine.RolledBack, d.last().State)
	require.Zero(t, d.last().Spent)
}

func TestAnUpdaterThatCannotBeRunFailsTheGate(t *testing.T) {
	d := newSelfDevice(t)
	d.broken = &steps.Error{Class: steps.Unhealthy, Code: steps.TakeoverFailed, Err: errors.New("exec format error")}
	require.Nil(t, d.life(true))
	require.Equal(t, engine.RolledBack, d.last().State)
	require.Len(t, d.J.State().Quarantine, 1)
}

// The power goes between the commit record and the rename: the old program
// finishes the clean-up, and goes on as the new one.
func TestTheCommittedCopyFollowsTheCommit(t *testing.T) {
	d := newSelfDevice(t)
	d.life(true)
	d.running, d.readOnly = "new", errors.New("read-only file system")
	for d.J.State().Open != nil && d.J.State().Open.State != "Committed" {
		d.life(false)
	}
	// Whatever has been tried, a start as the old program makes up for it.
	d.running, d.readOnly = "old", nil
	require.Equal(t, &engine.TakeOver{Path: "new"}, d.life(false))
	require.Equal(t, "new", d.committed)
	d.running = "new"
	require.Nil(t, d.life(false))
	require.Empty(t, d.J.State().OwedProgram)
}

// Two cuts are within the budget, with takeovers as without them; the third
// boot goes back, before a service starts.
func TestBootsInATakeoverAreCountedOnce(t *testing.T) {
	d := newSelfDevice(t)
	require.NotNil(t, d.life(true))
	for boot := range 2 {
		d.startTrial()
		d.Reboot()
		require.NoError(t, d.Oneshot())
		d.InitStarts()
		require.Equal(t, boot+1, d.J.State().Open.Spent)
		d.running = "old"
		require.NotNil(t, d.life(false))
		require.Equal(t, boot+1, d.J.State().Open.Spent)
	}
	d.startTrial()
	d.Reboot()
	require.NoError(t, d.Oneshot())
	require.Equal(t, engine.RollingBack, d.J.State().Open.State)
	d.running = "old"
	require.Nil(t, d.life(false))
	require.Equal(t, engine.RolledBack, d.last().State)
}

// startTrial is the start of the version's own updater, cut off before it has
// done anything else.
func (d selfDevice) startTrial() {
	d.t.Helper()
	d.running = "new"
	e, err := engine.New(engine.Config{Journal: d.J, Versions: d, Keeper: d, Gate: d, Starter: d, Steps: d.Steps(d.Bundle), Clock: d.Clock, Program: d.programs})
	require.NoError(d.t, err)
	_, err = e.Recover(d.t.Context(), engine.Daemon)
	require.NoError(d.t, err)
}

// Who works without a daemon cannot hand over. It commits what nobody has tried
// to run, and goes back from what has begun and not finished.
func TestWithoutADaemon(t *testing.T) {
	d := newSelfDevice(t)
	d.unable = true
	require.Nil(t, d.life(true))
	require.Equal(t, engine.Committed, d.last().State)
	require.Equal(t, "new", d.committed)

	d = newSelfDevice(t)
	require.NotNil(t, d.life(true))
	d.unable = true
	require.Nil(t, d.life(false))
	require.Equal(t, engine.RolledBack, d.last().State)
	require.Empty(t, d.J.State().Quarantine)
	require.Equal(t, "old", d.committed)
}
