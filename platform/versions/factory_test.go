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
	"github.com/tope/updater/platform/versions"
)

// newFactoryDevice makes a device with a shell, which scripts need.
func newFactoryDevice(t *testing.T) *device {
	t.Helper()
	d := newDevice(t)
	put(t, d.root+"/bin/sh", "a shell")
	require.NoError(t, os.Chmod(d.root+"/bin/sh", 0o755))
	return d
}

func TestCreateFactoryOfAPublishedVersion(t *testing.T) {
	d := newFactoryDevice(t)
	d.publish("1.0.0")
	r, err := d.CreateFactory(context.Background(), "1.0.0", false)
	require.NoError(t, err)
	require.False(t, r.Adopted)
	require.Equal(t, "md5:u-1001.0.0", r.Digest)
	require.Equal(t, 2, r.Programs)
	require.Equal(t, 3, r.Files)
	p, err := d.Pointers()
	require.NoError(t, err)
	require.Equal(t, "1.0.0", p.Factory)
	_, err = d.CreateFactory(context.Background(), "1.0.0", false)
	require.NoError(t, err, "again is fine")
}

func TestCreateFactoryAdoptsWhatWasMadeByHand(t *testing.T) {
	d := newFactoryDevice(t)
	d.byHand("1.0.0")
	require.NoError(t, os.Chmod(d.Path("1.0.0")+"/data", 0o777|fs.ModeSetgid))
	put(t, d.Path("1.0.0")+"/..tope-manifest.json.tmp", "left by a cut")
	r, err := d.CreateFactory(context.Background(), "1.0.0", false)
	require.NoError(t, err)
	require.True(t, r.Adopted)
	require.Regexp(t, `^tree:[0-9a-f]{64}$`, r.Digest)
	require.Equal(t, map[string]fs.FileMode{
		".": 0o555, versions.ManifestName: 0o444,
		"bin": 0o555, "bin/device-api": 0o555,
		"services": 0o555, "services/device-api": 0o555, "services/device-api/run": 0o555,
		"data": 0o555, "data/config.json": 0o444,
	}, modes(t, d.Path("1.0.0")))
	state, err := d.State("1.0.0")
	require.NoError(t, err)
	require.Equal(t, versions.Complete, state)

	again, err := d.CreateFactory(context.Background(), "1.0.0", false)
	require.NoError(t, err)
	require.False(t, again.Adopted)
	require.Equal(t, r.Digest, again.Digest)
}

func TestCreateFactoryReplacesOnlyWhenAsked(t *testing.T) {
	d := newFactoryDevice(t)
	d.publish("1.0.0")
	d.publish("1.1.0")
	_, err := d.CreateFactory(context.Background(), "1.0.0", false)
	require.NoError(t, err)
	_, err = d.CreateFactory(context.Background(), "1.1.0", false)
	require.ErrorIs(t, err, versions.ErrFactorySet)
	r, err := d.CreateFactory(context.Background(), "1.1.0", true)
	require.NoError(t, err)
	require.Equal(t, "1.0.0", r.Replaced)

	require.NoError(t, os.Remove(d.in("factory")))
	symlink(t, "/srv/factory", d.in("factory"))
	_, err = d.CreateFactory(context.Background(), "1.1.0", false)
	require.ErrorIs(t, err, versions.ErrFactorySet)
	require.ErrorContains(t, err, "/srv/factory")
}

func TestCreateFactoryRefuses(t *testing.T) {
	machine := uint16(62)
	var uts unix.Utsname
	require.NoError(t, unix.Uname(&uts))
	if unix.ByteSliceToString(uts.Machine[:]) == "x86_64" {
		machine = 183
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		err    error
		says   string
	}{
		{"chmod 0444 over everything", func(t *testing.T, dir string) {
			require.NoError(t, os.Chmod(dir+"/bin/device-api", 0o444))
		}, versions.ErrNotExecutable, "without execute bit"},
		{"a program for another machine", func(t *testing.T, dir string) {
			put(t, dir+"/bin/other", string(elf64(2, machine)))
			require.NoError(t, os.Chmod(dir+"/bin/other", 0o755))
		}, versions.ErrNotExecutable, "another machine"},
		{"an interpreter the device lacks", func(t *testing.T, dir string) {
			put(t, dir+"/bin/device-api", "#!/no/such/python3\n")
		}, versions.ErrNotExecutable, `interpreter "/no/such/python3"`},
		{"a program that is none", func(t *testing.T, dir string) {
			put(t, dir+"/bin/device-api", "\x00\x00\x00\x00")
		}, versions.ErrNotExecutable, "neither"},
		{"a program cut short", func(t *testing.T, dir string) {
			put(t, dir+"/bin/device-api", "\x7fELF\x02\x01")
		}, versions.ErrNotExecutable, "not a whole ELF"},
		{"a file that changed", func(t *testing.T, dir string) {
			put(t, dir+"/data/config.json", `{"version":"6.6.6"}`)
		}, versions.ErrMismatch, "another content"},
		{"a file of no kind", func(t *testing.T, dir string) {
			disktest.In(t, dir, func() {
				require.NoError(t, os.Remove(dir+"/"+versions.ManifestName))
				require.NoError(t, unix.Mkfifo(dir+"/pipe", 0o600))
			})
		}, nil, "neither a file"},
		{"a manifest that is none", func(t *testing.T, dir string) {
			put(t, dir+"/"+versions.ManifestName, "{")
		}, versions.ErrDamaged, "unexpected end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newFactoryDevice(t)
			d.publish("1.0.0")
			c.change(t, d.Path("1.0.0"))
			_, err := d.CreateFactory(context.Background(), "1.0.0", false)
			require.ErrorContains(t, err, c.says)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
			}
			p, err := d.Pointers()
			require.NoError(t, err)
			require.Empty(t, p.Factory)
		})
	}
	_, err := newDevice(t).CreateFactory(context.Background(), "1.0.0", false)
	require.ErrorIs(t, err, versions.ErrNotFound)
}

// The test itself is a program that this machine can start, and so is the shell.
func TestCreateFactoryTakesRealPrograms(t *testing.T) {
	d := newFactoryDevice(t)
	d.publish("1.0.0")
	for name, from := range map[string]string{"self": "/proc/self/exe", "sh": "/bin/sh"} {
		data, err := os.ReadFile(from)
		require.NoError(t, err)
		path := filepath.Join(d.Path("1.0.0"), "bin", name)
		disktest.In(t, filepath.Dir(path), func() { require.NoError(t, os.WriteFile(path, data, 0o755)) })
	}
	library, err := os.ReadFile("/bin/sh") // libc.so.6 names a loader, as programs do
	require.NoError(t, err)
	disktest.In(t, d.Path("1.0.0")+"/services", func() {
		require.NoError(t, os.WriteFile(d.Path("1.0.0")+"/services/libc.so.6", library, 0o644))
	})
	disktest.In(t, d.Path("1.0.0"), func() { require.NoError(t, os.Remove(d.Path("1.0.0")+"/"+versions.ManifestName)) })
	r, err := d.CreateFactory(context.Background(), "1.0.0", false)
	require.NoError(t, err)
	require.Equal(t, 4, r.Programs)
}

// elf64 is the smallest header of an ELF file.
func elf64(kind, machine uint16) []byte {
	h := make([]byte, 64)
	copy(h, "\x7fELF\x02\x01\x01")
	h[16], h[18] = byte(kind), byte(machine)
	return h
}
