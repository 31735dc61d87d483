package clocktest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/clock/clocktest"
)

func fired(ch <-chan time.Time) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestAdvanceFiresWhatIsDue(t *testing.T) {
	c := clocktest.New()
	start := c.Now()
	soon, late := c.After(time.Second), c.After(24*time.Hour)
	c.Advance(time.Second - 1)
	require.False(t, fired(soon))
	c.Advance(1)
	require.True(t, fired(soon))
	require.False(t, fired(late))
	require.Equal(t, 1, c.Waiting())
	c.Advance(24 * time.Hour)
	require.True(t, fired(late))
	require.Equal(t, 24*time.Hour+time.Second, c.Now().Sub(start))
	require.True(t, fired(c.After(0)), "a wait for nothing is over at once")
}

func TestAwaitMeetsASleeper(t *testing.T) {
	c := clocktest.New()
	done := make(chan error)
	go func() { done <- clock.Sleep(context.Background(), c, time.Hour) }()
	c.Await(1)
	c.Advance(time.Hour)
	require.NoError(t, <-done)
}

func TestAutoNeverWaits(t *testing.T) {
	c := clocktest.NewAuto()
	start := c.Monotonic()
	require.NoError(t, clock.Sleep(context.Background(), c, time.Hour))
	require.Equal(t, time.Hour, c.Monotonic()-start)
}

func TestRebootChangesTheBootID(t *testing.T) {
	c := clocktest.New()
	c.Advance(time.Hour)
	before := c.Boot()
	ch := c.After(time.Second)
	c.Reboot()
	require.NotEqual(t, before, c.Boot())
	require.Equal(t, time.Minute, c.Monotonic())
	c.Advance(time.Hour)
	require.False(t, fired(ch), "who waited is gone")
}

func TestTheWallClockJumpsAlone(t *testing.T) {
	c := clocktest.New()
	mono := c.Monotonic()
	c.SetNow(c.Now().Add(-48 * time.Hour))
	require.Equal(t, mono, c.Monotonic())
}
