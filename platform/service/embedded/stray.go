package embedded

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/clock"
)

// markerName is the environment variable by which a service's processes are known.
const markerName = "TOPE_SERVICE"

// marker names a service of one run directory, so that several managers (a device,
// a demo, tests) can share one machine and each sees only its own services. The
// directory is absolute and a name has no slash, so the parts cannot be confused.
func marker(name, runDir string) string { return markerName + "=" + name + "@" + runDir }

// stray is a process that carries a service's marker.
type stray struct {
	pid  int
	stat stat
}

// strays looks through /proc for live processes with the marker. Processes
// that replaced their environment, or belong to another user, go unseen.
func strays(marker string) []stray {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }()
	names, _ := dir.Readdirnames(-1)
	needle := append([]byte(marker), 0)
	var found []stray
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile("/proc/" + name + "/environ")
		if err != nil || !holds(env, needle) {
			continue
		}
		if s, err := readStat(pid); err == nil {
			found = append(found, stray{pid: pid, stat: s})
		}
	}
	return found
}

// holds reports whether env has the variable, not merely one that ends in it.
func holds(env, variable []byte) bool {
	return bytes.HasPrefix(env, variable) || bytes.Contains(env, append([]byte{0}, variable...))
}

// sweep ends whatever is left of a service whose main process has exited:
// SIGTERM at once, SIGKILL when patience is over. It reports whether all are
// gone; false also when giveUp is closed first.
func sweep(c clock.Clock, marker string, patience time.Duration, giveUp <-chan struct{}) bool {
	left := strays(marker)
	for _, s := range left {
		_ = unix.Kill(s.pid, unix.SIGTERM) // It may be gone already: fine.
	}
	begun := c.Monotonic()
	for step := 5 * time.Millisecond; len(left) > 0; step = min(2*step, 200*time.Millisecond) {
		waited := c.Monotonic() - begun
		if waited >= patience+killPatience {
			return false
		}
		if waited >= patience {
			for _, s := range left {
				_ = unix.Kill(s.pid, unix.SIGKILL)
			}
		}
		select {
		case <-giveUp:
			return false
		case <-c.After(step):
		}
		left = strays(marker)
	}
	return true
}
