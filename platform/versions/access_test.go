package versions_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/filecaps"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/versions"
)

// bind is what a program needs to listen on port 80.
func bind() filecaps.Set { return filecaps.Set{Permitted: 1 << 10, Effective: true} }

func permit(t testing.TB, path string, s filecaps.Set) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	require.NoError(t, s.Apply(f))
	require.NoError(t, f.Close())
}

// publishCapable installs a version with a program that has capabilities, and a key
// that is root's alone.
func (d *device) publishCapable(version string) {
	d.t.Helper()
	r := plain(version)
	r["data/key.pem"] = "secret"
	m := d.stage("u-1", version, r)
	for i := range m.Files {
		f := &m.Files[i]
		path := filepath.Join(d.Staging("u-1"), f.Path)
		switch f.Path {
		case "data/key.pem":
			f.Mode = 0o400
			require.NoError(d.t, os.Chmod(path, 0o400))
		case "bin/device-api":
			f.Capabilities = bind()
			permit(d.t, path, bind())
		}
	}
	require.NoError(d.t, d.Publish(context.Background(), "u-1", m))
}

// What a version may do and who may read it belong to it: whoever takes or adds
// something is found, by reading the version back and by a look without reading.
func TestVerifyLooksAtModesAndCapabilities(t *testing.T) {
	roottest.Need(t, "file capabilities")
	chmod := func(name string, mode fs.FileMode) func(*testing.T, string) {
		return func(t *testing.T, dir string) { require.NoError(t, os.Chmod(filepath.Join(dir, name), mode)) }
	}
	give := func(name string, s filecaps.Set) func(*testing.T, string) {
		return func(t *testing.T, dir string) { permit(t, filepath.Join(dir, name), s) }
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		says   string
	}{
		{"nothing", func(*testing.T, string) {}, ""},
		{"stripped by a copy", func(t *testing.T, dir string) {
			disktest.In(t, filepath.Join(dir, "bin"), func() {
				data, err := os.ReadFile(dir + "/bin/device-api")
				require.NoError(t, err)
				require.NoError(t, os.Remove(dir+"/bin/device-api"))
				require.NoError(t, os.WriteFile(dir+"/bin/device-api", data, 0o555))
			})
		}, "bin/device-api is changed: capabilities none, not cap_net_bind_service=ep"},
		{"stripped", give("bin/device-api", filecaps.Set{}), "bin/device-api is changed: capabilities none, not cap_net_bind_service=ep"},
		{"added", give("services/device-api/run", bind()), "run is changed: capabilities cap_net_bind_service=ep, not none"},
		{"other", give("bin/device-api", filecaps.Set{Permitted: 1 << 21, Effective: true}), "capabilities cap_sys_admin=ep, not cap_net_bind"},
		{"of a container", func(t *testing.T, dir string) {
			raw := append([]byte{1, 0, 0, 3}, make([]byte, 20)...)
			raw[4], raw[20] = 1, 1
			require.NoError(t, unix.Setxattr(filepath.Join(dir, "bin/device-api"), filecaps.Attribute, raw, 0))
		}, "cannot be carried"},
		{"setuid", chmod("bin/device-api", 0o555|fs.ModeSetuid), "bin/device-api is changed: mode ur-xr-xr-x, not -r-xr-xr-x"},
		{"setgid directory", chmod("bin", 0o555|fs.ModeSetgid), "bin is changed: mode gr-xr-xr-x"},
		{"opened to everybody", chmod("data/key.pem", 0o444), "data/key.pem is changed: mode -r--r--r--, not -r--------"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t)
			d.publishCapable("1.0.0")
			c.change(t, d.Path("1.0.0"))
			read, err := d.Verify(context.Background(), "1.0.0")
			require.NoError(t, err)
			looked, err := d.Compare("1.0.0")
			require.NoError(t, err)
			if c.says == "" {
				require.Empty(t, read.Problems)
				require.Empty(t, looked)
				return
			}
			require.Len(t, read.Problems, 1)
			require.Contains(t, read.Problems[0].String(), c.says)
			require.Equal(t, read.Problems, looked)
		})
	}
}

// A tree that has lost its capabilities, in a cut perhaps, never becomes a version.
func TestPublishWantsTheCapabilitiesOfTheList(t *testing.T) {
	roottest.Need(t, "file capabilities")
	for name, change := range map[string]func(f *versions.File, path string){
		"lost":  func(f *versions.File, _ string) { f.Capabilities = bind() },
		"added": func(_ *versions.File, path string) { permit(t, path, bind()) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			m := d.stage("u-1", "1.0.0", plain("1.0.0"))
			for i := range m.Files {
				if m.Files[i].Path == "bin/device-api" {
					change(&m.Files[i], filepath.Join(d.Staging("u-1"), m.Files[i].Path))
				}
			}
			err := d.Publish(context.Background(), "u-1", m)
			require.ErrorIs(t, err, versions.ErrMismatch)
			require.ErrorContains(t, err, "capabilities")
			state, err := d.State("1.0.0")
			require.NoError(t, err)
			require.Equal(t, versions.Missing, state)
		})
	}
}

// The factory version keeps what a version made by hand has, or is not made of it.
func TestCreateFactoryKeepsCapabilities(t *testing.T) {
	roottest.Need(t, "file capabilities")
	d := newFactoryDevice(t)
	d.byHand("1.0.0")
	permit(t, d.Path("1.0.0")+"/bin/device-api", bind())
	require.NoError(t, os.Chmod(d.Path("1.0.0")+"/data/config.json", 0o600))
	_, err := d.CreateFactory(context.Background(), "1.0.0", false)
	require.NoError(t, err)
	m, err := d.Manifest("1.0.0")
	require.NoError(t, err)
	for _, f := range m.Files {
		switch f.Path {
		case "bin/device-api":
			require.Equal(t, bind(), f.Capabilities)
		case "data/config.json":
			require.EqualValues(t, 0o400, f.Mode)
		default:
			require.True(t, f.Capabilities.None(), f.Path)
		}
	}
	v, err := d.Verify(context.Background(), "1.0.0")
	require.NoError(t, err)
	require.Empty(t, v.Problems)
	permit(t, d.Path("1.0.0")+"/bin/device-api", filecaps.Set{})
	_, err = d.CreateFactory(context.Background(), "1.0.0", false)
	require.ErrorIs(t, err, versions.ErrMismatch)
}

// Setuid programs were made ordinary ones without a word.
func TestCreateFactoryRefusesSetuidPrograms(t *testing.T) {
	d := newFactoryDevice(t)
	d.byHand("1.0.0")
	program := d.Path("1.0.0") + "/bin/device-api"
	require.NoError(t, os.Chmod(program, 0o755|fs.ModeSetuid))
	report, err := d.CreateFactory(context.Background(), "1.0.0", false)
	require.ErrorIs(t, err, versions.ErrSpecialBits)
	require.ErrorContains(t, err, "bin/device-api")
	require.Len(t, report.Problems, 1)
	info, err := os.Stat(program)
	require.NoError(t, err)
	require.Equal(t, 0o755|fs.ModeSetuid, info.Mode(), "nothing was changed")
}
