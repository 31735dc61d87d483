package systemdtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// rebootCode is nspawn's exit code when the machine asked for a reboot.
const rebootCode = 133

const launching = `for c in $1; do echo $$ > "$c/cgroup.procs"; done
shift
exec "$@"`

// Boot switches the machine on and returns when systemd has started everything
// (also when a unit failed; see Failed).
func (m *Machine) Boot() {
	m.t.Helper()
	m.Start()
	m.Await()
}

// Start switches the machine on and returns as soon as its PID 1 runs.
func (m *Machine) Start() {
	m.t.Helper()
	m.mu.Lock()
	if m.over != nil {
		m.mu.Unlock()
		m.t.Fatalf("the machine is on already")
	}
	m.over, m.cut = make(chan struct{}), false
	over, n := m.over, m.boots+1
	m.mu.Unlock()
	go m.power(over)
	m.Within(bootTimeout, "PID 1 runs", func() bool { return m.Boots() >= n && m.Leader() != 0 || !m.On() })
	m.mu.Lock()
	off, end := m.over == nil, m.end
	m.mu.Unlock()
	if off {
		m.t.Fatalf("the machine went off at once: %s", end)
	}
}

// power is the machine's power supply: when the machine asks for a reboot, it gets one.
func (m *Machine) power(over chan struct{}) {
	defer func() {
		m.mu.Lock()
		m.leader, m.over = 0, nil
		m.mu.Unlock()
		close(over)
	}()
	for {
		code, said := m.once()
		m.mu.Lock()
		m.leader, m.end = 0, fmt.Sprintf("nspawn ended with %d: %s", code, said)
		again := code == rebootCode && !m.cut
		m.mu.Unlock()
		if !again {
			return
		}
	}
}

// once boots the machine and waits for its end.
func (m *Machine) once() (code int, said string) {
	var out lockedBuffer
	cmd := exec.Command("nsenter", "--mount=/proc/"+itoa(m.hold.pid)+"/ns/mnt", "--", //nolint:noctx // Kill ends it
		"sh", "-c", launching, "sh", strings.Join(m.cg.dirs, " "),
		"systemd-nspawn", "--quiet", "--directory="+filepath.Join(m.dir, "root"), "--machine="+m.name,
		"--register=no", "--keep-unit", "--private-network", "--link-journal=no", "--boot", "--console=pipe",
		"systemd.log_target=journal")
	cmd.Stdout, cmd.Stderr = &out, &out
	// Cgroup v2 alone, as a device has it, also where the host has v1 beside it, with
	// which a systemd from 258 on does not start.
	cmd.Env = append(os.Environ(), "SYSTEMD_NSPAWN_LOCK=0", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	done := make(chan struct{})
	if err := tied(cmd, done); err != nil {
		return -1, err.Error()
	}
	for {
		select {
		case <-done:
			return cmd.ProcessState.ExitCode(), tail(out.String(), 2000)
		case <-time.After(2 * time.Millisecond):
		}
		if pid := leaderBelow(cmd.Process.Pid); pid != 0 {
			m.mu.Lock()
			m.leader = pid
			m.boots++
			cut := m.cut
			m.mu.Unlock()
			if cut {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone already
			}
			for over := false; !over; {
				select {
				case <-done:
					over = true
				case <-time.After(time.Second):
					wake()
				}
			}
			return cmd.ProcessState.ExitCode(), tail(out.String(), 2000)
		}
	}
}

// wake continues the processes of nsenter that were stopped. A machine that shuts
// down stops all its processes, to kill them. nsenter, which runs a command in the
// machine from outside, stops with the command. Unless nsenter is continued, it
// never reaps the command, and the machine's process namespace cannot end.
func wake() {
	tasks, _ := filepath.Glob("/proc/self/task/*/children") // the pattern is good
	for _, task := range tasks {
		children, _ := os.ReadFile(task) // the thread may be gone
		for child := range strings.FieldsSeq(string(children)) {
			stat, _ := os.ReadFile("/proc/" + child + "/stat") // so may the child
			if strings.Contains(string(stat), "(nsenter) T ") {
				var pid int
				_, _ = fmt.Sscan(child, &pid)
				_ = syscall.Kill(pid, syscall.SIGCONT)
			}
		}
	}
}

// leaderBelow finds the child of nspawn that is PID 1 in a namespace of its own
// and has become systemd.
func leaderBelow(nspawn int) int {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", nspawn, nspawn))
	if err != nil {
		return 0
	}
	for child := range strings.FieldsSeq(string(children)) {
		status, err := os.ReadFile("/proc/" + child + "/status")
		if err != nil {
			continue
		}
		var systemd, first bool
		for line := range strings.Lines(string(status)) {
			fields := strings.Fields(line)
			switch {
			case len(fields) > 1 && fields[0] == "Name:":
				systemd = fields[1] == "systemd"
			case len(fields) > 2 && fields[0] == "NSpid:":
				first = fields[len(fields)-1] == "1"
			}
		}
		if systemd && first {
			var pid int
			_, _ = fmt.Sscan(child, &pid)
			return pid
		}
	}
	return 0
}

// Await returns when systemd has started everything.
func (m *Machine) Await() {
	m.t.Helper()
	m.Within(bootTimeout, "systemd is up", func() bool {
		said, _ := m.Run("systemctl", "is-system-running", "--wait")
		said = strings.TrimSpace(said)
		return said == "running" || said == "degraded"
	})
}

// AwaitBoots returns when the machine has been booted n times in all and is up.
func (m *Machine) AwaitBoots(n int) {
	m.t.Helper()
	m.Within(bootTimeout, fmt.Sprintf("boot %d", n), func() bool { return m.Boots() >= n && m.Leader() != 0 })
	m.Await()
}

// Kill cuts the machine's power: every process ends at once. What was written
// is on its disk. It does nothing while the machine is off.
func (m *Machine) Kill() {
	m.mu.Lock()
	over := m.over
	m.cut = true
	if m.leader != 0 {
		_ = syscall.Kill(m.leader, syscall.SIGKILL) // it may be gone already
	}
	m.mu.Unlock()
	if over != nil {
		<-over
	}
}

// PowerOff shuts the machine down in an orderly way.
func (m *Machine) PowerOff() {
	m.t.Helper()
	m.MustRun("systemctl", "--no-block", "poweroff")
	m.Within(bootTimeout, "the machine is off", func() bool { return !m.On() })
}

// On reports whether the machine has power.
func (m *Machine) On() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.over != nil
}

// Boots is how often the machine has been booted, reboots included.
func (m *Machine) Boots() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.boots
}

// Leader is the host's number of the machine's PID 1, 0 while it is off.
func (m *Machine) Leader() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leader
}

// lockedBuffer may be read while a process writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
