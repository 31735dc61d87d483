package doctor_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/internal/doctor"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/stepstest"
)

// These accidents need no booted device; cmd/internal/devices/doctor has the others.

// well fails the test unless a check finds nothing at all.
func well(t *testing.T, all []doctor.Finding, check string) {
	t.Helper()
	for _, f := range all {
		require.False(t, f.Check == check && f.Level != pass, "%+v", f)
	}
}

// journalOf makes the journal of a device, with these records in it.
func journalOf(t *testing.T, root string, c clock.Clock, recs ...journal.Record) {
	t.Helper()
	dir := filepath.Join(root, "var/lib/tope-updater")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{Clock: c, Create: true})
	require.NoError(t, err)
	_, err = j.Append(recs...)
	require.NoError(t, err)
	require.NoError(t, j.Close())
}

func TestAFullDiskFails(t *testing.T) {
	roottest.Need(t, "a loop device")
	root := mounted(t, "^fast_commit", "rw")
	d := stepstest.NewDevice(t, root)
	stepstest.Publish(t, d.Store, "1.0.0", map[string]string{"bin/x": "#!/bin/sh\n" + strings.Repeat("#", 6<<20)}, versions.Brought{})
	stepstest.Publish(t, d.Store, "1.1.0", map[string]string{"bin/x": "#!/bin/sh\n"}, versions.Brought{})
	require.NoError(t, d.Point(versions.Current, "1.1.0"))
	f := requireFinding(t, examined(t, root, quiet), "space", warn, "left")
	require.Contains(t, f.Run, "prune --keep 0")

	// Too little is left for another version such as this one, also without the old one.
	filler := filepath.Join(root, "opt/tope/shared/video.raw")
	require.NoError(t, os.MkdirAll(filepath.Dir(filler), 0o755))
	require.NoError(t, d.Trash("1.0.0"))
	out, err := exec.Command("fallocate", "-l", "20M", filler).CombinedOutput()
	require.NoError(t, err, "%s", out)
	f = requireFinding(t, examined(t, root, quiet), "space", fail, "the next update needs about")
	require.Contains(t, f.Do, filler)
	require.NoError(t, os.Remove(filler))
	for _, f := range examined(t, root, quiet) {
		require.False(t, f.Check == "space" && f.Level == fail, "%+v", f)
	}
}

// An NTP jump into the future and back: the journal has records that are yet to come.
func TestARecordOfTheFutureIsTold(t *testing.T) {
	d := stepstest.NewDevice(t, "")
	now := clocktest.New()
	journalOf(t, d.Root, now, journal.Record{Phase: journal.Observed})
	patient := device(t, d.Root, quiet)
	patient.Clock = now
	well(t, doctor.Examine(t.Context(), patient), "clock")
	now.SetNow(now.Now().Add(-24 * time.Hour))
	f := requireFinding(t, doctor.Examine(t.Context(), patient), "clock", warn, "one of the two is wrong")
	require.Contains(t, f.Do, "set the clock")
	now.SetNow(now.Now().Add(24 * time.Hour))
	well(t, doctor.Examine(t.Context(), patient), "clock")
}

// A full quarantine is one line, with the way out of it.
func TestAFullQuarantineIsOneFinding(t *testing.T) {
	d := stepstest.NewDevice(t, "")
	var recs []journal.Record
	for n := range journal.KeepQuarantine {
		recs = append(recs, journal.Record{Phase: journal.Observed, Quarantine: &journal.Quarantined{
			Version: fmt.Sprintf("1.%d.0", n), Digest: fmt.Sprintf("sha256:%064d", n), Reason: "unhealthy",
		}})
	}
	journalOf(t, d.Root, clock.System(), recs...)
	all := examined(t, d.Root, quiet)
	f := requireFinding(t, all, "quarantine", warn, "64 releases are in quarantine, the newest: 1.63.0")
	require.Contains(t, f.Run, "quarantine clear --all")
	well(t, all, "journal")
}

// Whoever holds the journal's lock is told by name, and how to be rid of it.
func TestALockedJournalFails(t *testing.T) {
	d := stepstest.NewDevice(t, "")
	journalOf(t, d.Root, clock.System(), journal.Record{Phase: journal.Observed})
	path := filepath.Join(d.Root, "var/lib/tope-updater/journal.db")
	// The shell's child shares the lock, as what "flock FILE COMMAND" starts does.
	cmd := exec.CommandContext(t.Context(), "flock", "-s", path, "sleep", "1000")
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		f, err := os.Open(path)
		require.NoError(t, err)
		defer func() { _ = f.Close() }()
		return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
	}, 10*time.Second, 10*time.Millisecond)
	f := requireFinding(t, examined(t, d.Root, quiet), "journal", fail, fmt.Sprintf("locked by flock (process %d)", cmd.Process.Pid))
	require.Contains(t, f.Do, "kill ")
	out, err := exec.Command("sh", "-c", f.Run).CombinedOutput()
	require.NoError(t, err, "%s: %s", f.Run, out)
	_ = cmd.Wait()
	well(t, examined(t, d.Root, quiet), "journal")
}

// A link that an older updater has sealed into a version is taken out of its manifest, too.
func TestAStrayLinkThatIsSealedIn(t *testing.T) {
	d := stepstest.NewDevice(t, "")
	stepstest.Publish(t, d.Store, "1.0.0", map[string]string{"bin/x": "#!/bin/sh\n"}, versions.Brought{})
	dir := d.Path("/opt/tope/versions/v1.0.0")
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Symlink("v1.0.0", filepath.Join(dir, "v1.0.0")))
	f := requireFinding(t, examined(t, d.Root, quiet), "versions", warn, "version 1.0.0 holds a stray link v1.0.0")
	require.Equal(t, "rm "+filepath.Join(dir, "v1.0.0"), f.Run)
	manifest := filepath.Join(dir, versions.ManifestName)
	text, err := os.ReadFile(manifest)
	require.NoError(t, err)
	require.NoError(t, disk.RemoveTree(manifest))
	sealed := strings.Replace(string(text), "  }\n ]", `},{"path": "v1.0.0", "type": "link", "mode": 0, "target": "v1.0.0"}]`, 1)
	require.NotEqual(t, string(text), sealed)
	require.NoError(t, os.WriteFile(manifest, []byte(sealed), 0o444))
	f = requireFinding(t, examined(t, d.Root, quiet), "versions", warn, "version 1.0.0 holds a stray link v1.0.0")
	require.Contains(t, f.Run, versions.ManifestName)
	require.Contains(t, f.Run, "factory create --replace 1.0.0")
}
