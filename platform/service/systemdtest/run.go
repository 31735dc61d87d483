package systemdtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

// runTimeout is how long a command of Run may take.
const runTimeout = 2 * time.Minute

// ErrOff is returned in place of a command while the machine is off.
var ErrOff = errors.New("the machine is off")

// Command is a command in the machine, as its root, with a small environment.
// It returns ErrOff in place of a command while the machine is off.
func (m *Machine) Command(ctx context.Context, command ...string) (*exec.Cmd, error) {
	pid := m.Leader()
	if pid == 0 {
		return nil, ErrOff
	}
	args := []string{
		"--target", itoa(pid), "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--root", "--wd=/", "--",
		"env", "-i", "-C", "/", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "SYSTEMD_PAGER=",
	}
	cmd := exec.CommandContext(ctx, "nsenter", append(args, command...)...)
	cmd.WaitDelay = time.Second
	return cmd, nil
}

// Run runs a command in the machine and returns what it printed, on both outputs. One
// that does not end in time fails the test: its error would be the test's own doing.
func (m *Machine) Run(command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), runTimeout)
	defer cancel()
	cmd, err := m.Command(ctx, command...)
	if err != nil {
		return "", err
	}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		m.t.Errorf("%s: not over within %s\n%s", strings.Join(command, " "), runTimeout, out)
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		// The command itself succeeded. A child of it, as useradd has, may hold its
		// outputs open for longer.
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return string(out), err
}

// MustRun is Run for a command that has to succeed.
func (m *Machine) MustRun(command ...string) string {
	m.t.Helper()
	out, err := m.Run(command...)
	if err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// Property is a property of a unit, as systemctl shows it.
func (m *Machine) Property(unit, name string) string {
	m.t.Helper()
	return strings.TrimSpace(m.MustRun("systemctl", "show", "--value", "-p", name, unit))
}

// Failed lists the units that have failed.
func (m *Machine) Failed() []string {
	m.t.Helper()
	var units []string
	for line := range strings.Lines(m.MustRun("systemctl", "list-units", "--failed", "--plain", "--no-legend")) {
		units = append(units, strings.Fields(line)[0])
	}
	return units
}

// Client is an HTTP client in the machine's network. It keeps no connections.
func (m *Machine) Client() *http.Client {
	return &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{DialContext: m.Dial, DisableKeepAlives: true},
	}
}

// Journal is what the machine has logged in all its boots, oldest first. It can
// be read while the machine is off.
func (m *Machine) Journal(args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), runTimeout)
	defer cancel()
	args = append([]string{"--directory=" + m.Disk("/var/log/journal"), "--no-pager", "--no-hostname", "-o", "short-precise"}, args...)
	out, err := exec.CommandContext(ctx, "journalctl", args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s\n(journalctl: %v)", out, err)
	}
	return string(out)
}

// Logged fails the test unless the machine's journal has text in time; args choose
// entries, as for Journal. Journald writes a line some time after it was said.
func (m *Machine) Logged(text string, args ...string) {
	m.t.Helper()
	m.Wait(fmt.Sprintf("journalctl %s has %q", strings.Join(args, " "), text), func() bool { return strings.Contains(m.Journal(args...), text) })
}

// Wait fails the test unless something becomes true in time. It looks at growing
// intervals, the longest a tenth of a second.
func (m *Machine) Wait(what string, ok func() bool) {
	m.t.Helper()
	m.Within(bootTimeout, what, ok)
}

// Within is Wait with a limit of its own.
func (m *Machine) Within(limit time.Duration, what string, ok func() bool) {
	m.t.Helper()
	pause := 2 * time.Millisecond
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			m.t.Fatalf("%s: not within %s", what, limit)
		}
		time.Sleep(pause)
		pause = min(2*pause, 100*time.Millisecond)
	}
}
