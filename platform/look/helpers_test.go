package look_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
)

// device is a device below a temporary root, with its store.
type device struct {
	*versions.Store
	t    *testing.T
	root disk.Root
}

func newDevice(t *testing.T) *device {
	t.Helper()
	root, err := disk.NewRoot(t.TempDir())
	require.NoError(t, err)
	store, err := versions.Open(versions.Config{
		Create: true, Root: root, Versions: "/opt/tope/versions", Services: "/opt/tope/services", Bin: "/usr/local/bin",
	})
	require.NoError(t, err)
	return &device{store, t, root}
}

// publish installs a version with these programs.
func (d *device) publish(version string, programs ...string) {
	d.t.Helper()
	update := "u-" + strings.ReplaceAll(version, ".", "-")
	m := &versions.Manifest{Version: version, Digest: "md5:" + version}
	content := []byte("#!/bin/sh\n")
	sum := sha256.Sum256(content)
	for _, path := range programs {
		host := filepath.Join(d.Staging(update), path)
		require.NoError(d.t, os.MkdirAll(filepath.Dir(host), 0o755))
		require.NoError(d.t, os.WriteFile(host, content, 0o755))
		m.Files = append(m.Files, versions.File{
			Path: path, Type: versions.TypeFile, Mode: 0o555, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]),
		})
	}
	require.NoError(d.t, d.Publish(d.t.Context(), update, m))
	d.t.Cleanup(func() { require.NoError(d.t, disk.RemoveTree(d.Path(version))) })
}

// file writes a device's file.
func (d *device) file(path, content string) {
	d.t.Helper()
	path = filepath.Join(d.root.Dir(), path)
	require.NoError(d.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(d.t, os.WriteFile(path, []byte(content), 0o644))
}

// link puts a link into the versions directory.
func (d *device) link(name, target string) {
	d.t.Helper()
	path := filepath.Join(d.Dir(), name)
	require.NoError(d.t, os.RemoveAll(path))
	require.NoError(d.t, os.Symlink(target, path))
}
