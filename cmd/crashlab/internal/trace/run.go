//go:build linux && amd64

package trace

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Command is a program to run on a machine.
type Command struct {
	Args []string `json:"args"`
	// Env is its whole environment.
	Env []string `json:"env"`
	// Stdout and Stderr are files that the command appends to; empty for /dev/null.
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
	// Background makes Run return as soon as the command has started.
	Background bool `json:"background"`
}

// request asks the stub to run a command, or, without one, to kill every process
// but the stub.
type request struct {
	Run *Command `json:"run,omitempty"`
}

// reply is the stub's answer.
type reply struct {
	Exit  int    `json:"exit"`
	Error string `json:"error,omitempty"`
}

// Run runs a command to its end and returns its exit status, 128+n for signal
// n. Processes it leaves behind keep running. The error is ErrPower when the
// power was cut before it ended; when ctx ends, the power is cut.
func (m *Machine) Run(ctx context.Context, c Command) (int, error) {
	return m.ask(ctx, request{Run: &c})
}

// KillAll kills every process on the machine but PID 1, and waits for them.
func (m *Machine) KillAll(ctx context.Context) error {
	_, err := m.ask(ctx, request{})
	return err
}

func (m *Machine) ask(ctx context.Context, r request) (int, error) {
	stop := context.AfterFunc(ctx, m.powerOff)
	defer stop()
	if err := m.ctl.send(r); err != nil {
		return 0, m.gone(ctx, err)
	}
	var a reply
	if _, err := m.ctl.receive(&a); err != nil {
		return 0, m.gone(ctx, err)
	}
	if a.Error != "" {
		return 0, fmt.Errorf("%s", a.Error)
	}
	return a.Exit, nil
}

func (m *Machine) gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if m.cut.Load() {
		return ErrPower
	}
	return fmt.Errorf("the machine died by itself: %w", err)
}

// Watch runs one command in a machine of its own until it ends or the power is
// cut. Processes that it left running are killed.
func Watch(ctx context.Context, cfg Config, c Command) (exit int, err error) {
	m, err := Boot(cfg)
	if err != nil {
		return 0, err
	}
	defer m.Off()
	exit, err = m.Run(ctx, c)
	// Its exit status is known: the processes that are left must not make more calls.
	m.powerOff()
	return exit, err
}

// exitStatus is a wait status as shells write it.
func exitStatus(w syscall.WaitStatus) int {
	if w.Signaled() {
		return 128 + int(w.Signal())
	}
	return w.ExitStatus()
}

// Environ is a small environment for programs under test.
func Environ(extra ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "TZ=UTC"}, extra...)
}

// Timeout bounds one run of a program that should take well under a second.
const Timeout = 60 * time.Second
