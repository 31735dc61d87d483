// Package veto asks a program of the device whether the device is busy: it prints,
// somebody is at its screen. While it is, no update is installed.
//
// The program is started anew each time, as the daemon's user, as the command of a
// health check is: by an absolute path, without a shell, with a clean environment, in
// the root directory. Its exit status is the answer:
//
//	0              the device is free
//	1              it is busy; the first line of the standard output says why
//	anything else  the program failed, as it has when it cannot be started, is killed,
//	               or takes longer than its time: then it is killed with its process group
//
// The configuration says what a failure counts as. How long an update may be put off in
// all, the caller decides.
package veto

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/command"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/printable"
)

// DefaultTimeout is how long a program may take that has no Timeout.
const DefaultTimeout = 10 * time.Second

// longestWhy is the most of a reason that is kept, in bytes.
const longestWhy = 200

// What a failure counts as.
const (
	Busy = "busy"
	Free = "free"
)

// Program is a veto command.
type Program struct {
	// Command is the program's absolute path, and its arguments.
	Command []string
	// Timeout is how long it may take; 0 is DefaultTimeout.
	Timeout time.Duration
	// Failure is Busy or Free; empty is Busy.
	Failure string
	Clock   clock.Clock
}

// Validate says what is wrong with a command, and what to write instead. It is the rule
// for commands of health checks.
func Validate(argv []string) error {
	return health.Check{Service: "veto", Kind: health.Command, Command: argv}.Validate(health.Device)
}

// Ask runs the program, and returns once it has ended. why is one line for people: why
// the device is busy, or, also when busy is false, how the program failed; else it is
// empty. err is not nil only when ctx has ended: then there is no answer.
// Several calls at a time run the program several times.
func (p Program) Ask(ctx context.Context) (busy bool, why string, err error) {
	timeout := cmp.Or(p.Timeout, DefaultTimeout)
	limited, cancel := clock.WithTimeout(ctx, p.Clock, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	out, err := command.Stdout(limited, p.Command...)
	exit := (*exec.ExitError)(nil)
	switch {
	// A child that it has left behind may keep the pipe open; the program itself was done.
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return false, "", nil
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		first, _, _ := strings.Cut(out, "\n")
		return true, line(cmp.Or(first, p.Command[0]+" says so")), nil
	case ctx.Err() != nil:
		return false, "", context.Cause(ctx)
	case limited.Err() != nil:
		err = context.Cause(limited)
	}
	return p.Failure != Free, line("the veto command failed: " + failure(err)), nil
}

// failure is an error without the command line, in which a device may have a secret.
func failure(err error) string {
	failed, path := (*command.Error)(nil), (*fs.PathError)(nil)
	if !errors.As(err, &failed) {
		return err.Error()
	}
	text := failed.Err.Error()
	if errors.As(err, &path) {
		text = "cannot start it: " + path.Err.Error()
	}
	if last := failed.Output[strings.LastIndexByte(failed.Output, '\n')+1:]; last != "" {
		text += ": " + last
	}
	return failed.Command[0] + ": " + text
}

// line is a text as one line that is not longer than longestWhy.
func line(text string) string {
	const more = "..."
	text = strings.TrimSpace(printable.Line(text))
	if len(text) <= longestWhy {
		return text
	}
	end := longestWhy - len(more)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
