package running_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// What does not wait for each other is stopped at the same time; what was started last is
// stopped first.
func TestServicesStopTogether(t *testing.T) {
	c := clocktest.New()
	m := servicetest.NewFake(c, "base", "a", "b", "last")
	list := []service.Service{{Name: "base"}, {Name: "a", After: []string{"base"}}, {Name: "b", After: []string{"base"}}, {Name: "last", After: []string{"a", "b"}}}
	var both sync.WaitGroup
	both.Add(2)
	m.Hook(func(_, name string) error {
		if len(name) != 1 {
			return nil
		}
		both.Done()
		met := make(chan struct{})
		go func() { both.Wait(); close(met) }()
		select {
		case <-met:
			return nil
		case <-time.After(20 * time.Second):
			return errors.New(name + " is alone")
		}
	})
	s, err := running.StopAll(t.Context(), m, c, list, &steps.Task{})
	require.NoError(t, err)
	require.Equal(t, []string{"last", "b", "a", "base"}, s.Stopped)
	calls := m.Calls()
	require.Equal(t, "stop last", calls[0])
	require.Equal(t, "stop base", calls[len(calls)-1])
}

// The services that a release names keep its order (restart_order of a legacy package);
// those that it carries are in the order of their units.
func TestOnlyNamedServicesAreASequence(t *testing.T) {
	m := servicetest.NewFake(clocktest.New(), "api", "x", "y", "z", "u", "v")
	list, err := running.Services(t.Context(), m, []service.Service{{Name: "api"}}, &steps.Task{
		Release: steps.Release{Services: []string{"z", "missing", "api", "y", "x"}}, Carried: []string{"u", "v"},
	})
	require.NoError(t, err)
	after := map[string][]string{}
	for _, s := range list {
		after[s.Name] = s.After
	}
	require.Equal(t, map[string][]string{"api": nil, "z": nil, "y": {"z", "api"}, "x": {"z", "api", "y"}, "u": nil, "v": nil}, after)
}

// A release's list gives way where it contradicts the configuration.
func TestTheConfigurationCountsMoreThanAReleasesList(t *testing.T) {
	m := servicetest.NewFake(clocktest.New(), "api", "x", "y")
	list, err := running.Services(t.Context(), m, []service.Service{{Name: "api", After: []string{"y"}}}, &steps.Task{
		Release: steps.Release{Services: []string{"x", "api", "y"}},
	})
	require.NoError(t, err)
	require.Equal(t, []service.Service{{Name: "x"}, {Name: "y", After: []string{"x"}}, {Name: "api", After: []string{"y"}}}, list)

	_, err = running.Services(t.Context(), m, []service.Service{{Name: "a", After: []string{"b"}}, {Name: "b", After: []string{"a"}}}, &steps.Task{})
	require.ErrorIs(t, err, service.ErrCycle, "nothing can be done about the configuration's own cycle")
}

// That the system goes down, or that nobody could be asked, says more than what failed then.
func TestWhichFailureCounts(t *testing.T) {
	of := func(c steps.Class) error {
		return &steps.Error{Class: c, Err: errors.New(string(c)), Details: "more of " + string(c)}
	}
	require.NoError(t, running.Failures(nil))
	for _, c := range []struct{ all, first []steps.Class }{
		{[]steps.Class{steps.Unhealthy}, []steps.Class{steps.Unhealthy}},
		{[]steps.Class{steps.Local, steps.Unhealthy}, []steps.Class{steps.Local}},
		{[]steps.Class{steps.Unhealthy, steps.Transient, steps.Local}, []steps.Class{steps.Transient}},
		{[]steps.Class{steps.Unhealthy, steps.Transient, steps.Interrupted}, []steps.Class{steps.Interrupted}},
	} {
		var errs []error
		for _, class := range c.all {
			errs = append(errs, of(class))
		}
		e := steps.AsError(running.Failures(errs))
		require.Equal(t, c.first[0], e.Class)
		for _, class := range c.all {
			require.Contains(t, e.Details, "more of "+string(class))
		}
	}
}
