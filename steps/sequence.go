package steps

import (
	"context"
	"errors"
)

// Part is one step of a Sequence.
type Part struct {
	Name Name
	Step Step
}

// Sequence is a step that runs other steps one after the other. It skips a part that
// is done according to its Probe, and hands the facts of each part on to the next ones.
// A Sequence may be run again from wherever it was cut because each part may.
type Sequence []Part

// Probe answers Done when every part does.
func (s Sequence) Probe(ctx context.Context, t *Task) (Reach, error) {
	reach := Done
	for i, p := range s {
		r, err := p.Step.Probe(ctx, t)
		if err != nil {
			return "", err
		}
		if r == NotStarted && i == 0 {
			return NotStarted, nil
		}
		if r != Done {
			reach = Partly
		}
	}
	return reach, nil
}

// Do runs the parts that are not done. Its evidence maps each part's name to that
// part's evidence; its figures are those of all parts.
func (s Sequence) Do(ctx context.Context, t *Task) (Outcome, error) {
	got := map[Name]any{}
	var figures []Figure
	u := *t
	for _, p := range s {
		r, err := p.Step.Probe(ctx, &u)
		if err != nil {
			return Outcome{Evidence: got}, err
		}
		if r == Done {
			continue
		}
		out, err := p.Step.Do(ctx, &u)
		if out.Evidence != nil {
			got[p.Name] = out.Evidence
		}
		figures = append(figures, out.Figures...)
		if fact, ok := out.Evidence.(Fact); ok {
			fact.tell(&u.Facts)
		}
		if err != nil {
			return Outcome{Evidence: got}, err
		}
	}
	return Outcome{Evidence: got, Figures: figures}, nil
}

// Undo undoes the parts in reverse order. It undoes all of them, also when one fails.
func (s Sequence) Undo(ctx context.Context, t *Task) error {
	var errs []error
	for i := len(s) - 1; i >= 0; i-- {
		errs = append(errs, s[i].Step.Undo(ctx, t))
	}
	return errors.Join(errs...)
}
