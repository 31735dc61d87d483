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
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

func bundleOf(version string) steps.Source {
	return steps.Source{URL: source.New("http://server/bundle"), Version: version, MD5: "0123456789abcdef0123456789abcdef", Size: 7}
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
	id, err := r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0")})
	require.NoError(t, err)
	r.Until(engine.Downloading)
	_, err = r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.2.0")})
	require.ErrorIs(t, err, engine.ErrBusy)
	var busy *engine.BusyError
	require.ErrorAs(t, err, &busy)
	require.Equal(t, id, busy.Update)
	_, err = r.Rollback(t.Context(), "", engine.Turning{})
	require.ErrorIs(t, err, engine.ErrBusy)
	require.ErrorIs(t, r.Exclusive(t.Context(), "prune", func(context.Context) error { return errors.New("must not run") }), engine.ErrBusy)
	close(gate)
	require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
}

func stateOf(step steps.Name) engine.State {
	for _, s := range engine.States() {
		if engine.StepOf(s) == step {
			return s
		}
	}
	return ""
}

func TestQuarantineRefusesAtOnceWhenTheDigestIsDeclared(t *testing.T) {
	d := enginetest.NewDevice()
	d.Bundle.Digest = "md5:" + bundleOf("").MD5
	d.Sick["1.1.0"] = true
	r := d.Up(t)
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0")})
	require.NoError(t, err)
	r.Until(engine.Idle)
	_, err = r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0")})
	require.ErrorIs(t, err, engine.ErrQuarantined)
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

func TestRequestsThatMakeNoSense(t *testing.T) {
	r := enginetest.NewDevice().Up(t)
	for _, url := range []string{"", "ftp://server/x", "http://", "relative.zip", "http://[bad"} {
		_, err := r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: source.New(url)}})
		require.ErrorIs(t, err, engine.ErrInvalid, url)
	}
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: source.New("/x"), Version: "../../etc"}})
	require.ErrorIs(t, err, engine.ErrInvalid)
	_, err = r.Rollback(t.Context(), "4.4.4", engine.Turning{})
	require.ErrorIs(t, err, engine.ErrNotFound)
	_, err = r.Rollback(t.Context(), "1.0.0", engine.Turning{})
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
		_, err := r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0")})
		accepted <- err
	}()
	require.Nil(t, r.Status().Update)
	close(leave)
	require.NoError(t, <-done)
	require.NoError(t, <-accepted, "what waited is let in")
	require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
}

// A reload, which ends this life of the engine, comes neither while something runs for a
// request nor in an update.
func TestBetweenUpdates(t *testing.T) {
	d := enginetest.NewDevice()
	began := make(chan struct{}, 1)
	r := d.Up(t, func(c *engine.Config) { c.Steps[steps.Extract] = working{c.Steps[steps.Extract], began} })
	rested := 0
	rest := func(ctx context.Context) error { return r.BetweenUpdates(ctx, func() { rested++ }) }
	require.NoError(t, r.Exclusive(t.Context(), "prune", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, rest(ctx), context.DeadlineExceeded)
		return nil
	}))
	require.Zero(t, rested)
	require.NoError(t, rest(t.Context()))
	require.Equal(t, 1, rested)
	require.NoError(t, r.Ask(enginetest.Install))
	require.NoError(t, r.Wait(began))
	require.ErrorIs(t, rest(t.Context()), engine.ErrBusy)
	require.Equal(t, 1, rested)
}
