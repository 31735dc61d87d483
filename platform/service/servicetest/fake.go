// Package servicetest has what tests of services share: Fake, a service manager
// in memory, and Conform, the suite that every manager passes, the fake too;
// so what holds with the fake holds with the real ones.
//
// Shipped programs never import it.
package servicetest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
)

// StartLimit is how often the fake starts a service that exits at once before
// it gives up, all within the call that started it.
const StartLimit = 5

// Behaviour is what a started program does.
type Behaviour struct {
	// Exits: the program exits at once with Status, again at each automatic
	// restart, until the start limit is hit. The start job succeeds all the same.
	Exits  bool
	Status int
	// Refuses: the start job itself fails.
	Refuses bool
}

// Fake is a service manager in memory. It outlives the engine that uses it, as
// systemd does: a test "crashes" its engine and gives the next one the same
// Fake. It is safe for concurrent use.
type Fake struct {
	clock clock.Clock

	mu       sync.Mutex
	units    map[string]*service.Status
	pid      int
	calls    []string
	stopping bool
	down     bool
	behave   func(name string) Behaviour
	hook     func(op, name string) error

	relations service.Survey
	held      int
	noInhibit error
	launches  map[string]service.Launch
	processes map[string][]int
	logs      map[string][]printed
}

// NewFake returns a manager of the named services, none of them running.
func NewFake(c clock.Clock, names ...string) *Fake {
	f := &Fake{clock: c, units: map[string]*service.Status{}, pid: 1000}
	f.Add(names...)
	return f
}

// Add makes services known.
func (f *Fake) Add(names ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		f.units[name] = &service.Status{Loaded: true, Active: service.Stopped, Sub: "dead", Result: "success"}
	}
}

// Behave sets what programs do when they are started; it is asked at each
// start, so its answer may depend on the current version. It must not call the
// Fake. Without it every program runs.
func (f *Fake) Behave(behave func(name string) Behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behave = behave
}

// Hook is called before each Start, Stop and Restart ("start", "stop",
// "restart") takes effect, without locks held. When it returns an error,
// nothing happens and the call returns the error; it may also panic, to play a crash.
func (f *Fake) Hook(hook func(op, name string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Calls returns the operations since Calls was last called: "stop device-api".
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// Unreachable makes every call fail with ErrUnavailable, until it is given false.
func (f *Fake) Unreachable(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// ShutDown says whether the whole system is stopping.
func (f *Fake) ShutDown(stopping bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopping = stopping
}

// Set changes a service's status as the test likes.
func (f *Fake) Set(name string, change func(*service.Status)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f.units[name])
}

// Die kills the main process of a service, which is then restarted automatically.
func (f *Fake) Die(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.units[name]
	if u.MainPID == 0 {
		return
	}
	restarts := u.Restarts
	_ = f.run(name, u) // The status tells.
	u.Restarts += restarts + 1
	u.ExitStatus = 128 + 9
}

// Boot plays a reboot: every process is gone, and every service is started.
func (f *Fake) Boot() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopping = false
	for _, name := range f.names() {
		_ = f.run(name, f.units[name]) // The status tells.
	}
}

// PIDs returns the main processes that run, by service.
func (f *Fake) PIDs() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	pids := map[string]int{}
	for name, u := range f.units {
		if u.MainPID != 0 {
			pids[name] = u.MainPID
		}
	}
	return pids
}

// Start implements service.Manager.
func (f *Fake) Start(ctx context.Context, s service.Service) error {
	return f.do(ctx, "start", s, func(u *service.Status) error {
		if u.MainPID != 0 {
			return nil
		}
		return f.run(s.Name, u)
	})
}

// Restart implements service.Manager.
func (f *Fake) Restart(ctx context.Context, s service.Service) error {
	return f.do(ctx, "restart", s, func(u *service.Status) error { return f.run(s.Name, u) })
}

// Stop implements service.Manager.
func (f *Fake) Stop(ctx context.Context, s service.Service) error {
	return f.do(ctx, "stop", s, func(u *service.Status) error {
		*u = service.Status{Loaded: true, Active: service.Stopped, Sub: "dead", Result: "success"}
		return nil
	})
}

// Status implements service.Manager.
func (f *Fake) Status(ctx context.Context, s service.Service) (service.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reachable(ctx, s.Name); err != nil {
		return service.Status{}, err
	}
	if u := f.units[s.Name]; u != nil {
		return *u, nil
	}
	return service.Status{Active: service.Stopped, Sub: "dead"}, nil
}

// Reload implements service.Manager.
func (f *Fake) Reload(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, "reload")
	return f.reachable(ctx, "manager")
}

// Stopping implements service.Manager.
func (f *Fake) Stopping(ctx context.Context) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stopping, f.reachable(ctx, "manager")
}

// Close implements service.Manager; the Fake stays usable.
func (f *Fake) Close() error { return nil }

// do is the common part of Start, Stop and Restart.
func (f *Fake) do(ctx context.Context, op string, s service.Service, act func(*service.Status) error) error {
	f.mu.Lock()
	f.calls = append(f.calls, op+" "+s.Name)
	hook := f.hook
	f.mu.Unlock()
	if hook != nil {
		if err := hook(op, s.Name); err != nil {
			return fmt.Errorf("%s %s: %w", op, s.Name, err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reachable(ctx, s.Name); err != nil {
		return err
	}
	u := f.units[s.Name]
	switch {
	case u != nil:
		return act(u)
	case op == "stop":
		return nil
	}
	return fmt.Errorf("%s %s: %w", op, s.Name, service.ErrNotFound)
}

// run starts a program as if none had run before.
func (f *Fake) run(name string, u *service.Status) error {
	var b Behaviour
	if f.behave != nil {
		b = f.behave(name)
	}
	*u = service.Status{Loaded: true, Active: service.Stopped, Sub: "dead", Result: "success", Started: f.clock.Monotonic()}
	if b.Refuses || b.Exits {
		u.Active, u.Sub, u.Result, u.ExitStatus = service.Broken, "failed", "exit-code", b.Status
	}
	switch {
	case b.Refuses:
		return fmt.Errorf("start %s: %w", name, service.ErrFailed)
	case b.Exits:
		f.pid += StartLimit
		u.Result, u.Restarts = "start-limit-hit", StartLimit
		return nil
	}
	f.pid++
	u.Active, u.Sub, u.MainPID = service.Running, "running", f.pid
	return nil
}

func (f *Fake) reachable(ctx context.Context, name string) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if f.down {
		return fmt.Errorf("%s: %w", name, service.ErrUnavailable)
	}
	return nil
}

func (f *Fake) names() []string {
	names := make([]string, 0, len(f.units))
	for name := range f.units {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Launches sets what Launch tells of a service. By default it is of type simple and
// executes /usr/local/bin/NAME.
func (f *Fake) Launches(name string, l service.Launch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.launches == nil {
		f.launches = map[string]service.Launch{}
	}
	f.launches[name] = l
}

// Works sets which processes a service has besides its main process, which is one
// of the Fake's own invention.
func (f *Fake) Works(name string, pids ...int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.processes == nil {
		f.processes = map[string][]int{}
	}
	f.processes[name] = pids
}

// Launch implements service.Launcher.
func (f *Fake) Launch(ctx context.Context, s service.Service) (service.Launch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reachable(ctx, s.Name); err != nil {
		return service.Launch{}, err
	}
	if l, ok := f.launches[s.Name]; ok {
		return l, nil
	}
	if f.units[s.Name] == nil {
		return service.Launch{}, nil
	}
	program := "/usr/local/bin/" + s.Name
	return service.Launch{Type: "simple", Commands: []service.Execution{{Phase: service.Main, Path: program, Args: []string{program}}}}, nil
}

// Processes implements service.Launcher.
func (f *Fake) Processes(ctx context.Context, s service.Service) ([]int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reachable(ctx, s.Name); err != nil {
		return nil, err
	}
	var found []int
	if u := f.units[s.Name]; u != nil && u.MainPID != 0 {
		found = append(append(found, u.MainPID), f.processes[s.Name]...)
	}
	slices.Sort(found)
	return found, nil
}
