package figures_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/service/systemdtest"
)

// Interleaved boots, and how long a daemon with nothing to do is watched. It
// feeds the watchdog every 20 s and looks for keys every 10 s.
const (
	boots     = 20
	idleFor   = time.Minute
	settled   = 10 * time.Second
	daemon    = "tope-updater.service"
	oneshot   = "tope-updater-recover.service"
	deviceAPI = "device-api.service"
	manager   = "" // systemd itself, in place of a unit
	deployed  = "../../../deploy/systemd"
)

// atBoot: two machines with a real systemd, one with the updater and one
// without, booted in turn, each after a power cut. What counts is when
// device-api is active, since PID 1 began to run.
func atBoot(b *testing.B, l *lab) []row {
	with, without := systemdtest.New(b), systemdtest.New(b)
	for _, m := range []*systemdtest.Machine{with, without} {
		m.Put(filepath.Join(l.dir, "programs", "device-api"), "/opt/tope/versions/v1.0.0/bin/device-api", 0o555)
		m.Write("/opt/tope/versions/v1.0.0/services/device-api/VERSION", "1.0.0\n", 0o444)
		m.Write("/etc/systemd/system/"+deviceAPI, "[Service]\nUser=tope\nExecStart=/usr/local/bin/device-api\n[Install]\nWantedBy=multi-user.target\n", 0o644)
		link(b, m, "v1.0.0", "/opt/tope/versions/current")
		link(b, m, "/opt/tope/versions/current/bin/device-api", "/usr/local/bin/device-api")
		enable(b, m, deviceAPI, "multi-user.target")
	}
	l.deploy(b, with)
	with.Boot() // the daemon's first start makes the journal
	with.Wait("the API answers", func() bool {
		_, err := with.Run("curl", "-sf", "http://127.0.0.1:12315/")
		return err == nil
	})
	with.Kill()
	var ours, floor, oneshots []time.Duration
	for range boots {
		for _, m := range []*systemdtest.Machine{without, with} {
			m.Boot()
			m.Wait("device-api is active", func() bool { return m.Property(deviceAPI, "ActiveState") == "active" })
			active := stamp(b, m, deviceAPI, "ActiveEnterTimestampMonotonic") - stamp(b, m, manager, "UserspaceTimestampMonotonic")
			if m == without {
				floor = append(floor, active)
			} else {
				ours = append(ours, active)
				require.Equal(b, "success", m.Property(oneshot, "Result"))
				oneshots = append(oneshots, stamp(b, m, oneshot, "ActiveEnterTimestampMonotonic")-stamp(b, m, oneshot, "InactiveExitTimestampMonotonic"))
			}
			m.Kill()
		}
	}
	return []row{
		{what: "recover at boot with nothing to do, as systemd measures it", metric: "s-oneshot", ours: duration(median(oneshots)), reach: 0.030},
		against("boot", "device-api's time to active after a boot, against a boot without the updater", median(ours), median(floor), 1.05),
	}
}

// idle: what the daemon takes from a device when nothing is to be done.
func idle(b *testing.B, l *lab) []row {
	m := systemdtest.New(b)
	l.deploy(b, m)
	m.Boot()
	pid := m.Property(daemon, "MainPID")
	host := m.Path("/proc/" + pid)
	// The kernel counts what is written to a disk; a machine's is in memory.
	onDisk := l.boot(b, nobody(), fixtures.Release{})
	defer onDisk.scrap(b)
	disk := fmt.Sprintf("/proc/%d/io", onDisk.daemon.Process.Pid)
	time.Sleep(settled) // nothing tells when all of its start is over
	wakeups, written := wokenUp(b, host), field(b, disk, "write_bytes:")
	began := time.Now()
	time.Sleep(idleFor)
	took := time.Since(began)
	require.Equal(b, pid, m.Property(daemon, "MainPID"))
	perSecond := float64(wokenUp(b, host)-wakeups) / took.Seconds()
	perHour := float64(field(b, disk, "write_bytes:")-written) * float64(time.Hour) / float64(took)
	return []row{
		{what: "daemon at idle: resident memory", metric: "B-idle", ours: quantity{float64(field(b, host+"/status", "VmRSS:") << 10), mebibytes}, reach: 16 * mebi},
		{what: "daemon at idle: wake-ups of all its threads a second", metric: "wakeups/s", ours: quantity{perSecond, decimal}, reach: 1},
		{what: "daemon at idle: bytes written to the disk an hour", metric: "B-written/h", ours: quantity{perHour, count}, reach: nothing},
	}
}

// deploy puts the updater on a machine, as its package does.
func (l *lab) deploy(b *testing.B, m *systemdtest.Machine) {
	b.Helper()
	const program = "/usr/lib/tope-updater/tope-updater"
	m.Put(l.shipped("amd64"), program, 0o755)
	for unit, target := range map[string]string{daemon: "multi-user.target", oneshot: "basic.target"} {
		m.Put(filepath.Join(deployed, unit), "/usr/lib/systemd/system/"+unit, 0o644)
		enable(b, m, unit, target)
	}
	m.Put(filepath.Join(deployed, "tope-updater.sysusers"), "/usr/lib/sysusers.d/tope-updater.conf", 0o644)
	m.Put(filepath.Join(deployed, "tope-updater.tmpfiles"), "/usr/lib/tmpfiles.d/tope-updater.conf", 0o644)
	m.Write("/etc/systemd/system/"+deviceAPI+".d/50-tope-updater.conf", "[Unit]\nWants="+oneshot+"\nAfter="+oneshot+"\n", 0o644)
}

func link(b *testing.B, m *systemdtest.Machine, target, path string) {
	b.Helper()
	path = m.Disk(path)
	require.NoError(b, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(b, os.Symlink(target, path))
}

func enable(b *testing.B, m *systemdtest.Machine, unit, target string) {
	b.Helper()
	link(b, m, "../"+unit, fmt.Sprintf("/etc/systemd/system/%s.wants/%s", target, unit))
}

// stamp is one of systemd's times of a unit, since the kernel was booted.
func stamp(b *testing.B, m *systemdtest.Machine, unit, name string) time.Duration {
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
