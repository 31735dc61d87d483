package supply

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/native/nativetest"
)

// planFrom makes a head, and the contents of a device, from data: three bytes for each
// content.
func planFrom(data []byte) (*native.Head, map[string]string) {
	r := &native.Release{}
	have := map[string]string{}
	r.Payload.Solid = &native.Member{Length: 1, SHA256: nativetest.Digest(nil)}
	for i := 0; i+2 < len(data) && i < 300; i += 3 {
		sha := nativetest.Digest(fmt.Append(nil, i))
		base := nativetest.Digest(fmt.Append(nil, "base", data[i]%8))
		r.Files = append(r.Files, native.File{Path: fmt.Sprintf("f%03d", i), Mode: "0644", Size: int64(data[i])*1000 + 1, SHA256: sha})
		r.Payload.Alone = append(r.Payload.Alone, native.Member{Length: int64(data[i+1]) + 1, SHA256: sha})
		r.Payload.Solid.Length += int64(data[i+1]) / 2
		if data[i+2]&1 != 0 {
			have[sha] = "1.0.0/" + sha
		}
		if data[i+2]&2 != 0 {
			have[base] = "1.0.0/" + base
		}
		if data[i+2]&4 != 0 {
			r.Payload.Patches = append(r.Payload.Patches, native.Patch{
				File: len(r.Files) - 1, Base: base, BaseSize: int64(data[i+2])*500 + 1, Member: native.Member{Length: int64(data[i+2]) + 1, SHA256: sha},
			})
		}
	}
	h := &native.Head{Size: 4096, Release: r, Digest: "sha256:x"}
	h.Layout = r.Layout(h.Size)
	return h, have
}

// For any contents on the device: each content has a source that exists, the pieces lie
// in the file and do not overlap, and no plan costs more than the solid member.
func FuzzChoose(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 200, 100, 7}, int64(100_000), true)
	f.Add([]byte{1, 2, 0, 4, 5, 0, 200, 100, 0}, int64(100_000), false)
	f.Add([]byte{1, 2, 1}, int64(0), true)
	f.Fuzz(func(t *testing.T, data []byte, maxPatch int64, ranged bool) {
		h, have := planFrom(data)
		if len(h.Release.Files) == 0 {
			return
		}
		contents, pay := h.Release.Contents(), h.Release.Payload
		p := choose(h, have, maxPatch, ranged)
		require.NoError(t, p.valid(h))
		if p.Solid {
			require.Equal(t, []int{-1}, p.fetch())
		} else {
			require.Len(t, p.Contents, len(contents))
		}
		var cost int64
		var spans []native.Span
		for _, i := range p.fetch() {
			s, digest := p.piece(h, i)
			require.Len(t, digest, 64)
			cost += s.Length
			spans = append(spans, s)
		}
		require.LessOrEqual(t, cost, max(pay.Solid.Length, 0), "%+v", p)
		slices.SortFunc(spans, func(a, b native.Span) int { return int(a.Offset - b.Offset) })
		at := h.Size
		for _, s := range spans {
			require.GreaterOrEqual(t, s.Offset, at)
			at = s.End()
		}
		require.LessOrEqual(t, at, h.Layout.Total-1024)
		for i, s := range p.Contents {
			switch {
			case s.Patch > 0:
				patch := pay.Patches[s.Patch-1]
				require.Equal(t, contents[i].File, patch.File)
				require.Equal(t, have[patch.Base], s.At)
				require.LessOrEqual(t, max(patch.BaseSize, contents[i].Size, patch.Length), maxPatch)
				require.Less(t, patch.Length, pay.Alone[i].Length)
			case s.At != "":
				require.Equal(t, have[contents[i].SHA256], s.At)
			}
		}
	})
}
