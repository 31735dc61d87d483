package stepstest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
)

// World is one step in a world of its own.
type World struct {
	Step steps.Step
	// Task is the engine's input for the step. Each run gets a copy (Again).
	Task *steps.Task
	// Picture describes the world as everybody but the step sees it. It leaves out
	// details that the step is free to choose. Tree makes a picture.
	Picture func() any
}

// Case is what Conform needs to know of a step.
type Case struct {
	// New makes a fresh world in which Do succeeds.
	New func(t *testing.T) *World
	// Halves, by name, bring a fresh world to a state in which a cut could have left
	// it. From each state Do must succeed and Undo must clean up.
	Halves map[string]func(t *testing.T, w *World)
	// Stateless is set for a step that leaves nothing in the world, so that
	// Probe has nothing to find and never answers Done.
	Stateless bool
	// Keeps is set for a step whose Undo leaves the world as Do made it.
	Keeps bool
}

// Conform proves that a step may be run again: every method twice in a row,
// from a fresh world, from each of the half-done ones, and after having been
// stopped at every place where it looks at its context. Wherever it starts, Do
// must end in the same world and Undo in the untouched one; Probe changes nothing.
// And the work that Probe finds done is on the disk, whoever did it (durable.go).
func Conform(t *testing.T, c Case) {
	t.Helper()
	fresh := c.New(t)
	before := fresh.Picture()
	t.Run("do twice", func(t *testing.T) {
		reach := probe(t, fresh)
		require.NotEqual(t, steps.Done, reach, "a fresh world is not done")
		require.Equal(t, before, fresh.Picture(), "Probe changed the world")
		do(t, fresh)
		after := fresh.Picture()
		c.requireDone(t, fresh)
		do(t, fresh)
		require.Equal(t, after, fresh.Picture(), "a second Do changed the world")
		c.requireDone(t, fresh)
	})
	after := fresh.Picture()
	t.Run("undo twice", func(t *testing.T) {
		want := before
		if c.Keeps {
			want = after
		}
		undo(t, fresh)
		require.Equal(t, want, fresh.Picture(), "Undo left something behind")
		undo(t, fresh)
		require.Equal(t, want, fresh.Picture(), "a second Undo changed the world")
		do(t, fresh)
		c.requireDone(t, fresh)
	})
	t.Run("undo without do", func(t *testing.T) {
		w := c.New(t)
		was := w.Picture()
		undo(t, w)
		require.Equal(t, was, w.Picture())
		do(t, w)
		c.requireDone(t, w)
	})
	for name, half := range c.Halves {
		t.Run("from "+name, func(t *testing.T) { c.fromHalf(t, half) })
	}
	t.Run("stopped", c.stopped)
	t.Run("found done", c.foundDone)
}

func (c Case) fromHalf(t *testing.T, half func(*testing.T, *World)) {
	// what the untouched and the finished world look like, paths included
	w := c.New(t)
	untouched := w.Picture()
	do(t, w)
	finished := w.Picture()
	undo(t, w)

	half(t, w)
	was := w.Picture()
	probe(t, w)
	require.Equal(t, was, w.Picture(), "Probe changed the world")
	do(t, w)
	require.Equal(t, finished, w.Picture(), "Do ended elsewhere")
	c.requireDone(t, w)
	undo(t, w)
	half(t, w)
	undo(t, w)
	undo(t, w)
	if !c.Keeps {
		require.Equal(t, untouched, w.Picture(), "Undo left something behind")
	}
}

// stopped runs Do again and again, and ends the context at the step's first, second,
// third… look at it, until Do gets through.
func (c Case) stopped(t *testing.T) {
	w := c.New(t)
	do(t, w)
	finished := w.Picture()
	undo(t, w)
	const most = 400
	for n := 0; n < most; n += 1 + n/8 {
		ctx := stopAfter(n)
		_, err := w.Step.Do(ctx, Again(w.Task))
		if err == nil && ctx.left.Load() >= 0 {
			return
		}
		if err != nil {
			require.Equal(t, steps.Interrupted, steps.AsError(err).Class,
				"stopped at look %d of the context: %v", n, err)
		}
		probe(t, w)
		if n%2 == 0 {
			do(t, w)
			require.Equal(t, finished, w.Picture(), "stopped at look %d, then finished", n)
		}
		undo(t, w)
	}
}

func (c Case) requireDone(t *testing.T, w *World) {
	t.Helper()
	was := w.Picture()
	reach, again := probe(t, w), probe(t, w)
	require.Equal(t, reach, again, "two probes disagree")
	require.Equal(t, was, w.Picture(), "Probe changed the world")
	if !c.Stateless {
		require.Equal(t, steps.Done, reach)
	}
}

func probe(t *testing.T, w *World) steps.Reach {
	t.Helper()
	reach, err := w.Step.Probe(context.Background(), Again(w.Task))
	require.NoError(t, err)
	return reach
}

func do(t *testing.T, w *World) {
	t.Helper()
	_, err := w.Step.Do(context.Background(), Again(w.Task))
	require.NoError(t, err)
}

func undo(t *testing.T, w *World) {
	t.Helper()
	require.NoError(t, w.Step.Undo(context.Background(), Again(w.Task)))
}

// Fails runs Do and requires that it fails with this class and code; it returns the text.
func Fails(t testing.TB, s steps.Step, task *steps.Task, class steps.Class, code steps.Code) string {
	t.Helper()
	_, err := s.Do(context.Background(), Again(task))
	require.Error(t, err)
	var e *steps.Error
	require.True(t, errors.As(err, &e), "not a *steps.Error: %v", err)
	require.Equal(t, [2]string{string(class), string(code)}, [2]string{string(e.Class), string(e.Code)}, err.Error())
	return e.Error()
}
