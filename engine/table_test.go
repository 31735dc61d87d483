package engine_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
)

// The graph itself: the properties that the design demands of every state.
func TestTable(t *testing.T) {
	next := map[engine.State]map[engine.Trigger][]engine.State{}
	for _, r := range engine.Table() {
		if next[r.From] == nil {
			next[r.From] = map[engine.Trigger][]engine.State{}
		}
		next[r.From][r.Trigger] = append(next[r.From][r.Trigger], r.To)
		require.NotEmpty(t, r.Meaning, "%s %s", r.From, r.Trigger)
	}
	reached := map[engine.State]bool{}
	var walk func(engine.State)
	walk = func(s engine.State) {
		if reached[s] {
			return
		}
		reached[s] = true
		for _, to := range next[s] {
			for _, n := range to {
				walk(n)
			}
		}
	}
	walk(engine.Idle)
	for _, s := range engine.States() {
		require.True(t, reached[s], "%s can be reached", s)
		if engine.Terminal(s) {
			require.Empty(t, next[s], "%s is terminal: nothing leads on", s)
			continue
		}
		require.Contains(t, next[s], engine.Fail, "%s has a failure edge", s)
		require.True(t, endsSomewhere(next, s, map[engine.State]bool{}), "%s reaches a terminal state", s)
		if !engine.Switched(s) {
			require.Equal(t, []engine.State{engine.Failed}, next[s][engine.Fail], "failing in %s leaves the device unchanged", s)
			require.Equal(t, []engine.State{engine.Cancelled}, next[s][engine.Cancel], "%s can be cancelled", s)
		} else {
			require.NotContains(t, next[s], engine.Cancel, "%s is too late to cancel", s)
			require.Equal(t, []engine.State{engine.NeedsAttention}, next[s][engine.Foreign])
		}
	}
	for s, byTrigger := range next {
		for trigger, to := range byTrigger {
			require.Len(t, to, 1, "%s %s is unambiguous", s, trigger)
		}
	}
}

func endsSomewhere(next map[engine.State]map[engine.Trigger][]engine.State, s engine.State, seen map[engine.State]bool) bool {
	if engine.Terminal(s) {
		return true
	}
	if seen[s] {
		return false
	}
	seen[s] = true
	for _, to := range next[s] {
		for _, n := range to {
			if endsSomewhere(next, n, seen) {
				return true
			}
		}
	}
	return false
}

// The diagram in the docs is the table's.
func TestDiagramIsFresh(t *testing.T) {
	doc, err := os.ReadFile("../docs/architecture.md")
	require.NoError(t, err)
	require.True(t, strings.Contains(string(doc), "```mermaid\n"+engine.Graph()+"```"),
		"docs/architecture.md is stale; put the output of `tope-updater journal graph` into its mermaid block:\n%s", engine.Graph())
}
