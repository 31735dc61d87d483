package engine

import (
	"encoding/json"
	"fmt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// as is the job with another state's task. Its progress is not shown.
func (j job) as(s State) job {
	return job{update: j.update, state: s, attempt: 1, meter: &steps.Meter{}}
}

// task is the part of a job that a step is given. Here the journal's names
// become those of the contract.
func (w *worker) task(j job) (*steps.Task, error) {
	u := j.update
	at := *u
	at.State = j.state
	t := &steps.Task{
		Update: u.ID, Kind: steps.Kind(u.Kind), Before: u.Before, Target: reachable(target(&at), w.policy.isUsable),
		Back:    rowOf(j.state).back,
		Release: steps.Release{Version: u.To, Digest: u.Digest, Services: u.Services},
		Attempt: j.attempt, WorkDir: w.keeper.WorkDir(u.ID), Baseline: u.Baseline,
		History:    history(w.policy.journal.State().Figures),
		EpochFloor: w.policy.epochFloor(), Force: u.Force,
		Accept: func(r steps.Release) error {
			if err := w.policy.judge(u, r); err != nil {
				return err
			}
			return nil
		},
		Since: since(u, j.state),
		Meter: j.meter,
		Notes: notes{w.notes, u.ID, string(StepOf(j.state))},
		Units: notes{w.notes, u.ID, "units"},
	}
	var err error
	if t.Facts, err = w.facts(u, t.Back || Terminal(j.state)); err != nil {
		return nil, err
	}
	var src recorded
	if j.state == Downloading {
		src, err = wholeSource(w.keeper, u)
	} else { // nothing is fetched, and a way back must not depend on a file
		src, err = sourceOf(u)
	}
	if t.Source, t.Handed = src.Source, src.Handed; t.Handed != nil && j.handed != nil {
		t.Handed = j.handed
	}
	return t, err
}

// facts are the findings of earlier steps of the update. On the way forward, a
// step fails when they cannot be read: it would act on less than was found. On
// the way out (going back, cleaning up), a step gets the facts that can be
// read, so that the device can always return to the version that it came from.
func (w *worker) facts(u *journal.Update, wayOut bool) (steps.Facts, error) {
	facts, err := steps.ReadFacts(u.Found)
	if err == nil {
		return facts, nil
	}
	err = fmt.Errorf("update %s: %w", u.ID, err)
	if !wayOut {
		return steps.Facts{}, err
	}
	w.log.Warn("going on without all facts", "err", err)
	return facts, nil
}

// notes keeps a step's checkpoint in the journal.
type notes struct {
	notebook     notebook
	update, step string
}

func (n notes) Load(v any) (bool, error) {
	b, err := n.notebook.ReadNote(n.update, n.step)
	if err != nil || b == nil {
		return false, err
	}
	return true, json.Unmarshal(b, v)
}

func (n notes) Save(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return n.notebook.Note(n.update, n.step, b)
}
