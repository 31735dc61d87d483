package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/steps"
)

func source(version string) steps.Source {
	return steps.Source{URL: "http://server/bundle", Version: version, MD5: "0123456789abcdef0123456789abcdef", Size: 7}
}

// slow makes a step wait until it is let go, or its context ends.
func slow(name steps.Name, gate chan struct{}) enginetest.Change {
	return func(c *engine.Config) { c.Steps[name] = waiting{c.Steps[name], gate} }
}

type waiting struct {
	steps.Step
	gate chan struct{}
}

func (w waiting) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	select {
	case <-w.gate:
		return w.Step.Do(ctx, t)
	case <-ctx.Done():
		return steps.Outcome{}, context.Cause(ctx)
	}
}

func TestOneUpdateAtATime(t *testing.T) {
	gate := make(chan struct{})
	r := enginetest.NewDevice().Up(t, slow(steps.Download, gate))
	id, err := r.Install(t.Context(), engine.InstallRequest{Source: source("1.1.0")})
	require.NoError(t, err)
	r.Until(engine.Downloading)
	_, err = r.Install(t.Context(), engine.InstallRequest{Source: source("1.2.0")})
	require.ErrorIs(t, err, engine.ErrBusy)
	var busy *engine.BusyError
	require.ErrorAs(t, err, &busy)
	require.Equal(t, id, busy.Update)
	_, err = r.Rollback(t.Context(), "", false)
	require.ErrorIs(t, err, engine.ErrBusy)
	require.ErrorIs(t, r.Exclusive(t.Context(), "prune", func(context.Context) error { return errors.New("must not run") }), engine.ErrBusy)
	close(gate)
	require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
}

func TestCancelBeforeSwitching(t *testing.T) {
	for _, step := range []steps.Name{steps.Download, steps.Verify, steps.Extract, steps.Stage} {
		t.Run(string(step), func(t *testing.T) {
			d := enginetest.NewDevice()
			r := d.Up(t, slow(step, nil))
			_, err := r.Install(t.Context(), engine.InstallRequest{Source: source("1.1.0")})
			require.NoError(t, err)
			r.Until(stateOf(step))
			_, err = r.Cancel(t.Context())
			require.NoError(t, err)
			require.Equal(t, engine.Cancelled, r.Until(engine.Idle).Last.State)
			require.Equal(t, "1.0.0", d.P.Current)
			require.Empty(t, d.Files, "nothing is left behind")
			require.Empty(t, d.J.State().Quarantine, "a cancel is not the release's fault")
		})
	}
}

func stateOf(step steps.Name) engine.State {
	for _, s := range engine.States() {
		if engine.StepOf(s) == step {
			return s
		}
	}
	return ""
}

func TestTooLateToCancel(t *testing.T) {
	gate := make(chan struct{})
	r := enginetest.NewDevice().Up(t, slow(steps.HealthCheck, gate))
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: source("1.1.0")})
	require.NoError(t, err)
	r.Until(engine.CheckingHealth)
	_, err = r.Cancel(t.Context())
	require.ErrorIs(t, err, engine.ErrTooLate)
	close(gate)
	require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
	_, err = r.Cancel(t.Context())
	require.ErrorIs(t, err, engine.ErrNotFound)
}

// A held update waits in Ready; that is not busy, and the install request, a
// newer download, or the end of the trust window ends it.
func TestHeldUpdate(t *testing.T) {
	hold := func(t *testing.T) (*enginetest.Life, *enginetest.Device) {
		d := enginetest.NewDevice()
		r := d.Up(t)
		_, err := r.Install(t.Context(), engine.InstallRequest{Source: source("1.1.0"), Hold: true})
		require.NoError(t, err)
		r.Until(engine.Ready)
		return r, d
	}
	t.Run("install request", func(t *testing.T) {
		r, _ := hold(t)
		_, err := r.Proceed(t.Context(), "7.7.7")
		require.ErrorIs(t, err, engine.ErrNotFound)
		_, err = r.Proceed(t.Context(), "1.1.0")
		require.NoError(t, err)
		require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
	})
	t.Run("a newer download", func(t *testing.T) {
		r, d := hold(t)
		_, err := r.Install(t.Context(), engine.InstallRequest{Source: source("1.1.0")})
		require.NoError(t, err)
		require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
		require.Equal(t, int64(1), d.J.State().Counters[string(engine.Cancelled)])
	})
	t.Run("a day too late", func(t *testing.T) {
		r, d := hold(t)
		d.Clock.Pass(24*time.Hour + time.Minute)
		_, err := r.Proceed(t.Context(), "1.1.0")
		require.ErrorIs(t, err, engine.ErrExpired)
		last := r.Until(engine.Idle).Last
		require.Equal(t, engine.Failed, last.State)
		require.Equal(t, string(steps.PackageExpired), last.Error.Code)
	})
	t.Run("the wall clock jumps, the device does not", func(t *testing.T) {
		r, d := hold(t)
		d.Clock.Jump(30 * 365 * 24 * time.Hour)
		_, err := r.Proceed(t.Context(), "1.1.0")
		require.NoError(t, err)
		require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
	})
}

// After a reboot with a clock that went backwards the package is verified again.
func TestClockWentBackwards(t *testing.T) {
	d := enginetest.NewDevice()
	first := d.Up(t)
	_, err := first.Install(t.Context(), engine.InstallRequest{Source: source("1.1.0"), Hold: true})
	require.NoError(t, err)
	first.Until(engine.Ready)
	require.NoError(t, first.Stop())

	d.Reboot()
	d.Clock.Jump(-10 * 365 * 24 * time.Hour)
	d.InitStarts()
	var verified atomic.Int32
	r := d.Up(t, func(c *engine.Config) { c.Steps[steps.Verify] = counting{c.Steps[steps.Verify], &verified} })
	r.Until(engine.Ready)
	_, err = r.Proceed(t.Context(), "1.1.0")
	require.NoError(t, err)
	require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
	require.Equal(t, int32(1), verified.Load(), "verified again")
}

type counting struct {
	steps.Step
	n *atomic.Int32
}

func (c counting) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	c.n.Add(1)
	return c.Step.Do(ctx, t)
}

// A release whose gate failed is not tried again unasked; with Retry it is, and
// leaves the quarantine when it commits.
func TestQuarantine(t *testing.T) {
	d := enginetest.NewDevice()
	d.Sick["1.1.0"] = true
	r := d.Up(t)
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: "/b"}})
	require.NoError(t, err)
	last := r.Until(engine.Idle).Last
	require.Equal(t, engine.RolledBack, last.State)
	require.Equal(t, string(steps.HealthFailed), last.Cause.Code)
	require.Len(t, r.Status().Quarantine, 1)

	delete(d.Sick, "1.1.0")
	_, err = r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: "/b"}})
	require.NoError(t, err)
	last = r.Until(engine.Idle).Last
	require.Equal(t, engine.Failed, last.State, "learnt from the bundle that it is in quarantine")
	require.Equal(t, string(steps.Quarantined), last.Error.Code)

	_, err = r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: "/b"}, Retry: true})
	require.NoError(t, err)
	require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
	require.Empty(t, r.Status().Quarantine)
}

func TestQuarantineRefusesAtOnceWhenTheDigestIsDeclared(t *testing.T) {
	d := enginetest.NewDevice()
	d.Bundle.Digest = "md5:" + source("").MD5
	d.Sick["1.1.0"] = true
	r := d.Up(t)
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: source("1.1.0")})
	require.NoError(t, err)
	r.Until(engine.Idle)
	_, err = r.Install(t.Context(), engine.InstallRequest{Source: source("1.1.0")})
	require.ErrorIs(t, err, engine.ErrQuarantined)
}

// A passing failure is tried again, a bounded number of times, and the release
// is not to blame for it.
func TestTransientFailures(t *testing.T) {
	for _, c := range []struct {
		fails int32
		end   engine.State
	}{{2, engine.Committed}, {100, engine.Failed}} {
		d := enginetest.NewDevice()
		var n atomic.Int32
		r := d.Up(t, func(cfg *engine.Config) {
			cfg.Steps[steps.Extract] = failing{cfg.Steps[steps.Extract], &n, c.fails, &steps.Error{Class: steps.Transient, Code: steps.IOError, Err: errors.New("cannot write: input/output error")}}
		})
		_, err := r.Install(t.Context(), engine.InstallRequest{Source: source("1.1.0")})
		require.NoError(t, err)
		last := r.Until(engine.Idle).Last
		require.Equal(t, c.end, last.State)
		require.Equal(t, c.end == engine.Committed, last.Error == nil, "a success has no error, a failure has")
		require.Empty(t, r.Status().Quarantine)
	}
}

// Going back is not given up for a disk that fails once or twice: what comes
// next is a version further back, or none.
func TestGoingBackIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		step  steps.Name
		fails int32
		end   engine.State
	}{{steps.Rollback, 2, engine.RolledBack}, {steps.Rollback, 100, engine.FellBack}, {steps.Factory, 2, engine.FellBack}, {steps.Factory, 100, engine.NeedsAttention}} {
		d := enginetest.NewDevice()
		d.Sick["1.1.0"] = true
		if c.step == steps.Factory {
			d.Sick["1.0.0"] = true
		}
		var n atomic.Int32
		r := d.Up(t, func(cfg *engine.Config) {
			cfg.Steps[c.step] = failing{cfg.Steps[c.step], &n, c.fails, &steps.Error{Class: steps.Local, Code: steps.IOError, Err: errors.New("cannot sync: input/output error")}}
		})
		_, err := r.Install(t.Context(), engine.InstallRequest{Source: source("1.1.0")})
		require.NoError(t, err)
		require.Equal(t, c.end, r.Until(engine.Idle).Last.State, "%s fails %d times", c.step, c.fails)
	}
}

type failing struct {
	steps.Step
	n     *atomic.Int32
	times int32
	err   error
}

func (f failing) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	if f.n.Add(1) <= f.times {
		return steps.Outcome{}, f.err
	}
	return f.Step.Do(ctx, t)
}

// While the system goes down a failed gate is no verdict: the state stays, and
// the next look decides.
func TestNoVerdictWhileStopping(t *testing.T) {
	var n atomic.Int32
	r := enginetest.NewDevice().Up(t, func(cfg *engine.Config) {
		cfg.Steps[steps.HealthCheck] = failing{cfg.Steps[steps.HealthCheck], &n, 3, &steps.Error{Class: steps.Interrupted, Code: steps.HealthFailed, Err: errors.New("the system is stopping")}}
	})
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: source("1.1.0")})
	require.NoError(t, err)
	require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
	require.Empty(t, r.Status().Quarantine)
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	r := enginetest.NewDevice().Up(t)
	for _, url := range []string{"", "ftp://server/x", "http://", "relative.zip", "http://[bad"} {
		_, err := r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: url}})
		require.ErrorIs(t, err, engine.ErrInvalid, url)
	}
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: "/x", Version: "../../etc"}})
	require.ErrorIs(t, err, engine.ErrInvalid)
	_, err = r.Rollback(t.Context(), "4.4.4", false)
	require.ErrorIs(t, err, engine.ErrNotFound)
	_, err = r.Rollback(t.Context(), "1.0.0", false)
	require.ErrorIs(t, err, engine.ErrNothingToDo)
	_, err = r.Proceed(t.Context(), "1.1.0")
	require.ErrorIs(t, err, engine.ErrNotFound)
	require.Nil(t, r.Status().Last, "nothing was journaled")
}

func TestExclusiveKeepsUpdatesOut(t *testing.T) {
	r := enginetest.NewDevice().Up(t)
	inside, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- r.Exclusive(t.Context(), "prune", func(context.Context) error { close(inside); <-leave; return nil })
	}()
	<-inside
	accepted := make(chan error, 1)
	go func() {
		_, err := r.Install(t.Context(), engine.InstallRequest{Source: source("1.1.0")})
		accepted <- err
	}()
	require.Nil(t, r.Status().Update)
	close(leave)
	require.NoError(t, <-done)
	require.NoError(t, <-accepted, "what waited is let in")
	require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
}
