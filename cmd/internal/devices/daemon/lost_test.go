package daemon_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// Somebody removes the state directory under the daemon, whose sandbox cannot make another:
// systemd starts it with a new one, the loss is told, and updates go on.
func TestTheStateDirectoryIsRemoved(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{})
	d.Up()
	d.Install("1.1.0", "", engine.Committed)
	path := d.Offer(fixtures.Release{Version: "1.2.0"})
	d.MustRun("rm", "-rf", "/var/lib/tope-updater")
	_, err := d.Run(devicetest.Updater, "install", path)
	require.Error(t, err, "the journal cannot be written")
	d.Wait("another daemon", func() bool { return d.Property(devicetest.Daemon, "NRestarts") == "1" })
	d.Answers()
	d.MustRun(devicetest.Updater, "install", path)
	d.Whole("1.2.0")
	require.Contains(t, d.MustRun(devicetest.Updater, "journal", "list"), "Committed")
	require.Contains(t, d.MustRun(devicetest.Updater, "journal", "export"), "journal-lost")
}
