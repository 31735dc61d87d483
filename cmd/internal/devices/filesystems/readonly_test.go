package filesystems_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/disk/disktest"
)

// Where no link can be made, a release that needs a new one fails before anything is
// switched. The message and the doctor name the directory.
func TestANewProgramWhereBinIsReadOnly(t *testing.T) {
	t.Parallel()
	r := &releases{programs: builttest.Services(t)}
	d := newDevice(t, r, row{
		lay:  func(*testing.T, string) []*disktest.Disk { return nil },
		over: []mount{{at: "usr/local/bin"}},
	})
	made, err := r.programs.Package(t.TempDir(), fixtures.Release{Version: "1.1.0", Files: map[string][]byte{"bin/tool": []byte("#!/bin/sh\n")}})
	require.NoError(t, err)
	said := d.must(t, 1, "install", made.Path)
	require.Contains(t, said, "the device is unchanged")
	require.Contains(t, said, "no link can be made in /usr/local/bin")
	require.Contains(t, said, "name another one in the configuration ([paths])")
	d.runs(t, "1.0.0")
	ailing := d.run(t, "doctor").text
	require.Contains(t, ailing, "/usr/local/bin is mounted read-only")
	require.Contains(t, ailing, "[paths] bin")
}
