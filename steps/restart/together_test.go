package restart_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/restart"
	"github.com/tope/updater/steps/stepstest"
)

// crowd are services that wait for nobody but a base, and one that waits for all of them.
func crowd(t *testing.T) (*restart.Step, *servicetest.Fake, *steps.Task) {
	t.Helper()
	c := clocktest.New()
	m := servicetest.NewFake(c)
	list := []service.Service{{Name: "base"}}
	last := service.Service{Name: "last"}
	for _, name := range []string{"a", "b", "c", "d"} {
		list = append(list, service.Service{Name: name, After: []string{"base"}})
		last.After = append(last.After, name)
	}
	list = append([]service.Service{last}, list...)
	for _, s := range list {
		m.Add(s.Name)
	}
	step := restart.New(restart.Config{Manager: m, Services: list, Clock: c})
	return step, m, stepstest.Task(t, func(task *steps.Task) {
		task.Target = versions.Pointers{Current: "1.1.0", Previous: "1.0.0"}
		task.Since = steps.Moment{Boot: c.Boot(), Mono: c.Monotonic()}
	})
}

// meeting is a hook that lets the crowd's starts go on only once all of them are under
// way. It gives up after a while, for a program that starts them one after the other.
func meeting(op string, end func(name string) error) func(string, string) error {
	var all sync.WaitGroup
	all.Add(4)
	return func(did, name string) error {
		if did != op || len(name) != 1 {
			return nil
		}
		all.Done()
		met := make(chan struct{})
		go func() { all.Wait(); close(met) }()
		select {
		case <-met:
			return end(name)
		case <-time.After(20 * time.Second):
			return errors.New(name + " is alone")
		}
	}
}

// What does not wait for each other starts at the same time, and what waits, waits.
func TestServicesStartTogether(t *testing.T) {
	step, m, task := crowd(t)
	m.Hook(meeting("restart", func(string) error { return nil }))
	out, err := step.Do(t.Context(), task)
	require.NoError(t, err)
	calls := m.Calls()
	require.Equal(t, []string{"reload", "restart base"}, calls[:2])
	require.Equal(t, "restart last", calls[len(calls)-1])
	require.Len(t, m.PIDs(), 6)
	var told []string
	for _, s := range out.Evidence.(restart.Evidence).Started {
		told = append(told, s.Name)
	}
	require.Equal(t, []string{"base", "a", "b", "c", "d", "last"}, told, "in their order, whichever was first")
}

// StartAll does the same, for a device with nothing left to try.
func TestStartAllStartsTogether(t *testing.T) {
	step, m, task := crowd(t)
	m.Hook(meeting("start", func(name string) error {
		if name == "b" {
			return service.ErrFailed
		}
		return nil
	}))
	require.ErrorContains(t, step.StartAll(t.Context(), task), "cannot start b")
	require.Len(t, m.PIDs(), 5, "the others run, also the one after b")
}

// Of several failures the first is the line, and all are told.
func TestAllFailuresAreTold(t *testing.T) {
	step, m, task := crowd(t)
	m.Hook(meeting("restart", func(name string) error {
		if name == "c" {
			return nil
		}
		return fmt.Errorf("%w: %s has no licence", service.ErrFailed, name)
	}))
	out, err := step.Do(t.Context(), task)
	e := steps.AsError(err)
	require.Equal(t, steps.Unhealthy, e.Class)
	line, details := e.Tell()
	require.Contains(t, line, "a has no licence")
	require.Contains(t, line, "(and 2 more)")
	require.Contains(t, details, "b has no licence")
	require.Contains(t, details, "d has no licence")
	require.False(t, slices.Contains(m.Calls(), "restart last"), "nothing begins after a failure")
	require.Len(t, out.Evidence.(restart.Evidence).Figures, 2, "base and c have started")
}

// A crowd that fails is dark. So the manager and its log are asked about the first few, and
// when nothing is being started any more.
func TestTheFirstFailuresAreAccountedFor(t *testing.T) {
	step, m, task := crowd(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		m.Print(name, "last words of "+name)
	}
	m.Hook(meeting("restart", func(name string) error {
		m.Set(name, func(s *service.Status) {
			s.Active, s.Sub, s.Result, s.ExitStatus = service.Broken, "failed", "exit-code", 1
		})
		return service.ErrFailed
	}))
	_, err := step.Do(t.Context(), task)
	line, details := steps.AsError(err).Tell()
	require.Equal(t, "restart a: the job failed: last words of a (and 3 more)", line)
	for _, name := range []string{"a", "b", "c"} {
		require.Contains(t, details, name+" is failed (failed): exit status 1\nlog of "+name+":\n  last words of "+name)
	}
	require.Contains(t, details, "restart d: the job failed")
	require.NotContains(t, details, "of d")
}
