//go:build linux && amd64

package trials_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/cmd/internal/sweeptest"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/versions"
)

// On an overlay, a version in the lower layer is deleted under its own name. At each
// call of that the updater is killed, and the power goes: what is left is the whole
// version, or nothing that passes for one, and the next prune deletes the rest.
func TestAVersionOfTheLowerLayerGoesWholeOrNotAtAll(t *testing.T) {
	tried(t)
	const spare = "0.9.0"
	stubs := fixtures.Stubs()
	disk := disktest.New(t, disktest.Overlay, filepath.Join(t.TempDir(), "mnt"), 0)
	d := newDevice(t, disk.Dir, stubs, fixtures.Options{Manager: "none"})
	require.NoError(t, stubs.Install(t.Context(), d.Device, fixtures.Release{Version: spare}))
	disk.Settle(t)
	seen := map[versions.State]int{}
	for n, killed := 1, true; killed; n++ {
		if !sweeptest.OneIn(t, 3, n) {
			continue
		}
		disk.Forget(t)
		calls := 0
		killed = false
		_, err := trace.Watch(t.Context(), trace.Config{Dir: d.Root, Handler: func(c *trace.Call) trace.Verdict {
			if c.Said || killed || !strings.HasPrefix(c.Path, "opt/tope/versions") {
				return trace.Verdict{}
			}
			calls++
			killed = calls == n
			return trace.Verdict{Kill: killed}
		}}, trace.Command{Args: slices.Concat(d.program, []string{"--config", d.Config, "--root", d.Root, "prune", "--keep", "0"}), Env: trace.Environ()})
		require.NoError(t, err)
		disk.PowerCut(t)
		state, err := d.Store.State(spare)
		require.NoError(t, err)
		seen[state]++
		if state.Usable() {
			v, err := d.Store.Verify(t.Context(), spare)
			require.NoError(t, err)
			require.True(t, v.OK() && state == versions.Complete, "call %d: %+v", n, v)
		}
		d.must(0, "prune", "--keep", "0")
		require.NoDirExists(t, d.Store.Path(spare), "call %d", n)
		d.isWhole("1.0.0")
	}
	t.Logf("after the cuts: %v", seen)
	require.Positive(t, seen[versions.Complete])
	require.Positive(t, seen[versions.Damaged])
}
