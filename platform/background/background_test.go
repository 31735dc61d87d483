package background_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/background"
)

// niceness is that of the calling thread. The system call answers 20 minus it.
func niceness(t *testing.T) int {
	t.Helper()
	p, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
	require.NoError(t, err)
	return 20 - p
}

func TestRun(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, thread := niceness(t), unix.Gettid()
	failed := errors.New("failed")
	inside, there := 0, 0
	require.Equal(t, failed, background.Run(func() error {
		inside, there = niceness(t), unix.Gettid()
		return failed
	}))
	require.Equal(t, background.Niceness, inside)
	require.NotEqual(t, thread, there)
	require.Equal(t, before, niceness(t))
}

// No thread of low priority is left for other goroutines to run on.
func TestRunLeavesNoThread(t *testing.T) {
	ordinary := niceness(t) // "nice make quick" is allowed
	for range 50 {
		require.NoError(t, background.Run(func() error { return nil }))
	}
	seen := make(chan int)
	for range 100 {
		go func() { seen <- niceness(t) }()
	}
	for range 100 {
		require.Equal(t, ordinary, <-seen)
	}
}
