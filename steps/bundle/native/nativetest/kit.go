package nativetest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/pack"
)

// The sound bundle's description of itself.
const (
	Product  = "tope-device"
	Hardware = "rev-c"
	Version  = "1.1.0"
	Epoch    = 5
)

// Kit makes bundles. It is safe for concurrent use once it is made.
type Kit struct {
	// Key is the key that devices trust; Stranger is a key that they do not know.
	Key, Stranger minisign.PrivateKey
	// Pub is the content of Key's .pub file.
	Pub []byte

	parts Bundle
}

// Bundle is a bundle in parts: the release file, and the members it names.
type Bundle struct {
	Release native.Release
	Solid   []byte
	// Alone and Patches are in the order of Release.Payload.
	Alone, Patches [][]byte
}

// Noise is n bytes that cannot be compressed, always the same for a seed.
func Noise(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

// edited is data with a few bytes changed, as from release to release.
func edited(data []byte, version byte) []byte {
	data = bytes.Clone(data)
	for i := 500; i < len(data); i += 4000 {
		data[i] ^= version
	}
	return data
}

// Old are the files of the release before: one is in the new one as it was, one
// has changed a little.
func Old() map[string][]byte {
	return map[string][]byte{
		"services/app/same":    Noise(12<<10, 1),
		"services/app/changed": edited(Noise(12<<10, 1), 1),
	}
}

// Files are the files of the sound bundle. A device that has none of them takes the
// solid member, in which "same" and "changed" together are little larger than one of
// them. A device that has Old copies "same", patches "changed" and fetches "new".
func Files() map[string][]byte {
	return map[string][]byte{
		"services/app/same":    Noise(12<<10, 1),
		"services/app/changed": edited(Noise(12<<10, 1), 2),
		"services/app/new":     append(bytes.Repeat([]byte("new "), 600), Noise(3000, 3)...),
		"services/app/nothing": nil,
		"bin/tool":             []byte("#!/bin/sh\nexit 0\n"),
	}
}

// Plant writes files below dir, programs below bin.
func Plant(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		mode := os.FileMode(0o644)
		if filepath.Dir(name) == "bin" {
			mode = 0o755
		}
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, data, mode))
	}
}

// Release is the sound bundle's release file without the list of files.
func Release() native.Release {
	return native.Release{
		Product: Product, Hardware: []string{"rev-b", Hardware}, Version: Version, Epoch: Epoch,
		Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Notes: map[string]string{"en": "small repairs"},
	}
}

// New makes a kit.
func New(t testing.TB) *Kit {
	t.Helper()
	public, key, err := minisign.GenerateKey(nil)
	require.NoError(t, err)
	_, stranger, err := minisign.GenerateKey(nil)
	require.NoError(t, err)
	pub, err := public.MarshalText()
	require.NoError(t, err)
	return &Kit{Key: key, Stranger: stranger, Pub: append(pub, '\n'), parts: sound(t, key)}
}

// sound has package pack make the bundle, with the Go encoder, and takes it apart.
func sound(t testing.TB, key minisign.PrivateKey) Bundle {
	t.Helper()
	old, dir := t.TempDir(), t.TempDir()
	Plant(t, old, Old())
	Plant(t, dir, Files())
	require.NoError(t, os.Symlink("same", filepath.Join(dir, "services/app/link")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "services/app/empty"), 0o755))
	limits := bundle.DefaultLimits()
	tree, err := pack.Scan(dir, limits)
	require.NoError(t, err)
	base, err := pack.OpenBase(context.Background(), old, t.TempDir(), limits)
	require.NoError(t, err)
	b, err := pack.Build(context.Background(), pack.Options{
		Tree: tree, Release: Release(), Bases: []*pack.Base{base}, Limits: limits, Scratch: t.TempDir(),
	})
	require.NoError(t, err)
	b.Sign(key)
	var out bytes.Buffer
	_, err = b.WriteTo(&out)
	require.NoError(t, err)
	require.Len(t, b.Release.Payload.Patches, 1, "there is something to patch")

	l := b.Release.Layout(int64(len(pack.Head(b.Packed, b.Signature))))
	at := func(s native.Span) []byte { return bytes.Clone(out.Bytes()[s.Offset:s.End()]) }
	parts := Bundle{Release: b.Release, Solid: at(l.Solid)}
	for _, s := range l.Alone {
		parts.Alone = append(parts.Alone, at(s))
	}
	for _, s := range l.Patches {
		parts.Patches = append(parts.Patches, at(s))
	}
	return parts
}
