package switchover_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
	"github.com/tope/updater/steps/switchover"
)

var services = []service.Service{{Name: "web-server", After: []string{"device-api"}}, {Name: "device-api"}}

// bench is a device with versions 0.9.0 (previous), 1.0.0 (current) and 1.1.0,
// whose services run.
type bench struct {
	store   *versions.Store
	manager *servicetest.Fake
	step    *switchover.Step
	root    string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir, err := filepath.EvalSymlinks(disktest.TempDir(t))
	require.NoError(t, err)
	root, err := disk.NewRoot(dir)
	require.NoError(t, err)
	c := clocktest.New()
	store, err := versions.Open(versions.Config{
		Create: true,
		Root:   root, Versions: "/opt/tope/versions", Services: "/opt/tope/services", Bin: "/usr/local/bin", Shared: "/opt/tope/shared", Clock: c,
	})
	require.NoError(t, err)
	for _, v := range []string{"0.9.0", "1.0.0", "1.1.0"} {
		bin := filepath.Join(store.Dir(), "v"+v, "bin")
		require.NoError(t, os.MkdirAll(bin, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(bin, "device-api"), []byte("#!"), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(store.Dir(), "v1.1.0/bin/brand-new"), []byte("#!"), 0o755))
	require.NoError(t, store.Point(versions.Current, "1.0.0"))
	require.NoError(t, store.Point(versions.Previous, "0.9.0"))
	m := servicetest.NewFake(c, "device-api", "web-server")
	for _, s := range services {
		require.NoError(t, m.Start(t.Context(), s))
	}
	m.Calls()
	b := &bench{store: store, manager: m, root: dir}
	b.step = switchover.New(switchover.Config{Manager: m, Services: services, Versions: store, Clock: c})
	return b
}

func forward(task *steps.Task) {
	task.Target = versions.Pointers{Current: "1.1.0", Previous: "1.0.0"}
}

func backward(task *steps.Task) {
	task.Target, task.Back = versions.Pointers{Current: "1.0.0", Previous: "0.9.0"}, true
}

func TestConform(t *testing.T) {
	world := func(t *testing.T) *stepstest.World {
		b := newBench(t)
		return &stepstest.World{Step: b.step, Task: stepstest.Task(t, forward), Picture: func() any {
			p, err := b.store.Pointers()
			require.NoError(t, err)
			return p
		}}
	}
	stepstest.Conform(t, stepstest.Case{New: world, Keeps: true})
}

func TestForward(t *testing.T) {
	b := newBench(t)
	out, err := b.step.Do(t.Context(), stepstest.Task(t, forward))
	require.NoError(t, err)
	require.Equal(t, []string{"stop web-server", "stop device-api"}, b.manager.Calls(), "what depends on others stops first; nothing is started")
	p, err := b.store.Pointers()
	require.NoError(t, err)
	require.Equal(t, versions.Pointers{Current: "1.1.0", Previous: "1.0.0"}, p)
	target, err := os.Readlink(filepath.Join(b.root, "usr/local/bin/brand-new"))
	require.NoError(t, err, "a new program has its link")
	require.Equal(t, "/opt/tope/versions/current/bin/brand-new", target)
	ev := out.Evidence.(switchover.Evidence)
	require.Equal(t, "1.0.0", ev.Before.Current)
	require.Equal(t, "1.1.0", ev.After.Current)
	require.Equal(t, []string{"web-server", "device-api"}, ev.Stopped)
	next := stepstest.Task(t)
	stepstest.HandOn(t, next, steps.Switch, ev)
	require.Equal(t, ev.StoppedAt, next.Facts.Switch.StoppedAt, "Restart can measure the downtime")
	require.NotEmpty(t, ev.StoppedAt.Boot)
}

// From the first stop on an orderly shutdown is held back; a switch that fails releases
// the hold.
func TestAShutdownIsPutOff(t *testing.T) {
	b := newBench(t)
	hold := service.NewHold(b.manager, slog.New(slog.DiscardHandler))
	step := switchover.New(switchover.Config{Manager: b.manager, Services: services, Versions: b.store, Clock: clocktest.New(), Hold: hold})
	held := map[string]int{}
	b.manager.Hook(func(op, name string) error {
		held[name] = b.manager.Held()
		return nil
	})
	_, err := step.Do(t.Context(), stepstest.Task(t, forward))
	require.NoError(t, err)
	require.Equal(t, map[string]int{"web-server": 1, "device-api": 1}, held)
	require.Equal(t, 1, b.manager.Held(), "until Restart has started them")
	b.manager.Hook(func(string, string) error { return service.ErrFailed })
	_, err = step.Do(t.Context(), stepstest.Task(t, forward))
	require.Error(t, err)
	require.Zero(t, b.manager.Held())
	b.manager.Hook(nil)
	b.manager.RefuseInhibit(errors.New("no logind"))
	_, err = step.Do(t.Context(), stepstest.Task(t, forward))
	require.NoError(t, err, "it is a courtesy")
}

// recorder notes the order in which pointers move, and can refuse one.
type recorder struct {
	*versions.Store
	moves  []string
	refuse string
}

func (r *recorder) Point(pointer, version string) error {
	if pointer == r.refuse {
		return errors.New("no space left on device")
	}
	r.moves = append(r.moves, pointer+" "+version)
	return r.Store.Point(pointer, version)
}

func TestOrderOfPointers(t *testing.T) {
	b := newBench(t)
	rec := &recorder{Store: b.store}
	step := switchover.New(switchover.Config{Manager: b.manager, Services: services, Versions: rec, Clock: clocktest.New()})
	_, err := step.Do(t.Context(), stepstest.Task(t, forward))
	require.NoError(t, err)
	_, err = step.Do(t.Context(), stepstest.Task(t, backward))
	require.NoError(t, err)
	require.Equal(t, []string{"previous 1.0.0", "current 1.1.0", "current 1.0.0", "previous 0.9.0"}, rec.moves,
		"forwards the way back stands before current moves; backwards current is right first")
}

func TestAServiceThatDoesNotStop(t *testing.T) {
	b := newBench(t)
	b.manager.Hook(func(op, name string) error {
		if op == "stop" && name == "device-api" {
			return service.ErrTimeout
		}
		return nil
	})
	task := stepstest.Task(t, forward)
	text := stepstest.Fails(t, b.step, task, steps.Local, steps.ServiceFailed)
	require.Contains(t, text, "stop device-api")
	p, err := b.store.Pointers()
	require.NoError(t, err)
	require.Equal(t, "1.0.0", p.Current, "no pointer moves under a running service")
}

func TestNoVerdictWhileTheSystemStops(t *testing.T) {
	b := newBench(t)
	b.manager.ShutDown(true)
	b.manager.Hook(func(string, string) error { return service.ErrFailed })
	stepstest.Fails(t, b.step, stepstest.Task(t, forward), steps.Interrupted, steps.ServiceFailed)
}

func TestProbe(t *testing.T) {
	b := newBench(t)
	task := stepstest.Task(t, forward)
	probe := func() steps.Reach {
		r, err := b.step.Probe(context.Background(), task)
		require.NoError(t, err)
		return r
	}
	require.Equal(t, steps.NotStarted, probe())
	require.NoError(t, b.store.Point(versions.Previous, "1.0.0"))
	require.Equal(t, steps.Partly, probe())
	require.NoError(t, b.store.Point(versions.Current, "1.1.0"))
	require.Equal(t, steps.Done, probe())
}

// A file that an operator put in the place of a link is left alone and reported; the
// update goes on.
func TestAFileInTheWayOfALink(t *testing.T) {
	b := newBench(t)
	bin := filepath.Join(b.root, "usr/local/bin")
	require.NoError(t, os.MkdirAll(bin, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "brand-new"), []byte("mine"), 0o755))
	out, err := b.step.Do(t.Context(), stepstest.Task(t, forward))
	require.NoError(t, err)
	require.Contains(t, out.Evidence.(switchover.Evidence).Blocked, "brand-new")
	mine, err := os.ReadFile(filepath.Join(bin, "brand-new"))
	require.NoError(t, err)
	require.Equal(t, "mine", string(mine))
}

// After a failed first installation the step removes current again.
func TestBackToNothing(t *testing.T) {
	b := newBench(t)
	_, err := b.step.Do(t.Context(), stepstest.Task(t, func(task *steps.Task) { task.Back = true }))
	require.NoError(t, err)
	p, err := b.store.Pointers()
	require.NoError(t, err)
	require.Equal(t, versions.Pointers{}, p)
}

// On the way back, a second attempt sets current right in spite of less important
// errors.
func TestGoingBackPastWhatMattersLess(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.store.Point(versions.Current, "1.1.0"))
	require.NoError(t, b.store.Point(versions.Previous, "1.0.0"))
	b.manager.Hook(func(op, _ string) error {
		if op == "stop" {
			return service.ErrTimeout
		}
		return nil
	})
	rec := &recorder{Store: b.store, refuse: versions.Previous}
	step := switchover.New(switchover.Config{Manager: b.manager, Services: services, Versions: rec, Clock: clocktest.New()})
	task := stepstest.Task(t, backward)
	_, err := step.Do(t.Context(), task)
	require.ErrorIs(t, err, service.ErrTimeout, "the first attempt is strict")
	out, err := step.Do(t.Context(), stepstest.Again(task))
	require.NoError(t, err)
	require.Contains(t, out.Evidence.(switchover.Evidence).Blocked, "no space left")
	p, err := b.store.Pointers()
	require.NoError(t, err)
	require.Equal(t, "1.0.0", p.Current)
}
