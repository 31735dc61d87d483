//go:build linux && amd64

package trials_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/disk/disktest"
)

// killedAt runs a verb, and kills it before the first call that at accepts.
func (d *device) killedAt(at func(*trace.Call) bool, args ...string) {
	d.t.Helper()
	killed := false
	exit, err := trace.Watch(d.t.Context(), trace.Config{Dir: d.Root, Handler: func(c *trace.Call) trace.Verdict {
		if killed || c.Said || !at(c) {
			return trace.Verdict{}
		}
		killed = true
		return trace.Verdict{Kill: true}
	}}, trace.Command{Args: slices.Concat(d.program, []string{"--config", d.Config, "--root", d.Root}, args), Env: trace.Environ()})
	require.NoError(d.t, err)
	require.True(d.t, killed)
	require.Equal(d.t, 137, exit)
}

// On a device whose /opt and /var are file systems of their own, the updater is killed
// between the rename of current and the sync of its directory. The next one finds
// current right, in the page cache, and commits. Then the power goes: what the journal
// says is what the disk has.
func TestACommitOutlivesWhatAKilledUpdaterLeft(t *testing.T) {
	tried(t)
	p := builttest.Services(t)
	root := t.TempDir()
	opt := disktest.NewExt4At(t, filepath.Join(root, "opt"), 64<<20)
	state := disktest.NewExt4At(t, filepath.Join(root, "var"), 64<<20)
	d := newDevice(t, root, p, fixtures.Options{Manager: "none"})

	const versions = "opt/tope/versions"
	moved := false
	d.killedAt(func(c *trace.Call) bool {
		moved = moved || c.Op == trace.Rename && c.Path == versions+"/current"
		return moved && c.Op == trace.Fsync && c.Path == versions
	}, "install", packageOf(t, p, fixtures.Release{Version: "1.1.0"}))
	d.killedAt(func(c *trace.Call) bool { return c.Op == trace.Unlink && c.Path == versions+"/.uncommitted" }, "recover", "--finish")
	opt.PowerCut(t)
	state.PowerCut(t)

	r, err := journal.OpenReader(d.journalPath(), journal.Options{})
	require.NoError(t, err)
	require.Equal(t, engine.Committed, r.State().Open.State)
	require.Equal(t, "1.1.0", r.State().Committed)
	require.Equal(t, "1.1.0", d.currently(), "the success that was told is there")
	require.Empty(t, d.must(0, "recover").errors)
}
