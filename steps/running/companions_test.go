package running_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
	"github.com/tope/updater/steps/stepstest"
)

// house is a device with two services that run, a third that waits for its
// socket, a timer, and a kiosk that the manager would stop with the services.
type house struct {
	*servicetest.Fake
	clock *clocktest.Fake
	task  *steps.Task
	list  []service.Service
}

func newHouse(t *testing.T) *house {
	c := clocktest.New()
	h := &house{
		Fake: servicetest.NewFake(c, "web", "api", "lazy", "lazy.socket", "report.timer", "kiosk.service", "off.service"), clock: c,
		task: stepstest.Task(t), list: []service.Service{{Name: "web"}, {Name: "api"}, {Name: "lazy"}},
	}
	for _, name := range []string{"web", "api", "lazy.socket", "report.timer", "kiosk.service"} {
		require.NoError(t, h.Start(t.Context(), service.Unit(name)))
	}
	h.Relate(service.Survey{
		Orderings: []service.Ordering{{Name: "web", After: "api"}, {Name: "api", After: "web", Weak: true}},
		Triggers:  []string{"lazy.socket", "report.timer"}, Dependents: []string{"kiosk.service", "off.service"}, Idle: []string{"lazy"},
	})
	h.Calls()
	return h
}

func (h *house) stopAll(t *testing.T) (running.Stopped, error) {
	return running.StopAll(t.Context(), h, h.clock, h.list, h.task)
}

func TestWhatIsStoppedAndBroughtBack(t *testing.T) {
	h := newHouse(t)
	stop, err := h.stopAll(t)
	require.NoError(t, err)
	calls := h.Calls()
	require.Equal(t, []string{"stop lazy.socket", "stop report.timer", "stop kiosk.service"}, calls[:3], "what could start a service stops first, then what hangs on it")
	require.ElementsMatch(t, []string{"stop lazy", "stop web", "stop api"}, calls[3:])
	require.Less(t, slices.Index(calls, "stop web"), slices.Index(calls, "stop api"), "lazy stops at any time: nothing is said of it")
	require.Equal(t, []string{"lazy", "web", "api"}, stop.Stopped)
	require.Equal(t, []string{"api after web"}, stop.Cycles)
	require.Empty(t, h.PIDs())

	units, err := running.LoadCompanions(h.task)
	require.NoError(t, err)
	require.Equal(t, running.Companions{
		Boot: h.clock.Boot(), Triggers: []string{"lazy.socket", "report.timer"}, Dependents: []string{"kiosk.service"}, Idle: []string{"lazy"},
	}, units)
	up, err := units.Up(t.Context(), h, h.clock.Boot())
	require.NoError(t, err)
	require.False(t, up)
	require.NoError(t, units.StartSockets(t.Context(), h, h.list))
	require.NoError(t, units.StartOthers(t.Context(), h, h.clock, h.list))
	require.Equal(t, []string{"start lazy.socket", "start kiosk.service", "start report.timer"}, h.Calls(), "what did not run stays as it was")
	up, err = units.Up(t.Context(), h, h.clock.Boot())
	require.NoError(t, err)
	require.True(t, up)
}

// Whichever unit's stop the updater dies at, the next try knows which units had run.
func TestACutBetweenStopsLosesNothing(t *testing.T) {
	want := func() running.Companions {
		h := newHouse(t)
		_, err := h.stopAll(t)
		require.NoError(t, err)
		units, err := running.LoadCompanions(h.task)
		require.NoError(t, err)
		return units
	}()
	for cut := range 6 {
		h := newHouse(t)
		var n atomic.Int32
		h.Hook(func(string, string) error {
			if int(n.Add(1)) > cut {
				return errors.New("killed")
			}
			return nil
		})
		_, err := h.stopAll(t)
		require.Error(t, err)
		h.Hook(nil)
		h.task = stepstest.Again(h.task)
		_, err = h.stopAll(t)
		require.NoError(t, err)
		units, err := running.LoadCompanions(h.task)
		require.NoError(t, err)
		require.Equal(t, want, units, "cut at stop %d", cut)
	}
}

func TestAnotherBootHasItsOwnCompanions(t *testing.T) {
	h := newHouse(t)
	_, err := h.stopAll(t)
	require.NoError(t, err)
	h.clock.Reboot()
	h.Boot()
	require.NoError(t, h.Stop(t.Context(), service.Unit("report.timer")))
	units, err := running.LoadCompanions(h.task)
	require.NoError(t, err)
	up, err := units.Up(t.Context(), h, h.clock.Boot())
	require.NoError(t, err)
	require.True(t, up, "the init system has brought up what belongs up")
	_, err = h.stopAll(t)
	require.NoError(t, err)
	units, err = running.LoadCompanions(h.task)
	require.NoError(t, err)
	require.Equal(t, []string{"lazy.socket"}, units.Triggers)
	require.Equal(t, []string{"kiosk.service", "off.service"}, units.Dependents)
	require.Equal(t, []string{"lazy"}, units.Idle, "what waited before the update is told by the first note")
}

func TestASocketThatItsServiceKeepsShut(t *testing.T) {
	h := newHouse(t)
	_, err := h.stopAll(t)
	require.NoError(t, err)
	require.NoError(t, h.Start(t.Context(), service.Unit("lazy")))
	h.Calls()
	h.Hook(func(op, name string) error {
		if op == "start" && name == "lazy.socket" && h.PIDs()["lazy"] != 0 {
			return service.ErrFailed
		}
		return nil
	})
	units, err := running.LoadCompanions(h.task)
	require.NoError(t, err)
	require.NoError(t, units.StartSockets(t.Context(), h, h.list))
	require.Contains(t, h.PIDs(), "lazy.socket")
	require.NotContains(t, h.PIDs(), "lazy", "it finds its socket when it is started")
}

func TestANoteThatCannotBeKeptStopsNothing(t *testing.T) {
	h := newHouse(t)
	h.task.Units.(*stepstest.Notes).Fail(errors.New("no journal"))
	_, err := h.stopAll(t)
	require.ErrorContains(t, err, "note which units run")
	require.Empty(t, h.Calls())
}

func TestOnlyTheFirstTryBackIsStrict(t *testing.T) {
	h := newHouse(t)
	h.Hook(func(_, name string) error {
		if name == "kiosk.service" {
			return service.ErrTimeout
		}
		return nil
	})
	h.task.Back = true
	_, err := h.stopAll(t)
	require.ErrorIs(t, err, service.ErrTimeout)
	require.Equal(t, steps.Local, steps.AsError(err).Class)
	h.task = stepstest.Again(h.task)
	stop, err := h.stopAll(t)
	require.NoError(t, err)
	require.Contains(t, stop.Blocked, "kiosk.service")
	require.Len(t, stop.Stopped, 3)
}

func TestAMissingUnitIsNotTheReleasesFault(t *testing.T) {
	h := newHouse(t)
	for err, class := range map[error]steps.Class{
		service.ErrNotFound: steps.Local, service.ErrUnavailable: steps.Transient, service.ErrCanceled: steps.Transient, service.ErrUnusable: steps.Unhealthy, service.ErrFailed: steps.Unhealthy,
	} {
		require.Equal(t, class, steps.AsError(running.ServiceError(t.Context(), h, steps.Unhealthy, "restart api", err)).Class)
	}
	h.ShutDown(true)
	err := running.ServiceError(context.Background(), h, steps.Unhealthy, "restart api", service.ErrFailed)
	require.Equal(t, steps.Interrupted, steps.AsError(err).Class)
}
