package servicetest

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
)

// supervised: a manager without an init system starts the services that should
// run, once it is told to, and no others.
func supervised(t *testing.T, k kit) {
	s, ok := k.Manager.(service.Supervisor)
	if !ok {
		return
	}
	require.False(t, service.InPlace(k.Manager), "services that are children of this process would become another program's")
	require.True(t, service.RunsServices(k.Manager))
	k.start(k.Good)
	first := k.status(k.Good)
	require.NoError(t, s.Supervise(k.ctx, []service.Service{k.Good, k.Other}))
	require.Equal(t, first, k.status(k.Good), "what runs is left alone")
	k.start(k.Other)
	k.stop(k.Other)
	k.Manager = k.Again(t)
	s = k.Manager.(service.Supervisor)
	require.NoError(t, s.Supervise(k.ctx, []service.Service{k.Good, k.Other}))
	require.Equal(t, first.MainPID, k.status(k.Good).MainPID, "what a manager before this one started is adopted")
	k.stopped(k.Other)
	cycle := k.Good
	cycle.After = []string{cycle.Name}
	require.ErrorIs(t, s.Supervise(k.ctx, []service.Service{cycle}), service.ErrCycle)
}

// unitsRead: a manager with unit files tells how units are set up.
func unitsRead(t *testing.T, k kit) {
	r, ok := k.Manager.(service.UnitReader)
	if !ok {
		return
	}
	require.NotEmpty(t, r.UnitDirs())
	for _, dir := range r.UnitDirs() {
		require.True(t, filepath.IsAbs(dir), dir)
	}
	number, text, err := r.Version(k.ctx)
	require.NoError(t, err)
	require.Positive(t, number)
	require.NotEmpty(t, text)
	f, err := r.Unit(k.ctx, k.Unknown.UnitName())
	require.NoError(t, err)
	require.Equal(t, "not-found", f.Load)
	require.False(t, f.StartsAtBoot())
	k.start(k.Good)
	f, err = r.Unit(k.ctx, k.Good.UnitName())
	require.NoError(t, err)
	require.Equal(t, "loaded", f.Load)
	require.Equal(t, string(service.Running), f.Active)
	require.False(t, f.Stale)
}

// logKept: each service has a log of its own, and LogOf names it.
func logKept(t *testing.T, k kit) {
	l, ok := k.Manager.(service.LogKeeper)
	if !ok {
		return
	}
	require.Contains(t, l.LogOf(k.Good), k.Good.Name)
	require.NotEqual(t, l.LogOf(k.Good), l.LogOf(k.Other))
	lines, err := l.Tail(k.ctx, k.Unknown, 0, 5)
	require.NoError(t, err)
	require.Empty(t, lines)
	k.start(k.Good)
	lines, err = l.Tail(k.ctx, k.Good, 0, 1)
	require.NoError(t, err)
	require.LessOrEqual(t, len(lines), 1)
	lines, err = l.Tail(k.ctx, k.Good, k.Clock.Monotonic()+time.Hour, 5)
	require.NoError(t, err)
	_, begins := k.Manager.(service.Supervisor) // with each start that is asked for
	require.True(t, begins || len(lines) == 0, "nothing was printed in the future: %q", lines)
}

// launched: a manager tells what it executes for a service and which processes are
// the service's own.
func launched(t *testing.T, k kit) {
	l, ok := k.Manager.(service.Launcher)
	if !ok {
		return
	}
	none, err := l.Launch(k.ctx, k.Unknown)
	require.NoError(t, err)
	require.Zero(t, none)
	processes, err := l.Processes(k.ctx, k.Unknown)
	require.NoError(t, err)
	require.Empty(t, processes)
	k.start(k.Good)
	k.start(k.Other)
	launch, err := l.Launch(k.ctx, k.Good)
	require.NoError(t, err)
	main, ok := launch.MainCommand()
	require.True(t, ok)
	require.NotEmpty(t, main.Path)
	require.NotEmpty(t, main.Args)
	require.NotEmpty(t, launch.Type)
	processes, err = l.Processes(k.ctx, k.Good)
	require.NoError(t, err)
	if k.Inside {
		require.Contains(t, processes, k.status(k.Good).MainPID)
		require.NotContains(t, processes, k.status(k.Other).MainPID)
	}
	k.stop(k.Good)
	processes, err = l.Processes(k.ctx, k.Good)
	require.NoError(t, err)
	require.Empty(t, processes)
}

// StandBy is the suite of a service.Bystander, which runs nothing and so cannot
// pass Conform: it agrees to everything, and no service ever runs or is known.
func StandBy(t *testing.T, m service.Manager) {
	t.Helper()
	require.False(t, service.RunsServices(m))
	require.True(t, service.InPlace(m), "there is nothing that a replacement could disturb")
	for _, ability := range []bool{is[service.Supervisor](m), is[service.UnitReader](m), is[service.LogKeeper](m), is[service.Instancer](m), is[service.Launcher](m)} {
		require.False(t, ability, "an ability that only a manager with services can have")
	}
	ctx, s := t.Context(), service.Service{Name: "api"}
	for _, act := range []func(context.Context, service.Service) error{m.Start, m.Restart, m.Stop} {
		require.NoError(t, act(ctx, s))
		st, err := m.Status(ctx, s)
		require.NoError(t, err)
		require.Equal(t, service.Status{Active: service.Stopped}, st)
	}
	survey, err := m.Survey(ctx, []service.Service{s})
	require.NoError(t, err)
	require.Equal(t, service.Survey{}, survey)
	release, err := m.Inhibit(ctx, "a test")
	require.NoError(t, err)
	release()
	release()
	require.NoError(t, m.Reload(ctx))
	stopping, err := m.Stopping(ctx)
	require.NoError(t, err)
	require.False(t, stopping)
	require.NoError(t, m.Close())
}

func is[ability any](m service.Manager) bool {
	_, ok := m.(ability)
	return ok
}

// UnitFake is a Fake that runs its services by unit files, as systemd does.
type UnitFake struct {
	*Fake
	// Dirs is what UnitDirs returns.
	Dirs []string
	// Units are further units, by full name. Those of the Fake's services are
	// loaded and enabled.
	Units map[string]service.UnitFacts
	// Number is the manager's version.
	Number int
}

var _ service.UnitReader = (*UnitFake)(nil)

// UnitDirs implements service.UnitReader.
func (f *UnitFake) UnitDirs() []string { return f.Dirs }

// Version implements service.UnitReader.
func (f *UnitFake) Version(ctx context.Context) (int, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Number, "fake", f.reachable(ctx, "manager")
}

// Unit implements service.UnitReader.
func (f *UnitFake) Unit(ctx context.Context, name string) (service.UnitFacts, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reachable(ctx, name); err != nil {
		return service.UnitFacts{}, err
	}
	if facts, ok := f.Units[name]; ok {
		return facts, nil
	}
	for service, st := range f.units {
		if service+".service" == name {
			return facts(st), nil
		}
	}
	return service.UnitFacts{Load: "not-found", Active: string(service.Stopped)}, nil
}

func facts(st *service.Status) service.UnitFacts {
	return service.UnitFacts{Load: "loaded", Active: string(st.Active), File: "enabled"}
}

// ReplaceableInPlace implements service.Replaceable.
func (f *UnitFake) ReplaceableInPlace() {}
