package embedded

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/service"
)

// launch starts the program. mu is held, no process of the service is left.
// With fresh set the log begins anew.
func (u *unit) launch(fresh bool) error {
	now := u.m.cfg.Clock.Monotonic()
	u.starts = append(u.starts, now)
	r := &u.rec
	r.Forking, r.Started, r.PID, r.Ticks = true, now, 0, 0
	r.Active, r.Sub, r.Result = service.Starting, "start", success
	if err := os.MkdirAll(u.m.cfg.RunDir, 0o755); err != nil {
		u.log.Warn("cannot make the run directory", "error", err)
	}
	// If the updater is killed from here on, the file says that a start is
	// under way. Until the fork the log's lock ends with the updater, and the
	// next manager sees that there is no process. After the fork the child
	// holds the lock, from its first instant, and the next manager looks until
	// it finds the child.
	u.save()
	pid, err := u.fork(fresh)
	r.Forking = false
	if err != nil {
		u.log.Error("cannot start the program", "error", err)
		u.exited(notStarted, exitCode)
		return fmt.Errorf("%w: %w", service.ErrFailed, err)
	}
	p, err := watchProcess(pid, 0, true)
	if err != nil {
		return err
	}
	r.PID, r.Ticks = p.pid, p.ticks
	r.Active, r.Sub = service.Running, "running"
	u.save()
	u.clean = false
	u.hold(p)
	u.log.Info("started", "pid", pid)
	return nil
}

// hold makes p the main process and watches it. mu is held.
func (u *unit) hold(p *process) {
	u.proc = p
	u.m.spawn(func() {
		if p.wait(u.m.cfg.Clock) {
			u.ended(p)
		}
	})
}

// fork executes the program in a session of its own, so that a signal to the
// updater's group, or the end of its terminal, does not reach it.
func (u *unit) fork(fresh bool) (pid int, err error) {
	argv, err := u.command()
	if err != nil {
		return 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer func() { _ = null.Close() }()
	out, err := openOutput(u.logPath, fresh)
	if err != nil {
		// The run directory may be full: the device gets its service all the same.
		u.log.Warn("its output is lost", "error", err)
		if out, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
			return 0, err
		}
	}
	defer func() { _ = out.Close() }() // The child has its own; the lock stays with it.
	pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Dir:   "/",
		Env:   u.environment(),
		Files: []uintptr{null.Fd(), out.Fd(), out.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("execute %s: %w", argv[0], err)
	}
	return pid, nil
}

// command is the service's command with absolute paths taken below the root.
func (u *unit) command() ([]string, error) {
	argv := slices.Clone(u.svc.Exec)
	for i, word := range argv {
		if !strings.HasPrefix(word, "/") {
			continue
		}
		host, err := u.m.cfg.Resolve(word)
		if err != nil {
			return nil, fmt.Errorf("resolve %s: %w", word, err)
		}
		argv[i] = host
	}
	if !strings.HasPrefix(argv[0], "/") {
		found, err := exec.LookPath(argv[0])
		if err != nil {
			return nil, err
		}
		argv[0] = found
	}
	return argv, nil
}

// environment is the updater's own, without the variables by which systemd, or a
// manager like this one, describes the updater.
func (u *unit) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case markerName, "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "INVOCATION_ID", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY":
			return true
		}
		return false
	})
	return append(env, u.marker)
}

// ended deals with the end of a main process: the processes it left behind are
// ended, its status is collected, and the service is restarted, or not.
func (u *unit) ended(p *process) {
	u.mu.Lock()
	u.rec.PID, u.rec.Ticks = 0, 0
	patience := u.patience()
	if u.ending {
		patience = max(0, u.deadline-u.m.cfg.Clock.Monotonic())
	} else {
		u.rec.Active, u.rec.Sub = service.Deactivating, "stop-sigterm"
	}
	u.mu.Unlock()

	gone := sweep(u.m.cfg.Clock, u.marker, patience, u.m.closing)
	// This ends members of its group that hide their environment. The remains of
	// the leader still hold the id, so it cannot belong to another group.
	p.signal(unix.SIGKILL)
	status, result := p.collect()

	u.mu.Lock()
	defer u.mu.Unlock()
	u.proc, u.clean = nil, gone
	p.release()
	defer close(p.ended)
	switch {
	case u.killed:
		result = "timeout"
	case status == -1 && (u.ending || !u.rec.Wanted):
		result = success // It was told to end, and it ended.
	case result == "signal" && politely(status):
		result = success
	}
	u.killed = false
	u.exited(status, result)
}

// politely: systemd counts an end by these signals as a clean one.
func politely(status int) bool {
	switch unix.Signal(status - 128) {
	case unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGPIPE:
		return true
	}
	return false
}

// exited decides what follows the end of a main process, or of the attempt to
// start one. mu is held.
func (u *unit) exited(status int, result string) {
	r := &u.rec
	r.PID, r.Ticks, r.ExitStatus, r.Result = 0, 0, status, result
	defer u.save()
	if u.ending || !r.Wanted {
		r.Active, r.Sub = service.Stopped, "dead"
		if result != success {
			r.Active, r.Sub = service.Broken, "failed"
		}
		return
	}
	now := u.m.cfg.Clock.Monotonic()
	if now-r.Started >= limitInterval {
		u.pause = firstPause // It was well for a while: begin again with short pauses.
	}
	u.starts = slices.DeleteFunc(u.starts, func(at time.Duration) bool { return at <= now+u.pause-limitInterval })
	if len(u.starts) >= limitStarts {
		r.Active, r.Sub, r.Result = service.Broken, "failed", "start-limit-hit"
		u.log.Error("it keeps ending, giving up", "status", status, "starts", limitStarts, "within", limitInterval)
		return
	}
	r.Active, r.Sub = service.Starting, "auto-restart"
	u.log.Warn("it ended, restarting it", "status", status, "result", result, "pause", u.pause)
	u.restartAfter(u.pause)
	u.pause = min(2*u.pause, longestPause)
}

// restartAfter schedules an automatic restart. mu is held.
func (u *unit) restartAfter(pause time.Duration) {
	off := make(chan struct{})
	u.retry = off
	u.m.spawn(func() {
		select {
		case <-off:
			return
		case <-u.m.closing:
			return
		case <-u.m.cfg.Clock.After(pause):
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.retry != off {
			return // It was called off, or replaced, in the meantime.
		}
		u.retry = nil
		u.rec.Restarts++
		_ = u.launch(false) // A failure is in the status, and logged.
	})
}
