package pack_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/pack"
)

var created = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A device can apply the Go encoder's patches, however small the file is: a zstd frame
// need not say its size, but a patch must.
func TestPatchesOfAnySizeApply(t *testing.T) {
	for _, size := range []int{90, 255, 256, 257, 1023, 1024, 1025, 70_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := t.TempDir()
			content := func(version string) []byte {
				var b bytes.Buffer
				for i := 0; b.Len() < size; i++ {
					fmt.Fprintf(&b, "%d %x of version %s\n", i, i*i*i*7919, version)
				}
				return b.Bytes()[:size]
			}
			before, after := content("1.0.0"), content("1.1.0")
			for name, data := range map[string][]byte{"old": before, "new": after} {
				require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(dir, name, "file"), data, 0o644))
			}
			ctx, limits := context.Background(), bundle.DefaultLimits()
			base, err := pack.OpenBase(ctx, filepath.Join(dir, "old"), dir, limits)
			require.NoError(t, err)
			tree, err := pack.Scan(filepath.Join(dir, "new"), limits)
			require.NoError(t, err)
			b, err := pack.Build(ctx, pack.Options{
				Tree: tree, Release: native.Release{Product: "test", Version: "1.1.0", Created: created}, Bases: []*pack.Base{base},
				Limits: limits, Scratch: dir,
			})
			require.NoError(t, err)
			patches := b.Release.Payload.Patches
			require.Len(t, patches, 1)

			var out bytes.Buffer
			_, err = b.WriteTo(&out)
			require.NoError(t, err)
			begin := pack.Head(b.Packed, b.Signature)
			h, err := native.ReadHead(begin, limits, func([]byte, []byte) error { return nil })
			require.NoError(t, err)
			at := h.Layout.Patches[0]
			got, err := native.ApplyPatch(before, out.Bytes()[at.Offset:at.End()], int64(size))
			require.NoError(t, err)
			require.True(t, bytes.Equal(after, got))
		})
	}
}

// What gets no patch is told for each earlier release by itself, with the reason; what a
// device has already is not told.
func TestWhatGetsNoPatch(t *testing.T) {
	dir, limits := t.TempDir(), bundle.DefaultLimits()
	text := func(version string) []byte { return bytes.Repeat([]byte("as it is in every "+version+"\n"), 30) }
	plant := func(name string, files map[string][]byte) string {
		tree := filepath.Join(dir, name)
		for f, data := range files {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(tree, f)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(tree, f), data, 0o644))
		}
		return tree
	}
	scratch := filepath.Join(dir, "scratch")
	require.NoError(t, os.Mkdir(scratch, 0o755))
	var bases []*pack.Base
	for _, tree := range []string{
		plant("one", map[string][]byte{"same": []byte("same"), "text-1": text("one"), "large": make([]byte, 5000)}),
		plant("two", map[string][]byte{"text-2": text("three"), "odd": []byte("y")}),
	} {
		base, err := pack.OpenBase(t.Context(), tree, scratch, limits)
		require.NoError(t, err)
		base.Name = filepath.Base(tree)
		bases = append(bases, base)
	}
	tree, err := pack.Scan(plant("new", map[string][]byte{
		"same": []byte("same"), "text-3": text("three"), "large": make([]byte, 6000), "odd": []byte("x"), "empty": nil,
	}), limits)
	require.NoError(t, err)
	b, err := pack.Build(t.Context(), pack.Options{
		Tree: tree, Release: native.Release{Product: "test", Version: "1.1.0", Created: created}, Bases: bases,
		MaxPatch: 4000, Limits: limits, Scratch: scratch,
	})
	require.NoError(t, err)
	require.Len(t, b.Release.Payload.Patches, 1, "text-3, from one")
	got := map[string]pack.Why{}
	for _, u := range b.Unpatched {
		require.Positive(t, u.Fetch)
		got[u.From+": "+u.Path] = u.Why
	}
	require.Equal(t, map[string]pack.Why{
		"one: large": pack.TooLarge, "one: odd": pack.NoBase,
		"two: same": pack.NoBase, "two: large": pack.NoBase, "two: odd": pack.NoGain,
	}, got)
}
