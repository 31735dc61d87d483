package running

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// maxOutput is the most of a command's output that is kept, in bytes: half of it from
// the beginning and half from the end.
const maxOutput = 2 << 10

// CommandError is the failure of a command. Its text is one line, with the last line
// of the output; its details are all of the output that was kept.
type CommandError struct {
	Command []string
	Err     error
	Output  string
}

func (e *CommandError) Error() string {
	text := fmt.Sprintf("%s: %s", strings.Join(e.Command, " "), e.Err)
	if last := e.Output[strings.LastIndexByte(e.Output, '\n')+1:]; last != "" {
		text += ": " + last
	}
	return text
}

func (e *CommandError) Unwrap() error { return e.Err }

// Details implements steps.Detailed.
func (e *CommandError) Details() string {
	if e.Output == "" {
		return ""
	}
	return "output of " + strings.Join(e.Command, " ") + ":\n" + indent(e.Output)
}

// Run runs a command with a clean environment, in dir when that is not empty. When ctx
// ends, Run kills the command and the processes that the command started. It returns
// the output, without its middle when that is long. An error of the command is a
// *CommandError, which has the output, too.
func Run(ctx context.Context, dir string, command ...string) (output string, err error) {
	return RunEnv(ctx, dir, nil, command...)
}

// RunEnv is Run with more ("NAME=value") in the environment.
func RunEnv(ctx context.Context, dir string, env []string, command ...string) (output string, err error) {
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
	var out limited
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	output = strings.TrimSpace(out.String())
	if err != nil {
		err = &CommandError{Command: command, Err: err, Output: output}
	}
	return output, err
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

// indent sets lines off from the line that introduces them.
func indent(lines string) string { return "  " + strings.ReplaceAll(lines, "\n", "\n  ") }
