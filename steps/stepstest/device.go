package stepstest

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/versions"
)

// Device is a device below a temporary root: the real versions directory with
// its store, at the default paths, nothing installed.
type Device struct {
	*versions.Store
	// Root is the host path of the device's root directory.
	Root  string
	Clock *clocktest.Fake
}

// NewDevice makes a Device in dir, or in a temporary directory if dir is empty.
func NewDevice(t testing.TB, dir string) *Device {
	t.Helper()
	if dir == "" {
		dir = disktest.TempDir(t)
	}
	dir, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	root, err := disk.NewRoot(dir)
	require.NoError(t, err)
	clock := clocktest.New()
	store, err := versions.Open(versions.Config{
		Create: true,
		Root:   root, Versions: "/opt/tope/versions", Services: "/opt/tope/services",
		Bin: "/usr/local/bin", Shared: "/opt/tope/shared", Clock: clock,
	})
	require.NoError(t, err)
	// Published versions are read-only. The test's own clean-up can remove them only
	// when it runs as root.
	t.Cleanup(func() { require.NoError(t, disk.RemoveTree(filepath.Join(dir, "opt"))) })
	return &Device{Store: store, Root: dir, Clock: clock}
}

// Path is the host path of a path of the device.
func (d *Device) Path(device string) string { return filepath.Join(d.Root, device) }
