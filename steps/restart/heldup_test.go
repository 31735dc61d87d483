package restart_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/restart"
	"github.com/tope/updater/steps/stepstest"
)

// holding is a manager whose restart of "last" waits, as systemd's does while a service
// that it requires has failed and is to be started again.
type holding struct{ *servicetest.Fake }

func (h holding) Restart(ctx context.Context, s service.Service) error {
	if s.Name != "last" {
		return h.Fake.Restart(ctx, s)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// verdict is a gate that finds a service failed by its third look.
type verdict struct {
	looks int
	asked []string
	says  string
}

func (v *verdict) Doomed(_ context.Context, _ *steps.Task, list []service.Service) (service.Service, error) {
	v.asked = nil
	for _, s := range list {
		v.asked = append(v.asked, s.Name)
	}
	if v.looks++; v.looks < 3 {
		return service.Service{}, nil
	}
	return service.Service{Name: v.says}, errors.New(v.says + " is activating (auto-restart): exit status 1")
}

// A start that waits for a service which is certain to fail the gate is not waited for: the
// step fails, and says which service it was.
func TestTheVerdictDoesNotWaitForARestartBySystemd(t *testing.T) {
	c := clocktest.NewAuto()
	m := holding{servicetest.NewFake(c, "base", "between", "other", "last")}
	gate := &verdict{says: "base"}
	step := restart.New(restart.Config{Manager: m, Clock: c, Verdict: gate, Services: []service.Service{
		{Name: "base"}, {Name: "other"}, {Name: "between", After: []string{"base"}}, {Name: "last", After: []string{"between", "missing"}},
	}})
	task := stepstest.Task(t, func(task *steps.Task) {
		task.Target = versions.Pointers{Current: "1.1.0", Previous: "1.0.0"}
		task.Since = steps.Moment{Boot: c.Boot(), Mono: c.Monotonic()}
	})
	m.Print("base", "no key")
	_, err := step.Do(t.Context(), task)
	e := steps.AsError(err)
	require.Equal(t, steps.Unhealthy, e.Class)
	line, details := e.Tell()
	require.Equal(t, "restart last: it waits for a service that has failed: base is activating (auto-restart): exit status 1: no key", line)
	require.Contains(t, details, "log of base:")
	require.Equal(t, []string{"between", "base"}, gate.asked, "those that it waits for, however far")
	require.GreaterOrEqual(t, gate.looks, 3)
}
