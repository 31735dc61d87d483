package service

import (
	"context"
	"slices"
	"time"
)

// Abilities are what a manager can do beyond Manager. A caller that needs one
// asks the manager it has by a type assertion, and never by the manager's name:
//
//	if s, ok := m.(service.Supervisor); ok { … }
//
// The suite in servicetest tries each ability of the managers that have it.

// Supervisor is a Manager without an init system behind it: its services are
// children of the process that uses it, and nobody else starts them.
type Supervisor interface {
	// Supervise adopts the services that run and starts, in order, those that
	// should run and do not. A process calls it once, at its start. Supervise
	// goes on after a service that cannot be started, and joins the errors.
	Supervise(ctx context.Context, services []Service) error
}

// UnitKeeper is a Manager whose services have unit files on the disk.
type UnitKeeper interface {
	// UnitDirs are the device's directories of unit files. A unit in an earlier
	// one hides those of the same name in later ones.
	UnitDirs() []string
}

// UnitReader is a UnitKeeper that can tell how units are set up: they may be enabled,
// masked, ordered and stale.
type UnitReader interface {
	UnitKeeper
	// Unit tells how a unit is set up, by its full name. One that does not exist
	// is not an error: its Load is "not-found".
	Unit(ctx context.Context, name string) (UnitFacts, error)
	// Version is that of the manager: the number, which tells what it can do, and
	// the whole text.
	Version(ctx context.Context) (number int, text string, err error)
}

// Replaceable is a Manager that lets the program that uses it be replaced in
// place (exec) while the services run on undisturbed.
type Replaceable interface {
	// ReplaceableInPlace does nothing: to have the method is the promise.
	ReplaceableInPlace()
}

// Maintained is a Manager of a system that can be brought to a state for repairs, in
// which its services are stopped on purpose.
type Maintained interface {
	// Maintenance reports whether the system is in that state, or on its way there.
	Maintenance(ctx context.Context) (bool, error)
}

// Resting is a Bystander of a device that does not run: none of its programs can be
// started here, which may be another kind of machine.
type Resting interface {
	// Rests does nothing: to have the method is the promise.
	Rests()
}

// Bystander is a Manager that runs nothing: somebody else starts, stops and
// judges the services.
type Bystander interface {
	// StandsBy does nothing: to have the method is the promise.
	StandsBy()
}

// LogKeeper is a Manager that keeps what services print.
type LogKeeper interface {
	// LogOf is the command, or the file on this host, by which an operator reads
	// what a service prints.
	LogOf(s Service) string
	// Tail returns the newest lines, at most n, that the log has since a moment of
	// this boot (clock.Clock's Monotonic), oldest first, as they are: they may hold
	// anything. A service that has printed nothing is not an error. Tail may wait
	// for a moment until what was printed is in the log; it ends with ctx.
	Tail(ctx context.Context, s Service, since time.Duration, n int) ([]LogLine, error)
}

// LogLine is a line of a service's log.
type LogLine struct {
	Text string
	// About: the manager tells of the service; else the service has printed it itself.
	About bool
}

// RunsServices reports whether a manager runs services at all.
func RunsServices(m Manager) bool {
	_, stands := m.(Bystander)
	return !stands
}

// Rests reports whether a manager is that of a device that does not run.
func Rests(m Manager) bool {
	_, rests := m.(Resting)
	return rests
}

// InPlace reports whether the program that uses a manager may be replaced in place.
func InPlace(m Manager) bool {
	_, may := m.(Replaceable)
	return may
}

// UnitFacts are what an operator would ask about how a unit is set up.
type UnitFacts struct {
	// Load and Active are systemd's LoadState and ActiveState; File is its
	// UnitFileState (enabled, disabled, static…), empty for a unit without file.
	Load, Active, File string
	// Stale: the files on disk are newer than what the manager has read.
	Stale bool
	// After are the units it is started after, Requires those without which it
	// cannot start.
	After, Requires []string
}

// StartsAfter reports whether the unit is started after another one.
func (f UnitFacts) StartsAfter(unit string) bool { return slices.Contains(f.After, unit) }

// Needs reports whether the unit cannot start when another one fails.
func (f UnitFacts) Needs(unit string) bool { return slices.Contains(f.Requires, unit) }

// StartsAtBoot is generous: a unit that a socket or a dependency starts counts too.
func (f UnitFacts) StartsAtBoot() bool {
	return !slices.Contains([]string{"disabled", "masked", "masked-runtime", "bad", ""}, f.File)
}
