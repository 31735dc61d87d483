package systemdtest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

func itoa(n int) string { return strconv.Itoa(n) }

// holder is a process with a mount namespace of its own, in which the
// machine's root is mounted. Whatever happens to the test, the mount goes with it.
type holder struct {
	pid  int
	root string // the machine's root, as the host sees it
	done chan struct{}
	kill func()
}

const holding = `set -e
mount -t overlay machine -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
echo held
exec sleep infinity`

// hold mounts an overlay over lower, with its changes in dir.
func hold(lower, dir string) (*holder, error) {
	for _, d := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", holding, "sh", lower, dir) //nolint:noctx // it lives as long as the machine
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h := &holder{done: make(chan struct{})}
	if err := tied(cmd, h.done); err != nil {
		return nil, err
	}
	h.pid, h.kill = cmd.Process.Pid, func() { _ = cmd.Process.Kill() } // it may be gone already
	h.root = filepath.Join("/proc", itoa(h.pid), "root", dir, "root")
	if said, err := bufio.NewReader(out).ReadString('\n'); err != nil || said != "held\n" {
		h.release()
		return nil, errors.New("the overlay could not be mounted")
	}
	return h, nil
}

func (h *holder) release() {
	h.kill()
	<-h.done
}

// tied starts cmd such that it is killed when this process ends, however it
// ends; done is closed when cmd has ended. The kernel sends that signal when
// the thread that started cmd ends, so that thread waits for cmd.
func tied(cmd *exec.Cmd, done chan struct{}) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("cannot start %s: %w", cmd.Path, err)
			return
		}
		started <- nil
		_ = cmd.Wait() // its exit code is in ProcessState
	}()
	return <-started
}
