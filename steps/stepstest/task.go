// Package stepstest helps to test steps: a Task maker, Notes in memory, a picture
// of a directory tree for comparing two runs, and Conform, the suite that every
// step runs to prove that Probe, Do and Undo may be called again wherever they were
// cut.
//
// Start at Conform. Shipped programs may not import this package.
package stepstest

import (
	"encoding/json"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
)

// Task returns the task of an install whose work directory exists and is
// empty; edits are applied in order.
func Task(t testing.TB, edits ...func(*steps.Task)) *steps.Task {
	t.Helper()
	task := &steps.Task{
		Update:  "20260101-000000-abcd",
		Kind:    steps.Install,
		Attempt: 1,
		WorkDir: t.TempDir(),
		Meter:   new(steps.Meter),
		Notes:   NewNotes(),
		Units:   NewNotes(),
	}
	for _, edit := range edits {
		edit(task)
	}
	return task
}

// HandOn gives the task the facts that it has after a step of that name has left this
// evidence, by way of the journal's JSON.
func HandOn(t testing.TB, task *steps.Task, step steps.Name, evidence any) {
	t.Helper()
	data, err := json.Marshal(evidence)
	require.NoError(t, err)
	read, err := steps.ReadFacts(map[steps.Name]json.RawMessage{step: data})
	require.NoError(t, err)
	switch step {
	case steps.Download:
		task.Facts.Download = read.Download
	case steps.Verify:
		task.Facts.Verify = read.Verify
	case steps.Switch:
		task.Facts.Switch = read.Switch
	case steps.Restart:
		task.Facts.Restart = read.Restart
	case steps.HealthCheck:
		task.Facts.Health = read.Health
	default:
		t.Fatalf("%s leaves no facts", step)
	}
}

// Again returns the task as the engine makes it for the next run after a cut: the
// same facts and the same notes, with a meter at zero.
func Again(task *steps.Task) *steps.Task {
	next := *task
	next.Attempt++
	next.Meter = new(steps.Meter)
	return &next
}

// Notes is a steps.Notes in memory. Values go through JSON, as in the real one. It is
// safe for concurrent use.
type Notes struct {
	mu    sync.Mutex
	value []byte
	saves int
	fail  error
}

// NewNotes returns notes that hold nothing.
func NewNotes() *Notes { return &Notes{} }

// Load implements steps.Notes.
func (n *Notes) Load(v any) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.value == nil {
		return false, nil
	}
	return true, json.Unmarshal(n.value, v)
}

// Save implements steps.Notes.
func (n *Notes) Save(v any) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return n.fail
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	n.value, n.saves = data, n.saves+1
	return nil
}

// Saves counts the Saves that succeeded.
func (n *Notes) Saves() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.saves
}

// Raw returns the kept value as JSON, nil when there is none.
func (n *Notes) Raw() []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]byte(nil), n.value...)
}

// SetRaw replaces the value behind the step's back; nil removes the value.
func (n *Notes) SetRaw(value []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.value = value
}

// Fail makes every further Save return err; after Fail(nil), Save succeeds again.
func (n *Notes) Fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fail = err
}
