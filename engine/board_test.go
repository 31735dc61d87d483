package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock/clocktest"
)

// Progress must not go back within a stage: clients would take it for another update.
func TestProgressNeverGoesBack(t *testing.T) {
	var l live
	for _, c := range []struct {
		done, total int64
		shown       int
	}{
		{0, 0, 0},
		{10, 100, 10},
		{60, 100, 60},
		{60, 200, 60},   // more is to come than was thought
		{0, 100, 60},    // the step began again
		{61, 100, 61},   // and goes on
		{300, 100, 100}, // more came than was declared
		{-1, 100, 100},
	} {
		require.Equal(t, c.shown, l.percent(c.done, c.total), "%d of %d", c.done, c.total)
	}
}

// Within a boot, the monotonic clock measures how long ago an update ended; it
// never jumps. After a reboot only the wall clock is left.
func TestSinceTheEnd(t *testing.T) {
	clock := clocktest.New()
	b := &board{clock: clock}
	u := &journal.Update{Ended: clock.Now(), EndedMono: clock.Monotonic(), EndedBoot: clock.Boot()}
	clock.Advance(30 * time.Second)
	clock.SetNow(u.Ended.Add(time.Hour))
	require.Equal(t, 30*time.Second, b.since(u))
	clock.Reboot()
	clock.SetNow(u.Ended.Add(time.Hour))
	require.Equal(t, time.Hour, b.since(u))
	clock.SetNow(u.Ended.Add(-time.Hour))
	require.Zero(t, b.since(u), "a clock that went backwards")
}
