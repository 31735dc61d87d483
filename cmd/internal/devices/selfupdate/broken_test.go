package selfupdate_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// pretender is a program that says it is an updater, and then does something else.
func pretender(what string) []byte {
	return []byte("#!/bin/sh\nif [ \"$1\" = version ]; then echo '{\"version\":\"9\",\"takeover\":1}'; exit; fi\n" + what + "\n")
}

// Whatever fault the new updater has, the old one comes back with the old
// version, says why, and installs the next release.
func TestABrokenUpdaterRollsBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		program []byte
		why     string
	}{
		"is for another machine":      {[]byte("\x7fELF and nothing else"), "cannot be run"},
		"has no interpreter":          {[]byte("#!/no/such/program\n"), "cannot be run"},
		"cannot even say its version": {[]byte("#!/bin/sh\nexit 3\n"), "cannot be run"},
		"is not an updater":           {[]byte("#!/bin/sh\necho hello\n"), "not an updater"},
		"exits at once":               {pretender("exit 1"), "took over 2 times"},
		"exits as if all were well":   {pretender("exit 0"), "took over 2 times"},
		"crashes":                     {pretender("kill -SEGV $$"), "took over 2 times"},
		"hangs":                       {pretender("exec sleep 3600"), "took over 2 times"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newSelfDevice(t, devicetest.Options{})
			d.Write("/etc/systemd/system/tope-updater.service.d/test.conf", "[Service]\nWatchdogSec=6s\nRestartSec=100ms\n", 0o644)
			d.Up()
			d.Begin(d.Offer(updater("1.1.0", c.program)))
			u := d.Over()
			require.Equal(t, engine.RolledBack, u.State, "%+v", u)
			require.Equal(t, "TAKEOVER_FAILED", u.Error.Code)
			require.Contains(t, u.Error.Text, c.why)
			d.Whole("1.0.0")
			d.is(d.old)
			st := d.Answers()
			require.Len(t, st.Quarantine, 1)
			d.Begin(d.Offer(updater("1.2.0", d.fresh)))
			require.Equal(t, engine.Committed, d.Over().State)
			d.is(d.fresh)
			require.Empty(t, d.Failed())
		})
	}
}

// The count of the new updater's chances is lost with the journal: it gets no further one.
func TestANewUpdaterSpoilsTheJournal(t *testing.T) {
	t.Parallel()
	for name, what := range map[string]string{
		"garbage": "dd if=/dev/urandom of=/var/lib/tope-updater/journal.db bs=4096 count=16 conv=notrunc 2>/dev/null",
		"empty":   ": > /var/lib/tope-updater/journal.db",
		"gone":    "rm -f /var/lib/tope-updater/journal.db",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newSelfDevice(t, devicetest.Options{})
			d.Up()
			d.Begin(d.Offer(updater("1.1.0", pretender(what+"; exit 1"))))
			d.Within(time.Minute, "the update is over", func() bool {
				st, ok := d.Status()
				return ok && st.Last != nil && st.Update == nil
			})
			st := d.Answers()
			require.Equal(t, engine.RolledBack, st.Last.State)
			require.Equal(t, "TAKEOVER_FAILED", st.Last.Error.Code)
			d.Whole("1.0.0")
			d.is(d.old)
			d.Begin(d.Offer(updater("1.2.0", d.fresh)))
			require.Equal(t, engine.Committed, d.Over().State)
			d.is(d.fresh)
		})
	}
}

// When its version fails the gate, a new updater hands the way back to the old one.
func TestANewUpdaterOfABadVersion(t *testing.T) {
	t.Parallel()
	d := newSelfDevice(t, devicetest.Options{})
	d.Up()
	bad := updater("1.1.0", d.fresh)
	bad.WebServer = "unhealthy"
	d.Begin(d.Offer(bad))
	require.Equal(t, engine.RolledBack, d.Over().State)
	d.Whole("1.0.0")
	d.is(d.old)
	story := d.story()
	require.Contains(t, story, "has taken over")
	require.Contains(t, story, "the committed updater")
	require.Empty(t, d.Failed())
}

// The new updater is killed each time it has begun: after two chances, the update is over.
func TestANewUpdaterDiesBeforeTheCommit(t *testing.T) {
	t.Parallel()
	d := newSelfDevice(t, devicetest.Options{Stable: 15 * time.Second, Timeout: time.Minute})
	d.Up()
	d.Begin(d.Offer(updater("1.1.0", d.fresh)))
	for range 2 {
		d.In(engine.CheckingHealth)
		d.Wait("the new updater runs", func() bool { return d.runs() == digest(d.fresh) })
		d.Wait("it has begun", func() bool {
			st, ok := d.Status()
			return ok && st.State == engine.CheckingHealth
		})
		d.killDaemon()
	}
	u := d.Over()
	require.Equal(t, engine.RolledBack, u.State, "%+v", u)
	require.Equal(t, "TAKEOVER_FAILED", u.Error.Code)
	d.Whole("1.0.0")
	d.is(d.old)
}

// Only the real start of a new updater shows that it refuses the configuration:
// that is the same as an updater that exits at once.
func TestANewUpdaterRefusesTheJournal(t *testing.T) {
	t.Parallel()
	d := newSelfDevice(t, devicetest.Options{})
	d.Up()
	// The real program, but with an invalid configuration.
	d.Write("/etc/tope-updater/other.toml", "nonsense = 1\n", 0o644)
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0", Files: map[string][]byte{
		carried: pretender(`exec /usr/lib/tope-updater/tope-updater --config /etc/tope-updater/other.toml "$@"`),
	}}))
	require.Equal(t, engine.RolledBack, d.Over().State)
	d.is(d.old)
	d.Whole("1.0.0")
}

// A committed copy that cannot be replaced stays whole. The new updater goes on
// running, and the update stays committed.
func TestTheCommittedCopyCannotBeReplaced(t *testing.T) {
	t.Parallel()
	d := newSelfDevice(t, devicetest.Options{})
	d.Write("/etc/systemd/system/tope-updater.service.d/test.conf", "[Service]\nReadWritePaths=\nReadWritePaths=-/opt/tope -/usr/local/bin -/etc/systemd/system\n", 0o644)
	d.Up()
	d.Begin(d.Offer(updater("1.1.0", d.fresh)))
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	require.Equal(t, digest(d.fresh), d.runs())
	require.Equal(t, digest(d.old), d.digest(devicetest.Updater))
	require.Contains(t, d.story(), "not the committed one yet")
	// Once the copy can be written, the next start of the daemon replaces it.
	require.NoError(t, os.Remove(d.Path("/etc/systemd/system/tope-updater.service.d/test.conf")))
	d.MustRun("systemctl", "daemon-reload")
	d.MustRun("systemctl", "restart", devicetest.Daemon)
	d.Answers()
	d.is(d.fresh)
}
