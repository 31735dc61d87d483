package servicetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
)

// patience bounds every wait of the suite; it is only ever reached by a failing test.
const patience = 20 * time.Second

// Subject is a manager under test, with services that behave as named.
type Subject struct {
	Manager service.Manager
	Clock   clock.Clock
	// Good runs until it is stopped; Other does too.
	Good, Other service.Service
	// Bad exits with status 3 as soon as it is started.
	Bad service.Service
	// Unknown is not a unit of this manager.
	Unknown service.Service
	// Kill ends a process as SIGKILL would.
	Kill func(t *testing.T, pid int)
	// Inside is set when the services' processes have the same ids for the manager
	// and for this process.
	Inside bool
	// Again closes the manager and returns a new one of the same services,
	// as when the updater is restarted.
	Again func(t *testing.T) service.Manager
}

// Conform runs the suite every service.Manager passes. factory makes a fresh
// manager, with nothing running, for each case, and cleans up after it.
func Conform(t *testing.T, factory func(t *testing.T) Subject) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, k kit)
	}{
		{"an unknown unit is not loaded, cannot be started, need not be stopped", unknown},
		{"a service that was never started is stopped", neverStarted},
		{"start runs the service, and leaves it alone when it runs", start},
		{"restart gives a new main process", restart},
		{"restart starts a stopped service", restartStopped},
		{"stop ends the process, and may be asked for again", stop},
		{"services do not touch each other", separate},
		{"a main process that dies is restarted, and counted", dies},
		{"a service that keeps exiting ends up broken, and can be restarted", exits},
		{"a stopped service stays stopped", staysStopped},
		{"services outlive their manager", outlive},
		{"a cancelled call returns the cause", cancelled},
		{"a reload disturbs nothing, and the system is not stopping", reload},
		{"a survey of unrelated services is empty", surveyed},
		{"a shutdown is put off at most until it is released", inhibited},
		{"status may be asked for from many goroutines", concurrent},
		{"services may be restarted at the same time", together},
		{"a supervisor starts what should run, and leaves alone what runs", supervised},
		{"a manager with unit files tells how units are set up", unitsRead},
		{"a manager that keeps logs tells where", logKept},
		{"a launcher tells what it executes, and which processes are a service's", launched},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := factory(t)
			c.run(t, kit{Subject: s, t: t, ctx: t.Context()})
		})
	}
}

// kit has methods that read like the sentences they stand for.
type kit struct {
	Subject
	t   *testing.T
	ctx context.Context
}

func (k kit) start(s service.Service)   { require.NoError(k.t, k.Manager.Start(k.ctx, s)) }
func (k kit) stop(s service.Service)    { require.NoError(k.t, k.Manager.Stop(k.ctx, s)) }
func (k kit) restart(s service.Service) { require.NoError(k.t, k.Manager.Restart(k.ctx, s)) }

func (k kit) status(s service.Service) service.Status {
	k.t.Helper()
	st, err := k.Manager.Status(k.ctx, s)
	require.NoError(k.t, err)
	return st
}

// runs demands a running main process that was started between since and now.
func (k kit) runs(s service.Service, since time.Duration) service.Status {
	k.t.Helper()
	st := k.status(s)
	require.True(k.t, st.Loaded)
	require.Equal(k.t, service.Running, st.Active)
	require.Equal(k.t, "running", st.Sub)
	require.Equal(k.t, "success", st.Result)
	require.Positive(k.t, st.MainPID)
	require.GreaterOrEqual(k.t, st.Started, since)
	require.LessOrEqual(k.t, st.Started, k.Clock.Monotonic())
	return st
}

func (k kit) stopped(s service.Service) {
	k.t.Helper()
	st := k.status(s)
	require.True(k.t, st.Loaded)
	require.Equal(k.t, service.Stopped, st.Active)
	require.Equal(k.t, "dead", st.Sub)
	require.Equal(k.t, "success", st.Result)
	require.Zero(k.t, st.MainPID)
}

// until waits for a status.
func (k kit) until(s service.Service, what string, ok func(service.Status) bool) service.Status {
	k.t.Helper()
	var last service.Status
	require.Eventually(k.t, func() bool {
		st, err := k.Manager.Status(k.ctx, s)
		last = st
		return err == nil && ok(st)
	}, patience, 5*time.Millisecond, "%s never became %s", s.Name, what)
	return last
}
