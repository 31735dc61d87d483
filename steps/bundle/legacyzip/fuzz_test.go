package legacyzip_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	bt "github.com/tope/updater/steps/bundle/bundletest"
)

// small keeps the fuzzer fast and its bombs little.
func small() bundle.Limits {
	return bundle.Limits{Entries: 200, File: 1 << 20, Total: 4 << 20}
}

// For any bytes, the reader refuses them, or it yields paths that can be installed and
// the same contents as archive/zip.
func FuzzZip(f *testing.F) {
	f.Add(bt.Package("1.2.0").Bytes())
	f.Add(zip64(bt.Package("1.2.0")).Bytes())
	for _, c := range append(hostilePackages(), hostileManifests()...) {
		if len(c.data) < 4096 {
			f.Add(c.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := open(t, data, small())
		if err != nil {
			require.NotEqual(t, steps.Internal, steps.AsError(err).Code, "%v", err)
			return
		}
		requireInstallable(t, b)
		requireSameAsStandard(t, data, b)
	})
}

func FuzzManifest(f *testing.F) {
	f.Add(bt.Package("1.2.0").Entries[0].Data)
	for _, c := range hostileManifests() {
		if b := manifestIn(c.data); b != nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		z := bt.Zip{Entries: []bt.Entry{{Name: "manifest.json", Data: text, Store: true}, file("app/run"), file("web/run"), file("x")}}
		b, err := open(t, z.Bytes(), small())
		if err != nil {
			require.Equal(t, steps.Refused, steps.AsError(err).Class, "%v", err)
			return
		}
		requireInstallable(t, b)
	})
}

// manifestIn is the text between the first local header and the next record.
func manifestIn(data []byte) []byte {
	const header = 30 + len("manifest.json")
	if len(data) < header || string(data[30:header]) != "manifest.json" {
		return nil
	}
	n := int(le.Uint32(data[18:]))
	if header+n > len(data) {
		return nil
	}
	return data[header : header+n]
}

// requireInstallable checks the promises of every bundle.
func requireInstallable(t *testing.T, b bundle.Bundle) {
	t.Helper()
	tree, files := bundle.NewTree(), 0
	for e, err := range b.Entries() {
		require.NoError(t, err)
		require.NoError(t, bundle.CheckPath(e.Path, bundle.DefaultLimits()))
		require.NoError(t, tree.Add(e.Path, e.Type))
		require.Zero(t, e.Mode&^0o777)
		if e.Type == bundle.Link {
			require.NoError(t, bundle.CheckTarget(e.Path, e.Target, bundle.DefaultLimits()))
		}
		if e.Type != bundle.Dir {
			files++
		}
	}
	require.Equal(t, files, b.Totals().Files)
	require.NotEmpty(t, b.Release().Version)
}
