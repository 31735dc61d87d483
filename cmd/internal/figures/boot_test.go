package figures_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
)

// The boots in turn, and how long a daemon with nothing to do is watched. The
// daemon feeds the watchdog every 20 s and looks for keys as often.
const (
	boots   = 20
	idleFor = time.Minute
	settled = 10 * time.Second
	// aside is time for the host to take apart the remains of a killed machine.
	aside   = 500 * time.Millisecond
	manager = "" // systemd itself, in place of a unit
)

// atBoot: two machines with a real systemd, one with the updater and one without,
// booted in turn, each after a power cut. The time from the start of PID 1 until
// device-api is active counts.
func atBoot(b *testing.B, l *lab) []row {
	with := devicetest.New(b, devicetest.Options{Program: l.shipped(runtime.GOARCH)})
	without := devicetest.New(b, devicetest.Options{Bare: true})
	with.Up()
	with.Kill()
	var ours, floor, oneshots []time.Duration
	for i := range boots {
		turn := []*devicetest.Device{without, with}
		if i%2 == 1 {
			slices.Reverse(turn) // so that neither always gets the work that the other left
		}
		for _, m := range turn {
			time.Sleep(aside)
			m.Boot()
			m.Wait("device-api is active", func() bool { return m.Property(devicetest.DeviceAPI, "ActiveState") == "active" })
			active := stamp(b, m, devicetest.DeviceAPI, "ActiveEnterTimestampMonotonic") - stamp(b, m, manager, "UserspaceTimestampMonotonic")
			if m == without {
				floor = append(floor, active)
			} else {
				ours = append(ours, active)
				require.Equal(b, "success", m.Property(devicetest.Recover, "Result"))
				oneshots = append(oneshots, stamp(b, m, devicetest.Recover, "ActiveEnterTimestampMonotonic")-stamp(b, m, devicetest.Recover, "InactiveExitTimestampMonotonic"))
			}
			m.Kill()
		}
	}
	return []row{
		{what: "recover at boot with nothing to do, as systemd measures it", metric: "s-oneshot", ours: duration(median(oneshots)), reach: 0.030},
		against("boot", "device-api's time to active after a boot, against a boot without the updater", median(ours), median(floor), 1.05),
	}
}

// idle: what a daemon with nothing to do takes from a device.
func idle(b *testing.B, l *lab) []row {
	m := devicetest.New(b, devicetest.Options{Program: l.shipped(runtime.GOARCH)})
	m.Up()
	pid := m.Property(devicetest.Daemon, "MainPID")
	host := m.Path("/proc/" + pid)
	// The kernel counts writes to a disk; the disk of a machine is in memory.
	onDisk := l.boot(b, nobody(), fixtures.Release{})
	defer onDisk.scrap(b)
	disk := fmt.Sprintf("/proc/%d/io", onDisk.daemon.Process.Pid)
	time.Sleep(settled) // there is no signal for the end of its whole start
	wakeups, written := wokenUp(b, host), field(b, disk, "write_bytes:")
	began := time.Now()
	time.Sleep(idleFor)
	took := time.Since(began)
	require.Equal(b, pid, m.Property(devicetest.Daemon, "MainPID"))
	perSecond := float64(wokenUp(b, host)-wakeups) / took.Seconds()
	perHour := float64(field(b, disk, "write_bytes:")-written) * float64(time.Hour) / float64(took)
	return []row{
		{what: "daemon at idle: resident memory", metric: "B-idle", ours: quantity{float64(field(b, host+"/status", "VmRSS:") << 10), mebibytes}, reach: 16 * mebi},
		{what: "daemon at idle: wake-ups of all its threads a second", metric: "wakeups/s", ours: quantity{perSecond, decimal}, reach: 1},
		{what: "daemon at idle: bytes written to the disk an hour", metric: "B-written/h", ours: quantity{perHour, count}, reach: nothing},
	}
}

// stamp is one of systemd's times of a unit, since the kernel was booted.
func stamp(b *testing.B, m *devicetest.Device, unit, name string) time.Duration {
	b.Helper()
	command := []string{"systemctl", "show", "--value", "-p", name}
	if unit != manager {
		command = append(command, unit)
	}
	micros, err := strconv.ParseInt(strings.TrimSpace(m.MustRun(command...)), 10, 64)
	require.NoError(b, err, "%s of %s", name, unit)
	require.NotZero(b, micros, "%s of %s", name, unit)
	return time.Duration(micros) * time.Microsecond
}

// wokenUp is how often all threads of a process have been given a processor.
func wokenUp(b *testing.B, proc string) int {
	b.Helper()
	threads, err := filepath.Glob(proc + "/task/*/status")
	require.NoError(b, err)
	require.NotEmpty(b, threads)
	sum := 0
	for _, status := range threads {
		sum += field(b, status, "voluntary_ctxt_switches:") + field(b, status, "nonvoluntary_ctxt_switches:")
	}
	return sum
}

// field is the number behind a name in a file of proc.
func field(b *testing.B, path, name string) int {
	b.Helper()
	text, err := os.ReadFile(path)
	require.NoError(b, err)
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == name {
			n, err := strconv.Atoi(words[1])
			require.NoError(b, err)
			return n
		}
	}
	require.Fail(b, "no such field", "%s in %s", name, path)
	return 0
}
