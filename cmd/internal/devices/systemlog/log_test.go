package systemlog_test

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// entries are the matching entries of the updater in the machine's journal.
func entries(t *testing.T, d *devicetest.Device, match ...string) (all []map[string]string) {
	t.Helper()
	d.MustRun("journalctl", "--sync")
	out := d.MustRun(append([]string{"journalctl", "-o", "json", "--no-pager"}, match...)...)
	lines := bufio.NewScanner(strings.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		raw := map[string]any{}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &raw), lines.Text())
		e := map[string]string{}
		for k, v := range raw {
			e[k], _ = v.(string)
		}
		all = append(all, e)
	}
	return all
}

// idOf is the MESSAGE_ID of an event by its subject in the catalog.
func idOf(t *testing.T, subject string) string {
	t.Helper()
	catalog, err := os.ReadFile(builttest.Top() + "/deploy/systemd/tope-updater.catalog")
	require.NoError(t, err)
	m := regexp.MustCompile(`(?m)^-- (\S+)\nSubject: ` + subject + `$`).FindSubmatch(catalog)
	require.NotNil(t, m, subject)
	return string(m[1])
}

func TestTheJournalOfSystemd(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{Stable: time.Second})
	d.Up()
	d.MustRun("journalctl", "--update-catalog")
	d.MustRun(devicetest.Updater, "install", d.Offer(fixtures.Release{Version: "1.1.0"}))
	good := entries(t, d, "MESSAGE_ID="+idOf(t, "An update was committed"))
	require.Len(t, good, 1)
	id := good[0]["UPDATE_ID"]
	require.Equal(t, []string{"1.0.0", "1.1.0", "Committed", "Commit", "6", "tope-updater", "tope-updater.service"}, []string{
		good[0]["FROM"], good[0]["TO"], good[0]["STATE"], good[0]["STEP"], good[0]["PRIORITY"], good[0]["SYSLOG_IDENTIFIER"], good[0]["_SYSTEMD_UNIT"],
	})
	var states []string
	for _, e := range entries(t, d, "UPDATE_ID="+id) {
		require.NotContains(t, e["MESSAGE"], "\n")
		if e["STATE"] != "" {
			states = append(states, e["STATE"])
		}
	}
	require.Equal(t, "Requested Downloading Verifying Ready Extracting Staging Switching Restarting CheckingHealth Committing Committed", strings.Join(states, " "))

	_, err := d.Run(devicetest.Updater, "install", d.Offer(fixtures.Release{Version: "1.2.0", DeviceAPI: "unhealthy"}))
	require.ErrorContains(t, err, "exit status 12")
	back := entries(t, d, "MESSAGE_ID="+idOf(t, "An update was rolled back"))
	require.Len(t, back, 1)
	require.Equal(t, "4", back[0]["PRIORITY"])
	require.Len(t, entries(t, d, "MESSAGE_ID="+idOf(t, "A release was put into quarantine")), 1)
	told := d.MustRun("journalctl", "--no-pager", "-x", "UPDATE_ID="+back[0]["UPDATE_ID"])
	require.Contains(t, told, "Subject: An update was rolled back")
	require.Contains(t, told, "the device runs version 1.1.0 again")
	// The tree has no Chinese locale for a query; the explanations are there.
	require.Contains(t, d.Read("/var/lib/systemd/catalog/database"), "更新已回滚")

	// A cut in the middle: recover logs it, before there is a daemon.
	d.MustRun(devicetest.Updater, "install", "--no-wait", d.Offer(fixtures.Release{Version: "1.3.0", DeviceAPI: "unhealthy"}))
	d.In(engine.CheckingHealth)
	d.Kill()
	d.Up()
	d.Over()
	// By its process, which the kernel tells journald. journald asks for the unit later, and
	// finds none when recover has ended by then.
	recovered := entries(t, d, "MESSAGE_ID="+idOf(t, "The updater recovered after a cut"), "_PID="+d.Property(devicetest.Recover, "ExecMainPID"), "-b")
	require.NotEmpty(t, recovered)
	require.Equal(t, []string{"forward", "1.1.0", "1.3.0"}, []string{recovered[0]["RULE"], recovered[0]["FROM"], recovered[0]["TO"]})
}

// An update does not need a reader of its log.
func TestAJournalThatHangsOrIsGone(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{Stable: time.Second})
	d.Up()
	d.MustRun("sh", "-c", "kill -STOP $(pidof systemd-journald)")
	// Fill every socket on the way.
	d.MustRun("sh", "-c", "i=0; while [ $i -lt 400 ]; do timeout 5 "+devicetest.Updater+" status >/dev/null; i=$((i+1)); done")
	d.MustRun(devicetest.Updater, "install", d.Offer(fixtures.Release{Version: "1.1.0"}))
	d.MustRun("sh", "-c", "kill -CONT $(pidof systemd-journald)")
	d.MustRun("systemctl", "stop", "systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald-audit.socket", "systemd-journald.service")
	pid := d.Property("tope-updater.service", "MainPID")
	d.MustRun(devicetest.Updater, "install", d.Offer(fixtures.Release{Version: "1.2.0"}))
	require.Equal(t, pid, d.Property("tope-updater.service", "MainPID"), "the daemon lives on")
	d.MustRun("systemctl", "start", "systemd-journald.socket", "systemd-journald.service")
	d.MustRun(devicetest.Updater, "install", d.Offer(fixtures.Release{Version: "1.3.0"}))
	require.NotEmpty(t, entries(t, d, "MESSAGE_ID="+idOf(t, "An update was committed"), "TO=1.3.0"), "and its log is found again")
}

func TestWithoutJournald(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{})
	for _, unit := range []string{"systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald-audit.socket", "systemd-journal-flush.service"} {
		d.Symlink("/dev/null", "/etc/systemd/system/"+unit)
	}
	d.Up()
	d.RecoveredFirst()
	d.Install("1.1.0", "", engine.Committed)
	d.Whole("1.1.0")
	d.Install("1.2.0", "exit", engine.RolledBack)
	d.Whole("1.1.0")
	d.Kill()
	d.Up()
	d.RecoveredFirst()
	d.Whole("1.1.0")
}
