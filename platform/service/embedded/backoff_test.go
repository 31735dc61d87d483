package embedded_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/embedded"
)

// slow is a bench whose time the test moves. One wait is the manager's own
// (tidying logs), so that a pending restart makes it two.
func slow(t *testing.T) (*bench, *clocktest.Fake) {
	c := clocktest.New()
	b := newBench(t)
	m, err := embedded.New(embedded.Config{RunDir: filepath.Join(b.dir, "slow"), Clock: c})
	require.NoError(t, err)
	b.m, b.dir = m, filepath.Join(b.dir, "slow")
	return b, c
}

func TestPausesDoubleUntilTheStartLimit(t *testing.T) {
	b, c := slow(t)
	bad := shell("bad", "exit 3")
	require.NoError(t, b.m.Start(t.Context(), bad))
	for n, pause := range []time.Duration{100, 200, 400, 800} {
		pause *= time.Millisecond
		c.Await(2)
		st := b.status(bad)
		require.Equal(t, service.Starting, st.Active)
		require.Equal(t, "auto-restart", st.Sub)
		require.Equal(t, n, st.Restarts)
		require.Equal(t, 3, st.ExitStatus)
		c.Advance(pause - 1)
		require.Equal(t, n, b.status(bad).Restarts, "too early")
		c.Advance(1)
	}
	b.eventually("not given up", func() bool { return b.status(bad).Result == "start-limit-hit" })
	require.Equal(t, 4, b.status(bad).Restarts)
}

func TestAServiceThatWasWellForAWhileIsRestartedSoon(t *testing.T) {
	b, c := slow(t)
	s := shell("api", "exec sleep 1000")
	require.NoError(t, b.m.Start(t.Context(), s))
	for n := range 12 { // Far beyond the start limit, but each time after a good while.
		c.Advance(11 * time.Second)
		require.NoError(t, unix.Kill(b.status(s).MainPID, unix.SIGKILL))
		b.eventually("not pending", func() bool { return b.status(s).Sub == "auto-restart" })
		c.Await(2) // the pause has begun
		c.Advance(100 * time.Millisecond)
		b.eventually("not restarted", func() bool { return b.status(s).Restarts == n+1 && b.status(s).MainPID != 0 })
	}
}

func TestStopCallsAPendingRestartOff(t *testing.T) {
	b, c := slow(t)
	bad := shell("bad", "exit 3")
	require.NoError(t, b.m.Start(t.Context(), bad))
	c.Await(2)
	require.NoError(t, b.m.Stop(t.Context(), bad))
	c.Advance(time.Minute)
	require.Equal(t, service.Stopped, b.status(bad).Active)
	require.Zero(t, b.status(bad).Restarts)
}
