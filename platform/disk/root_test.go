package disk_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
)

// device is a root whose links have targets as they are on the device.
func device(t *testing.T) (disk.Root, string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dirWith(t, both(
		file("x", "data/tope/versions/v1/f"),
		link("/data/tope", "opt"),
		link("../../../../../../../../etc", "escape"),
		link("/loop", "loop"),
		link("versions/v1", "data/tope/current"),
	)))
	require.NoError(t, err)
	root, err := disk.NewRoot(dir)
	require.NoError(t, err)
	return root, dir
}

func TestRootResolvesBelowItself(t *testing.T) {
	root, dir := device(t)
	for _, c := range []struct{ device, path, resolved string }{
		{"/", "", ""},
		{"/data/tope", "/data/tope", "/data/tope"},
		{"/opt", "/opt", "/data/tope"},
		{"/opt/", "/opt", "/data/tope"},
		{"/opt/versions", "/data/tope/versions", "/data/tope/versions"},
		{"/opt/current", "/data/tope/current", "/data/tope/versions/v1"},
		{"/opt/current/f", "/data/tope/versions/v1/f", "/data/tope/versions/v1/f"},
		{"/opt/not/there", "/data/tope/not/there", "/data/tope/not/there"},
		{"/escape/passwd", "/etc/passwd", "/etc/passwd"},
		{"/../../etc/passwd", "/etc/passwd", "/etc/passwd"},
	} {
		t.Run(c.device, func(t *testing.T) {
			got, err := root.Path(c.device)
			require.NoError(t, err)
			require.Equal(t, dir+c.path, got)
			got, err = root.Resolve(c.device)
			require.NoError(t, err)
			require.Equal(t, dir+c.resolved, got)
		})
	}
}

func TestRootRefusesWhatItCannotResolve(t *testing.T) {
	root, dir := device(t)
	for _, path := range []string{"", "opt", "./opt", "/nul\x00", "/loop/x"} {
		_, err := root.Path(path)
		require.Error(t, err, "%q", path)
	}
	_, err := disk.NewRoot(filepath.Join(dir, "gone"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = disk.NewRoot(filepath.Join(dir, "data/tope/versions/v1/f"))
	require.ErrorContains(t, err, "not a directory")
}

func TestRootOfTheDeviceItself(t *testing.T) {
	var zero disk.Root
	for _, root := range []disk.Root{zero, must(t)(disk.NewRoot("")), must(t)(disk.NewRoot("/"))} {
		require.Equal(t, "/", root.Dir())
		got, err := root.Path("/no/such/thing")
		require.NoError(t, err)
		require.Equal(t, "/no/such/thing", got)
		require.Equal(t, "/a/b", root.Device("/a/b"))
	}
}

func must(t *testing.T) func(disk.Root, error) disk.Root {
	return func(r disk.Root, err error) disk.Root {
		t.Helper()
		require.NoError(t, err)
		return r
	}
}

func TestRootDeviceIsTheReverse(t *testing.T) {
	root, dir := device(t)
	require.Equal(t, "/", root.Device(dir))
	require.Equal(t, "/opt/x", root.Device(dir+"/opt/x"))
	require.Equal(t, dir+"x/y", root.Device(dir+"x/y"), "a sibling is outside")
	require.Equal(t, "/etc", root.Device("/etc"))
}

// A relative --root means the directory it was when the program started.
func TestRootIsAbsolute(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "alias")))
	t.Chdir(dir)
	root, err := disk.NewRoot("alias")
	require.NoError(t, err)
	require.Equal(t, dir, root.Dir())
}
