package engine_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/steps"
)

// Each of these tests guards one column of the table of rows. It checks what a
// device sees of that column, so that a wrong cell fails it, however the code
// is written.

// watched is a device that notes the calls of its steps, gate and marker.
type watched struct {
	*enginetest.Device
	mu    sync.Mutex
	notes []string
	// hangs is a step that waits until its context ends; hung is closed once it does.
	hangs steps.Name
	// expires says that the step is expected to be ended by its deadline.
	expires bool
	budget  int // Config.Budget; 0 for the default
	// boots is set when the power goes at the end of each life.
	boots bool
	hung  chan struct{}
	once  sync.Once
	clock *patientClock
}

// patientClock is a clock on which a deadline comes only once the step that has
// it hangs.
type patientClock struct {
	*enginetest.Clock
	mu     sync.Mutex
	newest chan time.Time
}

func (c *patientClock) After(d time.Duration) <-chan time.Time {
	if d < time.Hour {
		return c.Clock.After(d)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest = make(chan time.Time, 1)
	return c.newest
}

// expire makes the newest deadline come: the running step's.
func (c *patientClock) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.newest != nil {
		c.newest <- c.Now()
	}
}

func (w *watched) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, what)
}

// noted are the notes so far of the given kinds.
func (w *watched) noted(kinds ...string) (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.notes {
		if slices.Contains(kinds, n) {
			list = append(list, n)
		}
	}
	return list
}

type watchedStep struct {
	steps.Step
	name steps.Name
	w    *watched
}

func (s watchedStep) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	if s.name == s.w.hangs {
		s.w.once.Do(func() { close(s.w.hung) })
		s.w.clock.expire()
		<-ctx.Done()
		return steps.Outcome{}, context.Cause(ctx)
	}
	return s.Step.Do(ctx, t)
}

func (s watchedStep) Undo(ctx context.Context, t *steps.Task) error {
	s.w.note("undo " + string(s.name))
	return s.Step.Undo(ctx, t)
}

// Preflight and Mark note the state that the update is in when they are called.
func (w *watched) Preflight(ctx context.Context, t *steps.Task) (steps.Preflight, error) {
	w.note("preflight in " + string(w.J.State().Open.State))
	return w.Device.Preflight(ctx, t)
}

func (w *watched) Mark(old string) error {
	w.note("mark in " + string(w.J.State().Open.State))
	return w.Device.Mark(old)
}

// life is the life of one daemon, with the given request. It lasts until no
// update is open, or until a step without a deadline hangs. The daemon is then
// stopped as by systemd.
func (w *watched) life(t *testing.T, patience engine.Patience, request enginetest.Request) engine.Status {
	t.Helper()
	w.hung, w.once, w.clock = make(chan struct{}), sync.Once{}, &patientClock{Clock: w.Clock}
	hangs := w.hung
	if w.expires {
		hangs = nil // its deadline comes
	}
	if w.boots {
		w.Reboot()
	}
	w.On(enginetest.Cut{})
	l, err := w.Start(func(c *engine.Config) {
		c.Versions, c.Gate, c.Clock, c.Patience, c.Budget = w, w, w.clock, patience, w.budget
		for name, step := range c.Steps {
			c.Steps[name] = watchedStep{step, name, w}
		}
	})
	require.NoError(t, err)
	if request != nil {
		require.NoError(t, l.Ask(request))
	}
	over := make(chan error, 1)
	go func() { over <- l.Watch(func(s engine.Status) bool { return s.Update == nil }) }()
	select {
	case err := <-over:
		require.NoError(t, err)
	case <-hangs:
	}
	st := l.Status()
	if w.boots {
		l.Kill()
		return st
	}
	require.NoError(t, l.Stop())
	return st
}

func newWatched(change func(*enginetest.Device)) *watched {
	w := &watched{Device: enginetest.NewDevice()}
	change(w.Device)
	return w
}

// Column undone: when an installation ends without being committed, all that
// the steps before Switch made is removed, the newest first.
func TestWhatIsUndone(t *testing.T) {
	sick := func(versions ...string) func(*enginetest.Device) {
		return func(d *enginetest.Device) {
			for _, v := range versions {
				d.Sick[v] = true
			}
		}
	}
	all := []string{"undo Stage", "undo Extract", "undo Verify", "undo Download"}
	for _, c := range []struct {
		name    string
		device  func(*enginetest.Device)
		request enginetest.Request
		ends    engine.State
		undone  []string
	}{
		{"failed", func(d *enginetest.Device) { d.Bundle.Broken = true }, enginetest.Install, engine.Failed, all},
		{"rolled back", sick("1.1.0"), enginetest.Install, engine.RolledBack, all},
		{"fell back", sick("1.1.0", "1.0.0"), enginetest.Install, engine.FellBack, all},
		{"needs attention", sick("1.1.0", "1.0.0", "0.5.0"), enginetest.Install, engine.NeedsAttention, all},
		{"committed", sick(), enginetest.Install, engine.Committed, nil},
		{"only checked", sick(), enginetest.CheckBundle, engine.Checked, all},
		{"rollback by hand brings nothing", sick("0.9.0"), rollback, engine.RolledBack, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWatched(c.device)
			st := w.life(t, engine.Patience{}, c.request)
			require.Equal(t, c.ends, st.Last.State)
			undone := w.noted(append(all, "undo Switch", "undo Restart", "undo HealthCheck", "undo Commit", "undo Rollback", "undo Factory")...)
			require.Equal(t, c.undone, undone)
		})
	}
}

// Column bounded: Verify, Extract and Stage are begun five times, when they are cut
// short by a power cut or a crash. Download is begun as often as it takes, and the
// steps from Switch on until the budget of starts is spent.
func TestHowOftenAStepIsBegun(t *testing.T) {
	for _, c := range []struct {
		step   steps.Name
		state  engine.State
		budget int
		begun  int
		leaves engine.State // where the start after the last one leads
	}{
		{steps.Verify, engine.Verifying, 2, 5, engine.Failed},
		{steps.Extract, engine.Extracting, 2, 5, engine.Failed},
		{steps.Stage, engine.Staging, 2, 5, engine.Failed},
		{steps.Download, engine.Downloading, 2, 9, ""},
		{steps.Switch, engine.Switching, 2, 3, engine.RolledBack},
		{steps.Switch, engine.Switching, 8, 9, engine.RolledBack},
		{steps.Restart, engine.Restarting, 8, 9, engine.RolledBack},
		{steps.HealthCheck, engine.CheckingHealth, 8, 9, engine.RolledBack},
		{steps.Commit, engine.Committing, 8, 9, engine.RolledBack},
	} {
		t.Run(fmt.Sprintf("%s, budget %d", c.step, c.budget), func(t *testing.T) {
			w := newWatched(func(*enginetest.Device) {})
			w.hangs, w.budget, w.boots = c.step, c.budget, true
			ask := enginetest.Request(enginetest.Install)
			for n := 1; n <= c.begun; n++ {
				require.Equal(t, c.state, w.life(t, engine.Patience{}, ask).State, "start %d:\n%s", n, w.Trace())
				ask = nil
			}
			if c.leaves == "" {
				return
			}
			st := w.life(t, engine.Patience{}, nil)
			require.Nil(t, st.Update, w.Trace())
			require.Equal(t, c.leaves, st.Last.State)
			code := steps.BudgetSpent
			if c.leaves == engine.Failed {
				code = steps.InterruptedTooOften
			}
			require.Equal(t, string(code), st.Last.Cause.Code)
		})
	}
}

// Column arms: the gate's judgement of the running version and the marker are
// there before Switching begins. They are asked for once, in the state that
// leads to it.
func TestWhatIsArmed(t *testing.T) {
	kinds := []string{}
	for _, s := range engine.States() {
		kinds = append(kinds, "preflight in "+string(s), "mark in "+string(s))
	}
	for name, c := range map[string]struct {
		request enginetest.Request
		armed   []string
	}{
		"install":  {enginetest.Install, []string{"preflight in Staging", "mark in Staging"}},
		"check":    {enginetest.CheckBundle, []string{"preflight in Staging"}},
		"rollback": {rollback, []string{"preflight in Requested", "mark in Requested"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatched(func(*enginetest.Device) {})
			ends := engine.Committed
			if name == "check" {
				ends = engine.Checked
			}
			require.Equal(t, ends, w.life(t, engine.Patience{}, c.request).Last.State)
			require.Equal(t, c.armed, w.noted(kinds...))
		})
	}
}

// Column deadline: a step that waits for services or for the gate fails when its
// time is up; one that works through a bundle may take any time.
func TestWhichStepsHaveADeadline(t *testing.T) {
	patience := engine.Patience{Stop: time.Hour, Start: time.Hour, Health: time.Hour, Copy: time.Hour}
	for _, c := range []struct {
		step  steps.Name
		state engine.State
		ends  engine.State // empty for a step that still hangs
	}{
		{steps.Download, engine.Downloading, ""},
		{steps.Verify, engine.Verifying, ""},
		{steps.Extract, engine.Extracting, ""},
		{steps.Stage, engine.Staging, ""},
		{steps.Switch, engine.Switching, engine.RolledBack},
		{steps.Restart, engine.Restarting, engine.RolledBack},
		{steps.HealthCheck, engine.CheckingHealth, engine.RolledBack},
		{steps.Commit, engine.Committing, engine.RolledBack},
		{steps.Rollback, engine.RollingBack, engine.FellBack},
		{steps.Factory, engine.FallingBack, engine.NeedsAttention},
		{steps.Return, engine.Returning, engine.NeedsAttention},
	} {
		t.Run(string(c.step), func(t *testing.T) {
			w := newWatched(func(d *enginetest.Device) {
				turns := []steps.Name{steps.Rollback, steps.Factory, steps.Return}
				for i, v := range []string{"1.1.0", "1.0.0", "0.5.0"} {
					d.Sick[v] = slices.Contains(turns[i:], c.step)
				}
			})
			w.hangs, w.expires = c.step, c.ends != ""
			if !w.expires {
				require.Equal(t, c.state, w.life(t, patience, enginetest.Install).State)
				return
			}
			st := w.life(t, patience, enginetest.Install)
			require.Equal(t, c.ends, st.Last.State, w.Trace())
			var told bool
			for _, r := range w.J.All() {
				told = told || r.Error != nil && r.From == c.state && r.Error.Code == string(steps.DeploymentFailed)
			}
			require.True(t, told, "the deadline of %s is what ended it:\n%s", c.step, w.Trace())
		})
	}
}
