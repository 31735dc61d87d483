package service

import (
	"context"
	"time"
)

// Launcher is a Manager that can tell what it executes for a service, and which
// processes are the service's.
type Launcher interface {
	// Launch tells what the manager executes when it starts a service, as it has
	// read it: after Status.Stale, Reload comes first. A service that the manager
	// does not know has the zero Launch.
	Launch(ctx context.Context, s Service) (Launch, error)
	// Processes lists the ids of all processes of a service that live now, in
	// ascending order; none is not an error. One may have ended by the time it is
	// looked at.
	Processes(ctx context.Context, s Service) ([]int, error)
}

// Phase says when a command of a service is executed; the words are systemd's.
type Phase string

// The phases of a start, in the order in which they come.
const (
	Condition Phase = "ExecCondition"
	StartPre  Phase = "ExecStartPre"
	Main      Phase = "ExecStart"
	StartPost Phase = "ExecStartPost"
)

// Execution is one command that a manager executes for a service.
type Execution struct {
	Phase Phase
	// Path is the program, Args are its arguments with the program's name first.
	// Paths are the device's, below the unit's RootDir.
	Path string
	Args []string
	// Lenient: the start goes on when this command fails.
	Lenient bool
	// Privileged: it runs as root, whoever the service's User is.
	Privileged bool
}

// Launch is what a manager executes for a service, and how it takes the service
// for started.
type Launch struct {
	// Commands are the commands of a start, in the order in which they come.
	Commands []Execution
	// Dir is the working directory; "~" is the home directory of User, and "" is "/".
	// With DirOptional it may be missing.
	Dir         string
	DirOptional bool
	// Search is where a program without a directory in its name is looked for; nil is the
	// manager's own list.
	Search []string
	// RootDir is the directory that is "/" for the service; "" is the device's own.
	RootDir string
	// Image is a disk image that is "/" for the service: its paths cannot be looked up.
	Image string
	// Type is systemd's Type=: simple, exec, forking, oneshot, notify, dbus, idle.
	Type string
	// PIDFile is where a service of type forking writes its main process; "" for none.
	PIDFile string
	// RemainsAfterExit: the service counts as running when its processes have ended.
	RemainsAfterExit bool
	// User runs the commands, with the further Groups; "" is root. A Privileged one
	// passes directories whatever their modes are.
	User       string
	Groups     []string
	Privileged bool
	// EnvFiles are files without which the start fails.
	EnvFiles []string
	// Made are directories that the manager makes when it starts the service.
	Made []string
	// Private: the service has mounts of its own, so that its paths may lead elsewhere
	// than the device's.
	Private bool
	// StartLimit is how long the manager itself lets a start take, StopLimit a
	// stop; 0 is without limit.
	StartLimit, StopLimit time.Duration
}

// MainCommand is the command of the main process; false when there is none.
func (l Launch) MainCommand() (Execution, bool) {
	for _, c := range l.Commands {
		if c.Phase == Main {
			return c, true
		}
	}
	return Execution{}, false
}
