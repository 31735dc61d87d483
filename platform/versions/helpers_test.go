package versions_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/versions"
)

// device is a device below a temporary root, with its store.
type device struct {
	*versions.Store
	t    testing.TB
	root string
}

func newDevice(t testing.TB) *device {
	t.Helper()
	root, err := filepath.EvalSymlinks(disktest.TempDir(t))
	require.NoError(t, err)
	d := &device{t: t, root: root}
	d.open()
	return d
}

// open opens the store as a new process would.
func (d *device) open() {
	d.t.Helper()
	root, err := disk.NewRoot(d.root)
	require.NoError(d.t, err)
	d.Store, err = versions.Open(versions.Config{
		Create: true,
		Root:   root, Versions: "/opt/tope/versions", Services: "/opt/tope/services",
		Bin: "/usr/local/bin", Shared: "/opt/tope/shared", Clock: clocktest.New(),
	})
	require.NoError(d.t, err)
}

// in is the host path of something in the versions directory.
func (d *device) in(name string) string { return filepath.Join(d.Dir(), name) }

// release is what a test stages: content by path; a path that ends in "!" is
// executable, a content that begins with "->" is a link.
type release map[string]string

func program(text string) string { return "#!/bin/sh\n" + text + "\n" }

func plain(version string) release {
	return release{
		"bin/device-api!":          program("echo " + version),
		"services/device-api/run!": program("exec device-api"),
		"data/config.json":         `{"version":"` + version + `"}`,
	}
}

// stage puts a release into an update's staging directory and describes it as
// the Extract step would.
func (d *device) stage(update, version string, r release) *versions.Manifest {
	d.t.Helper()
	return &versions.Manifest{
		Version: version, Digest: "md5:" + update + version, Files: d.write(d.Staging(update), r),
	}
}

func (d *device) write(dir string, r release) []versions.File {
	d.t.Helper()
	var files []versions.File
	for name, content := range r {
		mode := fs.FileMode(0o644)
		if trimmed := name[:len(name)-1]; name[len(name)-1] == '!' {
			name, mode = trimmed, 0o755
		}
		path := filepath.Join(dir, name)
		require.NoError(d.t, os.MkdirAll(filepath.Dir(path), 0o755))
		if len(content) > 2 && content[:2] == "->" {
			require.NoError(d.t, os.Symlink(content[2:], path))
			files = append(files, versions.File{Path: name, Type: versions.TypeLink, Target: content[2:]})
			continue
		}
		require.NoError(d.t, os.WriteFile(path, []byte(content), mode))
		sum := sha256.Sum256([]byte(content))
		files = append(files, versions.File{
			Path: name, Type: versions.TypeFile, Mode: uint32(mode), Size: int64(len(content)),
			SHA256: hex.EncodeToString(sum[:]),
		})
	}
	return files
}

// publish installs a version, as an update of its own.
func (d *device) publish(version string) {
	d.t.Helper()
	update := "u-" + digits(version)
	require.NoError(d.t, d.Publish(context.Background(), update, d.stage(update, version, plain(version))))
}

// byHand installs a version as a person does: without a manifest.
func (d *device) byHand(version string) {
	d.t.Helper()
	d.write(d.Path(version), plain(version))
}

func (d *device) point(pointer, version string) {
	d.t.Helper()
	require.NoError(d.t, d.Point(pointer, version))
}

// has compares the names in the versions directory.
func (d *device) has(want ...string) {
	d.t.Helper()
	require.ElementsMatch(d.t, want, list(d.t, d.Dir()))
}

func list(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func digits(version string) string {
	var out []byte
	for i := range len(version) {
		if c := version[i]; c >= '0' && c <= '9' || c >= 'a' && c <= 'z' {
			out = append(out, c)
		}
	}
	return string(out)
}

// modes is each entry's permissions, by path.
func modes(t testing.TB, dir string) map[string]fs.FileMode {
	t.Helper()
	got := make(map[string]fs.FileMode)
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		rel, err := filepath.Rel(dir, path)
		got[rel] = info.Mode().Perm()
		return err
	}))
	return got
}

func symlink(t testing.TB, target, path string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.Symlink(target, path))
}

func put(t testing.TB, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	disktest.Overwrite(t, path, content)
}
