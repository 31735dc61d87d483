package running

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// maxOutput is the most of a command's output that is kept, in bytes.
const maxOutput = 2 << 10

// Run runs a command with a clean environment, in dir when that is not empty. When ctx
// ends, Run kills the command and the processes that the command started. It returns
// the beginning of the output, which is also in the error when there is one.
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
	cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a process outside the group may keep the pipe open
	var out limited
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	output = strings.TrimSpace(out.b.String())
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, output)
	}
	return output, err
}

// limited keeps the first maxOutput bytes and swallows the rest.
type limited struct{ b bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.b.Write(p[:min(len(p), maxOutput-min(l.b.Len(), maxOutput))])
	return len(p), nil
}
