package clock

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// UnknownBoot is what Boot says where /proc cannot be read. Two unknown boots
// compare equal: only boot ids that differ prove a reboot.
const UnknownBoot = "unknown"

// System is the device's own clock. The boot id is read once, here; it is never
// looked up below --root, because a boot belongs to the kernel that runs.
func System() Clock {
	boot, err := readBoot("/proc", "/run/systemd/container")
	if err != nil {
		boot = UnknownBoot
	}
	return system{boot: boot}
}

type system struct{ boot string }

func (system) Now() time.Time                         { return time.Now() }
func (system) After(d time.Duration) <-chan time.Time { return time.After(d) }
func (s system) Boot() string                         { return s.boot }

// Monotonic reads CLOCK_MONOTONIC itself: Go's own monotonic readings count
// from the start of the process and mean nothing to the next one.
func (system) Monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		// Every kernel since Linux 2.6 has this clock. A process that went
		// on without it would spend budgets at random.
		panic("cannot read CLOCK_MONOTONIC: " + err.Error())
	}
	return time.Duration(ts.Nano())
}

// readBoot joins the kernel's boot id and PID 1's start time, as found in proc.
// Where PID 1 is hidden from us (hidepid), the kernel's id stands alone.
//
// In a container systemd makes a file in its /run anew at each boot. The file's
// time takes the place of the kernel's id. The container's manager mounts an id of
// its own over the kernel's, but processes in a sandbox (ProtectKernelTunables=) do
// not see it, so recovery and the daemon would not agree on which boot it is.
func readBoot(proc, container string) (string, error) {
	id, err := os.ReadFile(proc + "/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w", err)
	}
	boot := strings.TrimSpace(string(id))
	if boot == "" {
		return "", errors.New("the boot id is empty")
	}
	if info, err := os.Stat(container); err == nil {
		boot = "container-" + strconv.FormatInt(info.ModTime().UnixNano(), 16)
	}
	stat, err := os.ReadFile(proc + "/1/stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return boot, nil
	}
	if err != nil {
		return "", fmt.Errorf("read the start time of PID 1: %w", err)
	}
	start, err := startTime(string(stat))
	if err != nil {
		return "", fmt.Errorf("%s/1/stat: %w", proc, err)
	}
	return boot + "." + start, nil
}

// startTime is field 22 of a /proc/PID/stat line, in clock ticks since boot.
// The second field is the program's name in parentheses and may hold anything,
// spaces and parentheses too, so counting starts after the last parenthesis.
func startTime(stat string) (string, error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return "", errors.New("no program name in it")
	}
	const start = 22 - 3 // the first field after the name is number 3
	fields := strings.Fields(stat[end+1:])
	if len(fields) <= start {
		return "", fmt.Errorf("%d fields behind the program's name, want more than %d", len(fields), start)
	}
	return fields[start], nil
}
