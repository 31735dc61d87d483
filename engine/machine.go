package engine

import (
	"context"
	"fmt"

	"github.com/qmuntal/stateless"

	"github.com/tope/updater/journal"
)

// machine is the table, ready to fire. The state lives in the journal's fold,
// so stateless is given external storage: its mutator, which runs before any
// entry action, is the one place where a change of state is written. There are
// no entry actions: acting is the loop's business, after Fire has returned.
//
// Fire only from the loop's goroutine.
type machine struct {
	sm *stateless.StateMachine
}

// change is one transition to be journaled: the record that moves the state,
// and records that go into the same transaction before and after it.
type change struct {
	update *journal.Update
	first  []journal.Record
	move   journal.Record
	then   []journal.Record
}

// newMachine builds the machine. state tells where it stands; write journals
// the change (the argument given to fire) together with the new state.
func newMachine(state func() State, write func(context.Context, State, change) error) *machine {
	sm := stateless.NewStateMachineWithExternalStorageAndArgs(
		func(context.Context) (stateless.State, []any, error) {
			return state(), nil, nil
		},
		func(ctx context.Context, to stateless.State, args ...any) error {
			return write(ctx, to.(State), args[0].(change))
		},
		stateless.FiringImmediate,
	)
	for _, t := range Table() {
		var guards []stateless.GuardFunc
		if t.Guard.Holds != nil {
			guards = append(guards, func(_ context.Context, args ...any) bool {
				u := args[0].(change).update
				return t.Guard.Holds(u)
			})
		}
		sm.Configure(t.From).Permit(t.Trigger, t.To, guards...)
	}
	return &machine{sm: sm}
}

// fire moves the machine. An error of the journal means that the change could
// not be written; any other means that the table lacks the transition, which is
// a bug.
func (m *machine) fire(ctx context.Context, t Trigger, c change) error {
	if err := m.sm.FireCtx(ctx, t, c); err != nil {
		return fmt.Errorf("cannot %s: %w", t, err)
	}
	return nil
}
