package doctor_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
)

// patience is how long what was started or killed may take until the doctor sees it.
const patience = 30 * time.Second

// finding is a line of the doctor's, as --json tells it.
type finding struct{ Check, Level, Text, Do, Run string }

// Each ailment is told with the advice, and after the advice has been followed
// the device is as well as before.
func TestTheDoctorTellsWhatAilsADevice(t *testing.T) {
	t.Parallel()
	d := newPatient(t)
	for _, a := range ailments {
		// One after the other, on the same device: each leaves it well.
		t.Run(a.name, func(t *testing.T) { d.suffers(t, a) })
	}
	t.Run("the package leaves a foreign unit alone", d.leavesAForeignUnitAlone)
}

// patient is a device that is well, but for what a test does to it.
type patient struct {
	*devicetest.Device
	t    *testing.T
	pkg  string
	well string
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	d := &patient{Device: devicetest.ByHand(t), t: t}
	d.pkg = d.Give(devicetest.Deb(t, "tope-updater", "", builttest.Version))
	d.Put(builttest.Updater(t, builttest.Version), "/root/tope-updater", 0o755) // a copy that examines, whatever happens to the installed one
	d.Write("/etc/systemd/journald.conf.d/size.conf", "[Journal]\nSystemMaxUse=100M\n", 0o644)
	// One unit is an operator's, the other one a package's, which can be masked.
	d.Write("/usr/lib/systemd/system/"+devicetest.WebServer, d.Read("/etc/systemd/system/"+devicetest.WebServer), 0o644)
	require.NoError(t, os.Remove(d.Disk("/etc/systemd/system/"+devicetest.WebServer)))
	d.Write("/root/second.toml", second, 0o644)
	d.Boot()
	d.MustRun("dpkg", "-i", d.pkg)
	d.MustRun(scripts + "setup_symlinks.sh")
	d.MustRun("systemctl", "enable", "--now", "--quiet", devicetest.DeviceAPI, devicetest.WebServer)
	d.MustRun("tope-updater", "install", d.Offer(fixtures.Release{Version: "1.1.0"}))
	d.MustRun(scripts+"create_factory_version.sh", "1.0.0")

	all, _, err := d.examine()
	require.NoError(t, err)
	for _, f := range all {
		// Warnings are normal here for unsigned releases of any product,
		// and for a container's overlay.
		require.True(t, f.Level == "pass" || f.Check == "trust" || strings.Contains(f.Text, "is on an overlay"), "%+v", f)
		require.NotEqual(t, "fail", f.Level, "%+v", f)
	}
	d.well = levels(all)
	return d
}

// suffers breaks the device, asks the doctor, does what it says, and asks again.
func (d *patient) suffers(t *testing.T, a ailment) {
	t.Helper()
	d.MustRun("systemctl", "reset-failed") // a day of its own: systemd counts starts anew
	d.MustRun("sh", "-c", a.hurt)
	var ill []finding
	var said string
	var err error
	at := -1
	// What was just started, or killed, may not be so far yet.
	for deadline := time.Now().Add(patience); at < 0 && time.Now().Before(deadline); {
		ill, said, err = d.examine()
		if a.finding == (finding{}) {
			break
		}
		at = slices.IndexFunc(ill, func(f finding) bool {
			return f.Check == a.finding.Check && f.Level == a.finding.Level && strings.Contains(f.Text, a.finding.Text) && strings.Contains(f.Do, a.finding.Do)
		})
	}
	switch {
	case a.finding == (finding{}):
		require.Error(t, err)
		require.Contains(t, said, "nonsense")
	case at < 0:
		t.Errorf("%+v is not in %+v", a.finding, ill)
	default:
		// The doctor itself never fails; it exits with 13 when any finding is a fail.
		fails := strings.Contains(levels(ill), " fail\n")
		require.Equal(t, fails, err != nil && strings.Contains(err.Error(), "exit status 13"), "%v", err)
		require.Equal(t, a.finding.Level == "pass", ill[at].Do == "")
		require.True(t, ill[at].Level == "pass" || (a.byHand != "") == (ill[at].Run == ""), "what can be run, and by whom: %+v", ill[at])
	}
	if a.byHand != "" {
		d.MustRun("sh", "-c", a.byHand)
	} else if at >= 0 {
		if out, err := d.Run("sh", "-c", ill[at].Run); err != nil {
			t.Errorf("%s: %v: %s", ill[at].Run, err, out)
		}
	}
	d.recovers(t, a)
	if a.after != "" {
		d.MustRun("sh", "-c", a.after)
	}
}

// recovers asks the doctor again. Where one ailment has brought others, its next answer
// says what to do about those.
func (d *patient) recovers(t *testing.T, a ailment) {
	t.Helper()
	var again []finding
	for round := range 3 {
		limit := 5 * time.Second // then the advice of the answer at hand is tried
		if round == 2 || a.byHand != "" {
			limit = patience // there is nothing else to try
		}
		for deadline := time.Now().Add(limit); levels(again) != d.well && time.Now().Before(deadline); {
			again, _, _ = d.examine()
		}
		if levels(again) == d.well {
			return
		}
		if round == 0 && a.byHand != "" {
			break
		}
		t.Logf("round %d", round+2)
		for _, f := range again {
			if f.Run != "" {
				_, _ = d.Run("sh", "-c", f.Run) // the next answer tells whether it helped
			}
		}
	}
	t.Errorf("it is not repaired: %+v", slices.DeleteFunc(again, func(f finding) bool { return f.Level == "pass" }))
}

// leavesAForeignUnitAlone: a unit that only bears the name is neither stopped nor
// started again by the package.
func (d *patient) leavesAForeignUnitAlone(t *testing.T) {
	d.MustRun("sh", "-c", foreignUnit)
	pid := d.Property(devicetest.Daemon, "MainPID")
	said := d.MustRun("dpkg", "-i", d.pkg)
	require.Contains(t, said, "left alone")
	require.Equal(t, pid, d.Property(devicetest.Daemon, "MainPID"))
	said = d.MustRun("dpkg", "-r", "tope-updater")
	require.Contains(t, said, "left alone")
	require.Equal(t, pid, d.Property(devicetest.Daemon, "MainPID"))
}

// examine returns what the doctor finds, what it prints, and how it ends.
func (d *patient) examine() (all []finding, said string, err error) {
	d.t.Helper()
	said, err = d.Run("sh", "-c", "/root/tope-updater doctor --json 2>/tmp/err; code=$?; cat /tmp/err >&2; exit $code")
	var answer struct{ Findings []finding }
	if at := strings.LastIndex(said, "\n}"); at > 0 {
		require.NoError(d.t, json.Unmarshal([]byte(said[:at+2]), &answer), said)
	}
	return answer.Findings, said, err
}

// levels lists the checks, each with the level of its finding, one a line.
func levels(all []finding) string {
	var b strings.Builder
	for _, f := range all {
		if !strings.Contains(f.Text, "is on an overlay") { // a container's
			b.WriteString(f.Check + " " + f.Level + "\n")
		}
	}
	return b.String()
}
