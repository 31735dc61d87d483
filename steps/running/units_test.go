package running_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// carried is a fake of running.Units: versions and what they carry.
type carried map[string][]unitfiles.Unit

func (c carried) Carried(version string) ([]unitfiles.Unit, error) {
	units, known := c[version]
	if version != "" && !known {
		return nil, errors.New("a bad block")
	}
	return units, nil
}
func (carried) Follow(string) (unitfiles.Changes, error) { return unitfiles.Changes{}, nil }
func (carried) Agrees(string) (bool, error)              { return true, nil }
func (carried) Sync() error                              { return nil }

func on(names ...string) (units []unitfiles.Unit) {
	for _, n := range names {
		units = append(units, unitfiles.Unit{Name: n, Enabled: true})
	}
	return units
}

func TestWhichBroughtServicesAreStoppedAndStarted(t *testing.T) {
	u := carried{"1": on("api.service", "old.service"), "2": append(on("api.service", "new.service", "a@.service", "x.timer"),
		unitfiles.Unit{Name: "off.service"}, unitfiles.Unit{Name: "once.service", Enabled: true, Passing: true})}
	task := &steps.Task{
		Before: versions.Pointers{Current: "1"}, Target: versions.Pointers{Current: "2"},
		Release: steps.Release{Version: "2", Services: []string{"named"}},
	}
	leaving, err := running.ToStop(u, task)
	require.NoError(t, err)
	require.Equal(t, []string{"named", "api", "old", "new", "off", "once"}, running.Named(leaving))
	staying, err := running.ToStart(u, task, "2")
	require.NoError(t, err)
	require.Equal(t, []string{"named", "api", "new"}, running.Named(staying))
	require.Equal(t, []string{"named"}, running.Named(task), "the task itself is the engine's")

	// The version that is left may be damaged; the target may not.
	delete(u, "1")
	_, err = running.ToStop(u, task)
	require.NoError(t, err)
	task.Target.Current = "3"
	_, err = running.ToStop(u, task)
	require.Error(t, err)
	same, err := running.ToStop(nil, task)
	require.NoError(t, err)
	require.Equal(t, task, same)
}

// templated is a manager with running instances.
type templated struct {
	service.Manager
	running map[string][]service.Instance
}

func (m templated) Instances(_ context.Context, template string) ([]service.Instance, error) {
	return m.running[template], nil
}

func TestInstancesGoWithTheirTemplate(t *testing.T) {
	u := carried{"1": on("old@.service", "both@.service"), "2": on("both@.service")}
	task := &steps.Task{Before: versions.Pointers{Current: "1"}, Target: versions.Pointers{Current: "2"}, Release: steps.Release{Version: "2"}}
	m := templated{running: map[string][]service.Instance{
		"old@.service": {{Name: "old@x.y.service"}}, "both@.service": {{Name: "both@1.service"}}, "getty@.service": {{Name: "getty@tty1.service"}},
	}}
	got, err := running.Instances(t.Context(), m, u, task)
	require.NoError(t, err)
	require.Equal(t, []service.Instance{{Name: "old@x.y.service"}, {Name: "both@1.service"}}, got)
	back, err := running.Companions{Boot: "b", Dependents: []string{"old@x.y.service", "both@1.service", "dep@1.service"}}.ForTarget(u, task, "b")
	require.NoError(t, err)
	require.Equal(t, []string{"both@1.service", "dep@1.service"}, back.Dependents)
}

func TestCompanionsThatWentAreNotBroughtBack(t *testing.T) {
	u := carried{"1": on("old.timer", "both.socket"), "2": on("both.socket", "new.path", "some.target", "api.service")}
	task := &steps.Task{Before: versions.Pointers{Current: "1"}, Target: versions.Pointers{Current: "2"}, Release: steps.Release{Version: "2"}}
	noted := running.Companions{Boot: "b", Triggers: []string{"own.timer", "old.timer", "both.socket"}, Dependents: []string{"dep.service"}}
	got, err := noted.ForTarget(u, task, "b")
	require.NoError(t, err)
	require.Equal(t, running.Companions{Boot: "b", Triggers: []string{"own.timer", "both.socket", "new.path"}, Dependents: []string{"dep.service"}}, got)
	got, err = noted.ForTarget(u, task, "another boot")
	require.NoError(t, err)
	require.Equal(t, running.Companions{Boot: "another boot", Triggers: []string{"both.socket", "new.path"}}, got, "the init system has started the others")
}
