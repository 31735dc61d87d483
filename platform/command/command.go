// Package command runs programs of the device or of a release: with a clean environment,
// no shell, bounded output, and an end. When the caller's context ends, so does the
// program, with all processes of its group. The caller sets the deadline, and judges the
// exit status.
package command

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxOutput is the most of a command's output that is kept, in bytes: half of it from
// the beginning and half from the end.
const maxOutput = 2 << 10

// Error is the failure of a command. Its text is one line, with the last line
// of the output; its details are all of the output that was kept.
type Error struct {
	Command []string
	Err     error
	Output  string
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s", strings.Join(e.Command, " "), e.Err)
	if last := e.Output[strings.LastIndexByte(e.Output, '\n')+1:]; last != "" {
		text += ": " + last
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Details implements steps.Detailed, which this package does not know.
func (e *Error) Details() string {
	if e.Output == "" {
		return ""
	}
	return "output of " + strings.Join(e.Command, " ") + ":\n  " + strings.ReplaceAll(e.Output, "\n", "\n  ")
}

// Run runs a command with a clean environment, in dir when that is not empty. When ctx
// ends, Run kills the command and the processes that the command started. It returns
// the output, without its middle when that is long. An error of the command is a
// *Error, which has the output, too.
func Run(ctx context.Context, dir string, command ...string) (output string, err error) {
	return RunEnv(ctx, dir, nil, command...)
}

// RunEnv is Run with more ("NAME=value") in the environment.
func RunEnv(ctx context.Context, dir string, env []string, command ...string) (output string, err error) {
	var out limited
	return run(ctx, dir, env, &out, &out, func(int) {}, command)
}

// Stdout is Run in the root directory for a command whose standard output is an answer:
// it returns that alone. An error has the standard error. Once the command has ended,
// the processes that it leaves behind in its group are killed.
func Stdout(ctx context.Context, command ...string) (output string, err error) {
	return run(ctx, "/", nil, new(limited), new(limited), endGroup, command)
}

// endGroup waits for the end of a child, and kills its process group. The child is not
// reaped, so that no other process and no other group can have its number meanwhile.
func endGroup(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL) // an empty group is as good
}

// run returns what is in out; its error has what is in errs. It calls started with the
// process before it waits for it.
func run(ctx context.Context, dir string, env []string, out, errs *limited, started func(pid int), command []string) (output string, err error) {
	if len(command) == 0 {
		return "", errors.New("no command")
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	// A release's programs have links in /usr/local/bin: none stands in for one of the system's.
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a process outside the group may keep the pipe open
	cmd.Stdout, cmd.Stderr = out, errs
	if err = cmd.Start(); err == nil {
		started(cmd.Process.Pid)
		err = cmd.Wait()
	}
	if err != nil {
		err = &Error{Command: command, Err: err, Output: strings.TrimSpace(errs.String())}
	}
	return strings.TrimSpace(out.String()), err
}

// limited keeps the first and the last half of maxOutput bytes and swallows the rest.
type limited struct {
	head, tail []byte
	lost       bool
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), maxOutput/2-len(l.head))
	l.head = append(l.head, p[:n]...)
	l.tail = append(l.tail, p[n:]...)
	if over := len(l.tail) - maxOutput/2; over > 0 {
		l.tail, l.lost = append(l.tail[:0], l.tail[over:]...), true
	}
	return len(p), nil
}

func (l *limited) String() string {
	if l.lost {
		return string(l.head) + "\n...\n" + string(l.tail)
	}
	return string(l.head) + string(l.tail)
}
