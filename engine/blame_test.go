package engine_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// blamed is a device that installs 1.1.0 and is interrupted in one of its steps,
// again and again.
type blamed struct {
	*enginetest.Device
	t    *testing.T
	step steps.Name
	life *enginetest.Life
	// began is the step at work of this life.
	began chan struct{}
}

func newBlamed(t *testing.T, step steps.Name) *blamed {
	b := &blamed{Device: enginetest.NewDevice(), t: t, step: step}
	b.start()
	require.NoError(t, b.life.Ask(enginetest.Install))
	return b
}

// start is a start of the daemon; its step says that it is at work, and does not end.
func (b *blamed) start() {
	b.began = make(chan struct{}, 1)
	b.life = b.Up(b.t, func(c *engine.Config) { c.Steps[b.step] = working{c.Steps[b.step], b.began} })
}

type working struct {
	steps.Step
	began chan<- struct{}
}

func (w working) Do(ctx context.Context, _ *steps.Task) (steps.Outcome, error) {
	w.began <- struct{}{}
	<-ctx.Done()
	return steps.Outcome{}, context.Cause(ctx)
}

// halting stops the services before it is at work.
type halting struct {
	working
	w *enginetest.World
}

func (h halting) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	if err := h.w.Use("stop", func() error { h.w.Running = ""; return nil }); err != nil {
		return steps.Outcome{}, err
	}
	return h.working.Do(ctx, t)
}

// at waits until the step is at work, or the process has gone on without it.
func (b *blamed) at() *blamed {
	b.t.Helper()
	met := make(chan struct{})
	life := b.life
	go func() {
		defer close(met)
		_ = life.Watch(func(s engine.Status) bool { return s.Update == nil })
	}()
	select {
	case <-b.began:
	case <-met:
	}
	return b
}

// kill ends the daemon where it stands, as the kernel does when memory is short,
// and starts another one.
func (b *blamed) kill() {
	b.life.Kill()
	b.start()
}

// stop ends the daemon in order.
func (b *blamed) stop() { require.NoError(b.t, b.life.Stop()) }

// boot is what follows when the device was switched off, in whatever way.
func (b *blamed) boot() {
	b.Reboot()
	b.On(enginetest.Cut{})
	require.NoError(b.t, b.Oneshot())
	b.InitStarts()
	b.start()
}

// end lets the update go on to its end, undisturbed.
func (b *blamed) end() *engine.UpdateStatus {
	b.stop()
	return b.Up(b.t).Until(engine.Idle).Last
}

// A daemon that is killed says nothing of the release that is being judged.
func TestAKilledDaemonIsNoEvidence(t *testing.T) {
	for _, step := range []steps.Name{steps.Restart, steps.HealthCheck} {
		b := newBlamed(t, step)
		for range 15 {
			b.at().kill()
		}
		require.Equal(t, engine.Committed, b.at().end().State, b.Trace())
		require.Empty(t, b.J.State().Quarantine)
	}
}

// There is an end to it: the device goes back, and the release may come again.
func TestADaemonThatIsAlwaysKilledGoesBack(t *testing.T) {
	b := newBlamed(t, steps.HealthCheck)
	kills := 0
	for u := b.J.State().Open; u != nil && u.State != engine.RolledBack && u.State != engine.RollingBack; u = b.J.State().Open {
		b.at().kill()
		kills++
	}
	require.Equal(t, 21, kills)
	last := b.end()
	require.Equal(t, engine.RolledBack, last.State, b.Trace())
	require.Equal(t, string(steps.InterruptedTooOften), last.Cause.Code)
	require.Equal(t, string(steps.Local), last.Cause.Class)
	require.Empty(t, b.J.State().Quarantine)
}

// An operator restarts the daemon, or the device, as often as he likes.
func TestAnOrderlyEndIsNoEvidence(t *testing.T) {
	b := newBlamed(t, steps.HealthCheck)
	for range 4 {
		b.at().stop()
		b.start()
		b.at().stop()
		b.boot()
	}
	require.Zero(t, b.J.State().Open.Spent)
	require.Equal(t, engine.Committed, b.at().end().State, b.Trace())
}

// A device that goes down without a word may have been taken down by the release.
func TestAPowerCutIsCounted(t *testing.T) {
	b := newBlamed(t, steps.HealthCheck)
	for range 2 {
		b.at()
		b.life.Kill()
		b.boot()
	}
	// Orderly ends in between do not make it forget.
	b.at().stop()
	b.boot()
	require.Equal(t, 2, b.J.State().Open.Spent)
	b.at()
	b.life.Kill()
	b.Reboot()
	b.On(enginetest.Cut{})
	require.NoError(t, b.Oneshot())
	require.Equal(t, engine.RollingBack, b.J.State().Open.State)
	require.Len(t, b.J.State().Quarantine, 1)
}

// Before Switching the device is unchanged, and the release has not been given
// anything to run on: that its unpacking is interrupted is not evidence either.
func TestAnUnpackingThatIsInterruptedIsNoEvidence(t *testing.T) {
	b := newBlamed(t, steps.Extract)
	for range 10 {
		b.at().stop()
		b.start()
	}
	require.Equal(t, engine.Committed, b.at().end().State, b.Trace())

	b = newBlamed(t, steps.Extract)
	for range 4 {
		b.at().kill()
	}
	b.at()
	b.life.Kill()
	last := b.Up(t).Until(engine.Idle).Last
	require.Equal(t, engine.Failed, last.State, b.Trace())
	require.Empty(t, b.J.State().Quarantine)
}

// oom ends the version's own updater while it judges, because memory is short, and lets
// the committed one start. It returns false when the update has turned back.
func (d selfDevice) oom() (goesOn bool) {
	d.t.Helper()
	d.Programs.Process = "new"
	d.On(enginetest.Cut{})
	began := make(chan struct{}, 1)
	l, err := d.Start(func(c *engine.Config) { c.Steps[steps.HealthCheck] = working{c.Steps[steps.HealthCheck], began} })
	require.NoError(d.t, err)
	require.NoError(d.t, l.Wait(began))
	l.Kill()
	d.Programs.Process, d.OutOfMemory = "old", true
	return d.life() != nil
}

// Anybody on the device may take its memory: a death of that is not a verdict, whether it is
// the budget or the tries of a takeover that it would be counted in.
func TestADeathForWantOfMemoryIsNoEvidence(t *testing.T) {
	d := newSelfDevice(t)
	require.NotNil(t, d.life(enginetest.Install))
	for range 6 {
		require.True(t, d.oom(), d.Trace())
	}
	require.Equal(t, 6, d.J.State().Open.OutOfMemory)
	require.Zero(t, d.J.State().Open.Spent)
	d.Programs.Process = "new"
	d.life()
	require.Equal(t, engine.Committed, d.last().State, d.Trace())
}

// There is an end to it, which fails the update and not the release.
func TestAnUpdaterThatAlwaysRunsOutOfMemoryGoesBack(t *testing.T) {
	d := newSelfDevice(t)
	require.NotNil(t, d.life(enginetest.Install))
	for range 6 {
		require.True(t, d.oom(), d.Trace())
	}
	require.False(t, d.oom())
	require.Equal(t, engine.RolledBack, d.last().State, d.Trace())
	require.Equal(t, string(steps.OutOfMemory), d.last().Cause.Code)
	require.Equal(t, string(steps.Local), d.last().Cause.Class)
	require.Empty(t, d.J.State().Quarantine)
}

// The version's own updater is stopped in order while it judges: it has not failed.
func TestAnOrderlyEndInATakeoverIsNoEvidence(t *testing.T) {
	d := newSelfDevice(t)
	require.NotNil(t, d.life(enginetest.Install))
	for range 4 {
		d.Programs.Process = "new"
		d.On(enginetest.Cut{})
		l, err := d.Start(slow(steps.HealthCheck, nil))
		require.NoError(t, err)
		require.NoError(t, l.Stop())
		d.Programs.Process = "old"
		require.NotNil(t, d.life(), d.Trace())
	}
	d.Programs.Process = "new"
	d.life()
	require.Equal(t, engine.Committed, d.last().State, d.Trace())
}

// What the updater has stopped runs again when it has ended in order.
func TestServicesRunAfterAnOrderlyEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		step  steps.Name
		sick  bool
		stops bool   // the step stops the services
		after string // current, and what runs
	}{
		"stopped and switched":   {steps.Restart, false, true, "1.1.0"},
		"stopped to go back":     {steps.Rollback, true, true, "1.1.0"},
		"about to switch":        {steps.Switch, false, true, "1.0.0"},
		"judged, nothing to do":  {steps.HealthCheck, false, false, "1.1.0"},
		"stopped to return":      {steps.Return, true, true, "0.5.0"},
		"nothing stopped before": {steps.Extract, false, false, "1.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			d := enginetest.NewDevice()
			d.Sick["1.1.0"] = tt.sick
			d.Sick["1.0.0"], d.Sick["0.5.0"] = tt.step == steps.Return, tt.step == steps.Return
			began := make(chan struct{}, 1)
			l := d.Up(t, func(c *engine.Config) {
				step := working{c.Steps[tt.step], began}
				c.Steps[tt.step] = step
				if tt.stops {
					c.Steps[tt.step] = halting{step, d.World}
				}
			})
			require.NoError(t, l.Ask(enginetest.Install))
			require.NoError(t, l.Wait(began))
			require.NoError(t, l.Stop())
			require.Equal(t, tt.after, d.P.Current)
			require.Equal(t, tt.after, d.Running)
			end := engine.Committed
			switch {
			case tt.step == steps.Return:
				end = engine.NeedsAttention
			case tt.sick:
				end = engine.RolledBack
			}
			require.Equal(t, end, d.Up(t).Until(engine.Idle).Last.State, d.Trace())
		})
	}
}

// unnoted is a journal that cannot take the note of an end in order: its disk is full.
type unnoted struct{ engine.Journal }

func (u unnoted) Append(recs ...journal.Record) (*journal.Fold, error) {
	for _, r := range recs {
		if r.Stopped != nil {
			return nil, errors.New("no space left on device")
		}
	}
	return u.Journal.Append(recs...)
}

func TestServicesRunAfterAnOrderlyEndThatCannotBeNoted(t *testing.T) {
	d := enginetest.NewDevice()
	began := make(chan struct{}, 1)
	d.On(enginetest.Cut{})
	l, err := d.Start(func(c *engine.Config) {
		c.Journal = unnoted{c.Journal}
		c.Steps[steps.Restart] = halting{working{c.Steps[steps.Restart], began}, d.World}
	})
	require.NoError(t, err)
	require.NoError(t, l.Ask(enginetest.Install))
	require.NoError(t, l.Wait(began))
	require.ErrorContains(t, l.Stop(), "no space left")
	require.Equal(t, "1.1.0", d.Running)
}

// startsLate is a device that needs attention, on which the clean-up is interrupted
// before it has started a service.
type startsLate struct {
	*enginetest.World
	began chan<- struct{}
}

func (s startsLate) StartAll(ctx context.Context, _ *steps.Task) error {
	s.began <- struct{}{}
	<-ctx.Done()
	return context.Cause(ctx)
}

// No version has passed, and the services are stopped: they run as well after an
// orderly end as after the clean-up.
func TestServicesRunAfterAnOrderlyEndThatNeedsAttention(t *testing.T) {
	d := enginetest.NewDevice()
	d.Sick["1.1.0"], d.Sick["1.0.0"], d.Sick["0.5.0"] = true, true, true
	began := make(chan struct{}, 1)
	l := d.Up(t, func(c *engine.Config) { c.Starter = startsLate{d.World, began} })
	require.NoError(t, l.Ask(enginetest.Install))
	require.NoError(t, l.Wait(began))
	require.Empty(t, d.Running)
	require.NoError(t, l.Stop())
	require.Equal(t, "1.0.0", d.Running)
	require.Equal(t, engine.NeedsAttention, d.Up(t).Until(engine.Idle).Last.State, d.Trace())
}
