package doctor_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/filecaps"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/stepstest"
)

// Somebody has changed who may do what in a version. Nothing of that was told: only a
// file's name and size were looked at.
func TestChangedRightsAreTold(t *testing.T) {
	roottest.Need(t, "file capabilities")
	d := stepstest.NewDevice(t, "")
	stepstest.Publish(t, d.Store, "1.0.0", map[string]string{"bin/x": "#!/bin/sh\n", "bin/y": "#!/bin/sh\n"}, versions.Brought{})
	require.NoError(t, d.Point(versions.Current, "1.0.0"))
	well(t, examined(t, d.Root, quiet), "versions")

	program := filepath.Join(d.Store.Path("1.0.0"), "bin/x")
	f, err := os.Open(program)
	require.NoError(t, err)
	require.NoError(t, filecaps.Set{Permitted: 1 << 21, Effective: true}.Apply(f))
	require.NoError(t, f.Close())
	require.NoError(t, os.Chmod(filepath.Join(d.Store.Path("1.0.0"), "bin/y"), 0o555|fs.ModeSetuid))
	found := requireFinding(t, examined(t, d.Root, quiet), "versions", warn, "2 files of version 1.0.0 are not as they were published")
	require.Contains(t, found.Text, "bin/x is changed: capabilities cap_sys_admin=ep, not none")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", found.Run).CombinedOutput()
	require.NoError(t, err, "%s: %s", found.Run, out)
	well(t, examined(t, d.Root, quiet), "versions")
	problems, err := d.Compare("1.0.0")
	require.NoError(t, err)
	require.Empty(t, problems)
}
