package figures_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
)

// recovery: recover at a boot with nothing to do, on a device that has been
// updated a hundred times, against the least work that the same program can do.
func recovery(b *testing.B, l *lab) []row {
	s := tell(b, l)
	d := l.boot(b, nobody(), fixtures.Release{})
	d.stop(b)
	require.NoError(b, os.Remove(d.journalPath()))
	j, err := journal.Open(d.journalPath(), journal.Options{Clock: clock.System(), Create: true})
	require.NoError(b, err)
	s.fill(b, j, 100)
	require.NoError(b, j.Close())
	var ours, floor []time.Duration
	for range 101 {
		ours = append(ours, wall(b, d.command("recover")))
		floor = append(floor, wall(b, d.command("version")))
	}
	return []row{against("recover", "recover with nothing to do, 100 updates in the journal, against version", median(ours), median(floor), 3)}
}

// wall is how long a process takes, from its start to its end.
func wall(b *testing.B, cmd *exec.Cmd) time.Duration {
	b.Helper()
	began := time.Now()
	err := cmd.Run()
	d := time.Since(began)
	require.NoError(b, err, "%s", cmd)
	return d
}
