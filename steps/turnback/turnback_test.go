package turnback_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
	"github.com/tope/updater/steps/turnback"
)

// evidence hands on a fact.
type evidence struct{ steps.Switched }

// part is a step that is done once it has run, and records that it has.
type part struct {
	name string
	log  *[]string
	done bool
	err  error
	saw  func(*steps.Task)
}

func (p *part) Probe(context.Context, *steps.Task) (steps.Reach, error) {
	if p.done {
		return steps.Done, nil
	}
	return steps.NotStarted, nil
}

func (p *part) Do(_ context.Context, t *steps.Task) (steps.Outcome, error) {
	*p.log = append(*p.log, p.name)
	if p.saw != nil {
		p.saw(t)
	}
	p.done = p.err == nil
	return steps.Outcome{Evidence: evidence{Switched: steps.Switched{StoppedAt: steps.Moment{Boot: p.name}}}}, p.err
}

func (p *part) Undo(context.Context, *steps.Task) error {
	*p.log = append(*p.log, "undo "+p.name)
	p.done = false
	return p.err
}

func parts() (sw, re, he *part, log *[]string) {
	log = &[]string{}
	return &part{name: "switch", log: log}, &part{name: "restart", log: log}, &part{name: "gate", log: log}, log
}

func TestConform(t *testing.T) {
	stepstest.Conform(t, stepstest.Case{
		New: func(t *testing.T) *stepstest.World {
			sw, re, he, _ := parts()
			return &stepstest.World{Step: turnback.New(sw, re, he), Task: stepstest.Task(t), Picture: func() any { return []bool{sw.done, re.done, he.done} }}
		},
		Halves: map[string]func(*testing.T, *stepstest.World){
			"switched": func(t *testing.T, w *stepstest.World) {
				_, err := w.Step.(steps.Sequence)[0].Step.Do(t.Context(), w.Task)
				require.NoError(t, err)
			},
		},
	})
}

func TestRunsItsPartsInOrder(t *testing.T) {
	sw, re, he, log := parts()
	re.saw = func(task *steps.Task) {
		require.Equal(t, "switch", task.Facts.Switch.StoppedAt.Boot, "a part finds the facts of earlier ones")
	}
	task := stepstest.Task(t)
	out, err := turnback.New(sw, re, he).Do(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, []string{"switch", "restart", "gate"}, *log)
	require.Len(t, out.Evidence, 3)
	require.Empty(t, task.Facts, "the engine's task is not written to")
}

func TestSkipsWhatIsDoneAndStopsAtAFailure(t *testing.T) {
	sw, re, he, log := parts()
	sw.done, re.err = true, errors.New("cannot start")
	_, err := turnback.New(sw, re, he).Do(t.Context(), stepstest.Task(t))
	require.ErrorIs(t, err, re.err)
	require.Equal(t, []string{"restart"}, *log)
}

func TestUndoesAllInReverse(t *testing.T) {
	sw, re, he, log := parts()
	re.err = errors.New("cannot undo")
	require.ErrorIs(t, turnback.New(sw, re, he).Undo(t.Context(), stepstest.Task(t)), re.err)
	require.Equal(t, []string{"undo gate", "undo restart", "undo switch"}, *log)
}
