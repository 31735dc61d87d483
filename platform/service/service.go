// Package service starts, stops and watches the programs that run from the
// current version. It is the contract; the managers are systemd (over D-Bus)
// and embedded (a small supervisor for containers, development and the demo),
// and servicetest holds the fake and the conformance suite both must pass.
//
// A manager does what it is told to one service at a time. It knows nothing of
// versions, of order between services (see Order) or of health beyond what the
// kernel and the init system can tell.
package service

import (
	"context"
	"errors"
	"time"
)

// Service is one unit that runs from the current version.
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
	// StopTimeout is how long a stop may take before the embedded manager
	// kills it, and how long the updater waits for systemd's job; 0 means 30 s.
	StopTimeout time.Duration
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
	// Started is when the main process was started, on clock.Clock's Monotonic.
	Started time.Duration `json:"started,omitempty"`
	// Restarts counts automatic restarts since the last start that was asked for.
	Restarts int `json:"restarts,omitempty"`
	// ExitStatus is the main process's last exit status, 128+n for signal n.
	ExitStatus int `json:"exit_status,omitempty"`
}

// Errors callers branch on; they come wrapped with the service's name.
var (
	// ErrNotFound: the manager has no such unit.
	ErrNotFound = errors.New("no such unit")
	// ErrFailed: the manager tried and the job failed (the unit's Result says more).
	ErrFailed = errors.New("the job failed")
	// ErrTimeout: the job did not finish in time; the unit's state is unknown until asked.
	ErrTimeout = errors.New("the job did not finish in time")
	// ErrUnavailable: the manager itself cannot be reached now.
	ErrUnavailable = errors.New("the service manager cannot be reached")
)

// Manager runs services. Methods may be called from several goroutines, but
// only one call per service at a time.
type Manager interface {
	// Start starts a stopped service and returns when its start job is done.
	// A service that runs already is left alone.
	Start(ctx context.Context, s Service) error
	// Stop returns when the service's processes are gone. Stopping one that
	// does not run, or does not exist, is not an error.
	Stop(ctx context.Context, s Service) error
	// Restart stops and starts: afterwards the main process is a new one.
	Restart(ctx context.Context, s Service) error
	// Status never waits for a job. An unknown unit is Loaded == false, not an error.
	Status(ctx context.Context, s Service) (Status, error)
	// Reload makes the manager read unit files again (systemd: daemon-reload).
	Reload(ctx context.Context) error
	// Stopping reports whether the whole system is going down: then no unit
	// result is evidence of anything.
	Stopping(ctx context.Context) (bool, error)
	// Close lets go of the manager. Services keep running.
	Close() error
}
