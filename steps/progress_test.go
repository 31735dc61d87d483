package steps_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
)

// Progress must not go back within a state: clients would take it for another update.
func TestProgressNeverGoesBack(t *testing.T) {
	var told []int
	m := steps.NewMeter(5, func(p int) { told = append(told, p) })
	for _, c := range []struct {
		done, total int64
		shown       int
	}{
		{0, 0, 5}, // what an earlier run has reached
		{4, 100, 5},
		{10, 100, 10},
		{60, 100, 60},
		{60, 200, 60},   // more is to come than was thought
		{0, 100, 60},    // the step began again
		{61, 100, 61},   // and goes on
		{300, 100, 100}, // more came than was declared
		{-1, 100, 100},
	} {
		m.Set(c.done, c.total)
		require.Equal(t, c.shown, m.Percent(), "%d of %d", c.done, c.total)
	}
	require.Equal(t, []int{10, 60, 61, 100}, told)
}

// Those who show a device's status learn when a step stands still and when it gets on.
func TestStandstillsAreTold(t *testing.T) {
	told := 0
	m := steps.NewMeter(0, nil)
	m.OnStand(func() { told++ })
	m.Go()
	require.Zero(t, told, "it did not stand still")
	m.Stand(steps.Pause{Why: "a"})
	m.Stand(steps.Pause{Why: "b"})
	require.Equal(t, 2, told)
	m.Go()
	m.Go()
	require.Equal(t, 3, told)
}
