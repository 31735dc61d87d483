package filesystems_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/filecaps"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/pack"
)

// product is the device's.
const product = "edge"

// data is the directory that releases write to, in a version and in shared.
const data = "services/web-server/data"

// capable is the program of bundles that has capabilities.
const capable = "bin/device-api"

// capabilities are cap_net_bind_service=ep.
func capabilities() filecaps.Set { return filecaps.Set{Permitted: 1 << 10, Effective: true} }

// kills is the health hook of a release that kills the updater which runs it, once on a
// device: as long as the file is not there.
func kills(version string) string {
	file := "../../../killed-" + version
	return "test -e " + file + " || { touch " + file + "; kill -9 $PPID; }"
}

// releases are the bundles that all devices install. They are made once.
type releases struct {
	programs fixtures.Programs
	public   []byte
	key      minisign.PrivateKey
	dir      string
}

func newReleases(t *testing.T) *releases {
	t.Helper()
	public, key, err := minisign.GenerateKey(nil)
	require.NoError(t, err)
	text, err := public.MarshalText()
	require.NoError(t, err)
	r := &releases{programs: builttest.Services(t), public: append(text, '\n'), key: key, dir: t.TempDir()}
	_, err = r.programs.Package(r.dir, fixtures.Release{Version: "1.1.0"})
	require.NoError(t, err)
	for _, release := range []fixtures.Release{{Version: "1.2.0"}, {Version: "1.3.0", DeviceAPI: "exit"}, {Version: rebuilt}, {Version: "1.8.0"}, {Version: "1.9.0"}} {
		r.tope(t, release, "true")
	}
	r.tope(t, fixtures.Release{Version: "1.6.0"}, kills("1.6.0"))
	r.tope(t, fixtures.Release{Version: "1.7.0"}, kills("1.7.0"))
	return r
}

func (r *releases) zip(version string) string    { return filepath.Join(r.dir, "tope-"+version+".zip") }
func (r *releases) bundle(version string) string { return filepath.Join(r.dir, version+".tope") }

// tope makes a signed bundle, with a program that has capabilities. Its post-switch hook writes to the data, of which a
// snapshot is asked for, and its health hook runs a shell command.
func (r *releases) tope(t *testing.T, release fixtures.Release, health string) {
	t.Helper()
	tree, version := t.TempDir(), release.Version
	r.lay(t, tree, release)
	program, err := os.Open(filepath.Join(tree, capable))
	require.NoError(t, err)
	require.NoError(t, capabilities().Apply(program))
	require.NoError(t, program.Close())
	plant(t, filepath.Join(tree, "hooks/wrote"), "#!/bin/sh\necho "+version+" >"+data+"/db && rm -rf "+data+"/deep && mkdir -p "+data+"/new\n", 0o755)
	plant(t, filepath.Join(tree, "hooks/health"), "#!/bin/sh\n"+health+"\n", 0o755)
	limits := bundle.DefaultLimits()
	scanned, err := pack.Scan(tree, limits)
	require.NoError(t, err)
	quick := pack.FindCompressor()
	quick.Level = 1
	b, err := pack.Build(t.Context(), pack.Options{
		Tree: scanned, Limits: limits, Scratch: t.TempDir(), Compressor: quick,
		Release: native.Release{
			Product: product, Version: version, Services: []string{fixtures.DeviceAPI, fixtures.WebServer},
			Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			Brought: versions.Brought{
				Hooks:    map[versions.Hook]string{versions.PostSwitch: "hooks/wrote", versions.HealthHook: "hooks/health"},
				Writable: []versions.Writable{{Path: data, Snapshot: true}},
			},
		},
	})
	require.NoError(t, err)
	b.Sign(r.key)
	require.NoError(t, b.WriteFile(r.bundle(version)))
}

// lay writes the files of a release below dir.
func (r *releases) lay(t *testing.T, dir string, release fixtures.Release) {
	t.Helper()
	packed, err := r.programs.Zip(release)
	require.NoError(t, err)
	in, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	require.NoError(t, err)
	for _, f := range in.File {
		if f.Name == "manifest.json" {
			continue
		}
		from, err := f.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(from)
		require.NoError(t, err)
		plant(t, filepath.Join(dir, f.Name), string(content), f.Mode())
	}
}

func plant(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), mode))
}
