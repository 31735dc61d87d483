package devicetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/service/systemdtest"
)

// ByHand makes a device that an operator has set up by hand: version 1.0.0
// without pointers or links, the units of deploy/systemd/examples, a
// configuration, and no updater.
func ByHand(t testing.TB) *Device {
	t.Helper()
	return ByHandOn(t, systemdtest.Usual)
}

// ByHandOn is ByHand on a suite of Debian.
func ByHandOn(t testing.TB, suite string) *Device {
	t.Helper()
	d := machine(t, Options{Suite: suite})
	root := filepath.Join(t.TempDir(), "root")
	made, err := d.programs.Device(t.Context(), root, fixtures.Release{Version: "1.0.0"}, fixtures.Options{
		Ports: ports(), Manager: "systemd", Timeout: 10 * time.Second, NoFactory: true,
	})
	require.NoError(t, err)
	for _, rest := range []string{"opt/tope/versions/current", "opt/tope/services", "usr/local/bin"} {
		require.NoError(t, os.RemoveAll(filepath.Join(root, rest)))
	}
	d.Copy(root+"/.", "/")
	require.NoError(t, made.Remove(t.Context()))
	for _, unit := range []string{DeviceAPI, WebServer} {
		d.Put(filepath.Join(builttest.Top(), "deploy/systemd/examples", unit), "/etc/systemd/system/"+unit, 0o644)
	}
	return d
}

// Deb is the path of a Debian package of a program, with a version as git
// describes it. The project's script builds it from dist, a directory that has
// the program; when dist is "", from the updater as builttest builds it.
func Deb(t testing.TB, program, dist, version string) string {
	t.Helper()
	if dist == "" {
		dist = t.TempDir()
		require.NoError(t, os.Symlink(builttest.Program(t, program, version), filepath.Join(dist, program+"-linux-"+runtime.GOARCH)))
	}
	cmd := exec.CommandContext(t.Context(), "deploy/deb/build.sh", program, runtime.GOARCH, version)
	cmd.Dir, cmd.Env = builttest.Top(), append(os.Environ(), "DIST="+dist, "COMPRESSION=none")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, "%s", errs.String())
	return strings.TrimSpace(string(out))
}
