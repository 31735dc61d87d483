package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
)

// Column step: each step of the contract has a state of its own, in their order.
func TestEachStepHasARow(t *testing.T) {
	var list []steps.Name
	for _, r := range rows() {
		if r.step != "" {
			list = append(list, r.step)
		}
	}
	require.Equal(t, []steps.Name{
		steps.Download, steps.Verify, steps.Extract, steps.Stage, steps.Switch, steps.Restart, steps.HealthCheck, steps.Commit,
		steps.Rollback, steps.Factory, steps.Return,
	}, list)
}

// Columns over, switched and back agree with the table of transitions.
func TestRowsAgreeWithTheTable(t *testing.T) {
	leads := map[State]map[Trigger]State{}
	for _, x := range Table() {
		if leads[x.From] == nil {
			leads[x.From] = map[Trigger]State{}
		}
		leads[x.From][x.Trigger] = x.To
	}
	for _, r := range rows() {
		out := leads[r.state]
		require.Equal(t, len(out) == 0, r.over, "%s is over when nothing leads on", r.state)
		_, cancels := out[Cancel]
		require.Equal(t, !r.over && !cancels, r.switched, "%s is switched when it is too late to cancel", r.state)
		back := r.switched && out[Succeed] != "" && rowOf(out[Succeed]).over && out[Succeed] != Committed
		require.Equal(t, back, r.back, "%s goes back when it ends the update in another way than by committing it", r.state)
	}
}

// Column deadline: each deadline is the sum of the waits of its step.
func TestDeadlinesAreTheSumOfWhatAStepWaitsFor(t *testing.T) {
	p := Patience{Stop: 1, Start: 2, Health: 4, Copy: 8}
	got := map[State]time.Duration{}
	for _, r := range rows() {
		if r.deadline != nil {
			got[r.state] = r.deadline(p)
		}
	}
	require.Equal(t, map[State]time.Duration{
		Switching: 1 + 8, Restarting: 2, CheckingHealth: 4, Committing: 4, RollingBack: 1 + 2 + 4, FallingBack: 1 + 2 + 4, Returning: 1,
	}, got)
}

// Column told: whoever made the offer is told of about a dozen states at most, and hears
// that the device is changed before it is. Ends are told in any case, so they have no cell.
func TestWhatIsToldOnTheWay(t *testing.T) {
	var told []State
	for _, r := range rows() {
		if r.told {
			require.False(t, r.over, "%s is told as an end", r.state)
			told = append(told, r.state)
		}
	}
	require.Equal(t, []State{Downloading, Ready, Switching, RollingBack, FallingBack}, told)
	for _, x := range Table() {
		if rowOf(x.To).switched && !rowOf(x.From).switched && x.From != Requested {
			require.True(t, rowOf(x.To).told, "%s is where the device begins to change", x.To)
		}
	}
}
