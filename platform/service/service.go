// Package service starts, stops and watches the programs that run from the
// current version. It is the contract; the managers are systemd (over D-Bus),
// embedded (a small supervisor for containers, development and the demo) and
// bystander (somebody else runs the services), and servicetest holds the fakes
// and the suites that they pass.
//
// Start with Manager. What only some managers can do is an interface of its own
// in ability.go: callers ask for the ability, never for a manager's name.
//
// A manager does what it is told to one service at a time. It knows nothing of
// versions, of order between services (see Order) or of health beyond what the
// kernel and the init system can tell.
package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Service is one unit that runs from the current version, unless OutsideVersions is set.
type Service struct {
	// Name is the service's name: device-api.
	Name string
	// Unit is systemd's name for it; Name + ".service" when empty.
	Unit string
	// Exec is the command the embedded manager runs. Absolute paths are the
	// device's (below --root). Unused by systemd.
	Exec []string
	// After names services that are started before this one and stopped after it.
	After []string
	// StopTimeout is how long a stop may take before the service's processes are
	// killed; 0 means 30 s. How long a start may take is the manager's to say.
	StopTimeout time.Duration
	// OutsideVersions: the service does not run from the versions; it is only
	// restarted and judged with them.
	OutsideVersions bool
}

// StartBound is how long a start may take, unless configured otherwise, that its
// manager does not limit.
const StartBound = time.Hour

// UnitName is systemd's full name of a service.
func (s Service) UnitName() string {
	switch {
	case s.Unit == "":
		return s.Name + ".service"
	case !strings.Contains(s.Unit, "."):
		return s.Unit + ".service"
	}
	return s.Unit
}

// Is reports whether a release means this service by a name: the service's own, or its
// unit's.
func (s Service) Is(name string) bool {
	return s.Name == name || s.UnitName() == Service{Name: name}.UnitName()
}

// Active is systemd's ActiveState, the words both managers use.
type Active string

// The states a unit can be in.
const (
	Running      Active = "active"
	Starting     Active = "activating"
	Stopped      Active = "inactive"
	Deactivating Active = "deactivating"
	Broken       Active = "failed"
	Reloading    Active = "reloading"
)

// Status is what a manager knows of a service at one moment.
type Status struct {
	// Loaded is false when the manager has no such unit.
	Loaded bool   `json:"loaded"`
	Active Active `json:"active"`
	// Sub and Result are systemd's SubState and Result ("success",
	// "exit-code", "start-limit-hit"…); the embedded manager uses the same words.
	Sub    string `json:"sub,omitempty"`
	Result string `json:"result,omitempty"`
	// MainPID is 0 when no main process runs.
	MainPID int `json:"main_pid,omitempty"`
	// Started is when the main process was started, on clock.Clock's Monotonic; for a
	// service that runs without one that the manager knows, when its start began.
	Started time.Duration `json:"started,omitempty"`
	// Restarts counts automatic restarts since the last start that was asked for.
	Restarts int `json:"restarts,omitempty"`
	// ExitStatus is the main process's last exit status, 128+n for signal n.
	ExitStatus int `json:"exit_status,omitempty"`
	// Stale is set when the unit's files have changed since they were read (Reload).
	Stale bool `json:"stale,omitempty"`
}

// Unusable is why a unit that is there cannot be run: systemd's LoadState
// (masked, bad-setting, error). It is empty for one that can.
func (s Status) Unusable() string {
	switch s.Result {
	case "masked", "bad-setting", "error":
		return s.Result
	}
	return ""
}

// Errors callers branch on; they come wrapped with the service's name.
var (
	// ErrNotFound: the manager has no such unit.
	ErrNotFound = errors.New("no such unit")
	// ErrUnusable: there is a unit, but the manager will not run it: it is
	// masked, or its file cannot be understood.
	ErrUnusable = errors.New("the unit cannot be run")
	// ErrFailed: the manager tried and the job failed (the unit's Result says more).
	ErrFailed = errors.New("the job failed")
	// ErrCanceled: somebody else's job took the place of this one, which says
	// nothing of the service: an operator's stop, or `systemctl isolate`.
	ErrCanceled = fmt.Errorf("%w: another took its place", ErrFailed)
	// ErrTimeout: the job did not finish in time; the unit's state is unknown until asked.
	ErrTimeout = errors.New("the job did not finish in time")
	// ErrEndless: the manager itself would never have ended the job, and the updater
	// has waited as long as it is configured to. The service may be on its way.
	ErrEndless = fmt.Errorf("%w, and nothing limits it but the updater", ErrTimeout)
	// ErrUnavailable: the manager itself cannot be reached now.
	ErrUnavailable = errors.New("the service manager cannot be reached")
)

// Manager runs services. Methods may be called from several goroutines, but
// only one call per service at a time.
type Manager interface {
	// Start starts a stopped service and returns when its start job is done.
	// A service that runs already is left alone.
	Start(ctx context.Context, s Service) error
	// Stop returns when the service's processes are gone. Those that have not
	// ended by StopTimeout are killed; that is a stop, too. Stopping a service
	// that does not run, or does not exist, is not an error.
	Stop(ctx context.Context, s Service) error
	// Restart stops and starts: afterwards the main process is a new one.
	Restart(ctx context.Context, s Service) error
	// Status never waits for a job. An unknown unit is Loaded == false, not an error.
	Status(ctx context.Context, s Service) (Status, error)
	// Survey tells how the services depend on each other and on further units.
	// It changes nothing. A manager without such knowledge returns an empty one.
	Survey(ctx context.Context, services []Service) (Survey, error)
	// Inhibit asks the system to put off an orderly shutdown until release is
	// called, for as long as it is willing to (systemd: 5 s). release is never
	// nil and may be called again. An error says that nothing is put off.
	Inhibit(ctx context.Context, why string) (release func(), err error)
	// Reload makes the manager read unit files again (systemd: daemon-reload).
	Reload(ctx context.Context) error
	// Stopping reports whether the whole system is going down: then no unit
	// result is evidence of anything.
	Stopping(ctx context.Context) (bool, error)
	// Close lets go of the manager. Services keep running.
	Close() error
}
