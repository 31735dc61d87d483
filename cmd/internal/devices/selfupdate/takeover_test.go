package selfupdate_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// carried is the updater in a version.
const carried = "bin/tope-updater"

// selfDevice is a device whose updater replaces itself.
type selfDevice struct {
	*devicetest.Device
	t *testing.T
	// old is the program it begins with; fresh differs from it, but does the same.
	old, fresh []byte
}

func newSelfDevice(t *testing.T, o devicetest.Options) *selfDevice {
	t.Helper()
	o.Config += "\n[trust]\nunsigned_brings = [\"updater\"]\n"
	d := &selfDevice{Device: devicetest.New(t, o), t: t}
	var err error
	d.old, err = os.ReadFile(d.Disk(devicetest.Updater))
	require.NoError(t, err)
	// Bytes behind an ELF program's last section change its digest and nothing else.
	d.fresh = append(append([]byte{}, d.old...), "another one"...)
	return d
}

// held is a check that keeps the gate of versions after the first one open for as long as
// there is a file /etc/hold.
const held = "[[service.health]]\nkind = \"command\"\ntimeout = \"2m\"\n" +
	"command = [\"/bin/sh\", \"-c\", \"test ! -e /etc/hold || test /opt/tope/versions/current -ef /opt/tope/versions/v1.0.0\"]\n"

// updater is a release that carries an updater.
func updater(version string, program []byte) fixtures.Release {
	return fixtures.Release{Version: version, Files: map[string][]byte{carried: program}}
}

// runs tells which program the daemon is, by its file.
func (d *selfDevice) runs() string {
	return d.digest("/proc/" + d.Property(devicetest.Daemon, "MainPID") + "/exe")
}

func (d *selfDevice) digest(path string) string {
	out, err := d.Run("sha256sum", path)
	if err != nil {
		return ""
	}
	sum, _, _ := strings.Cut(out, " ")
	return sum
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// is fails the test unless the committed copy and the daemon are this program once
// the daemon has cleaned up.
func (d *selfDevice) is(program []byte) {
	d.t.Helper()
	d.Wait("the committed copy is the right one", func() bool { return d.digest(devicetest.Updater) == digest(program) })
	d.Wait("the daemon is the right program", func() bool { return d.runs() == digest(program) })
}

// killDaemon returns when systemd knows that the daemon is dead. The next one is another
// process, whichever program it is by then.
func (d *selfDevice) killDaemon() {
	d.t.Helper()
	before := d.Property(devicetest.Daemon, "MainPID")
	d.MustRun("systemctl", "kill", "--kill-who=main", "--signal=KILL", devicetest.Daemon)
	d.Wait("it is dead", func() bool { return d.Property(devicetest.Daemon, "MainPID") != before })
}

// story is the journal's story of the newest update.
func (d *selfDevice) story() string {
	st := d.Answers()
	if st.Last == nil {
		return ""
	}
	return d.MustRun(devicetest.Updater, "journal", "show", st.Last.ID)
}

func TestANewUpdaterTakesOver(t *testing.T) {
	t.Parallel()
	d := newSelfDevice(t, devicetest.Options{Config: held})
	d.Write("/etc/hold", "", 0o644)
	d.Up()
	pid := d.Property(devicetest.Daemon, "MainPID")

	d.Begin(d.Offer(updater("1.1.0", d.fresh)))
	d.In(engine.CheckingHealth)
	d.Wait("the version's updater runs, before it is committed", func() bool { return d.runs() == digest(d.fresh) })
	require.Equal(t, digest(d.old), d.digest(devicetest.Updater), "the committed copy is not touched before the commit")
	d.MustRun("rm", "/etc/hold")
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	d.is(d.fresh)
	require.Equal(t, pid, d.Property(devicetest.Daemon, "MainPID"), "systemd watches the same process")
	require.Equal(t, "0", d.Property(devicetest.Daemon, "NRestarts"))
	require.Contains(t, d.story(), "has taken over")
	_, err := d.Run("test", "-e", "/usr/local/bin/tope-updater")
	require.Error(t, err, "a link to the version's own updater would be found first")

	// The new updater is the program of the next boot, and of the next update.
	d.Kill()
	d.Up()
	d.is(d.fresh)
	d.Begin(d.Offer(fixtures.Release{Version: "1.2.0"}))
	require.Equal(t, engine.Committed, d.Over().State)
	d.is(d.fresh)

	// A version without an updater leaves the committed one. A version with an
	// older updater brings that one back, also in a rollback by hand.
	d.Begin(d.Offer(updater("1.3.0", d.old)))
	require.Equal(t, engine.Committed, d.Over().State)
	d.is(d.old)
	out := d.MustRun(devicetest.Updater, "rollback", "--to", "1.1.0")
	require.NotContains(t, out, "does not answer", "a client does not notice the change of program")
	d.Whole("1.1.0")
	d.is(d.fresh)
	require.Empty(t, d.Failed())
}

// When systemd holds the socket, it is handed to the new program.
func TestANewUpdaterTakesTheSocketOver(t *testing.T) {
	t.Parallel()
	d := newSelfDevice(t, devicetest.Options{})
	d.Enable("tope-updater.socket", "sockets.target")
	d.Up()
	d.MustRun("systemctl", "start", "tope-updater.socket")
	d.MustRun("systemctl", "restart", devicetest.Daemon)
	d.Answers()
	d.Begin(d.Offer(updater("1.1.0", d.fresh)))
	require.Equal(t, engine.Committed, d.Over().State)
	d.is(d.fresh)
	d.MustRun("systemctl", "restart", devicetest.Daemon)
	d.Answers()
	d.is(d.fresh)
}
