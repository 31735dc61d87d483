package hostile_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/native/nativetest"
)

// numbers are lengths, sizes and counts that would make sums overflow.
func numbers() []hostile {
	var list []hostile
	add := func(name, says string, edit func(b *nativetest.Bundle)) {
		list = append(list, hostile{name: name, edit: signed(edit), code: steps.InvalidPackage, says: says})
	}
	for _, c := range []struct {
		name string
		n    int64
	}{
		{"0", 0},
		{"-1", -1},
		{"the least", math.MinInt64},
		{"the most", math.MaxInt64},
		{"the most less a block", math.MaxInt64 - 511},
		{"16 GiB and a byte", native.MaxMember + 1},
	} {
		add("solid of length "+c.name, "its length", func(b *nativetest.Bundle) { b.Release.Payload.Solid.Length = c.n })
		add("member of length "+c.name, "its length", func(b *nativetest.Bundle) { b.Release.Payload.Alone[1].Length = c.n })
		add("patch of length "+c.name, "its length", func(b *nativetest.Bundle) { b.Release.Payload.Patches[0].Length = c.n })
		if c.n != native.MaxMember+1 {
			add("patch of a base of size "+c.name, "its base", func(b *nativetest.Bundle) { b.Release.Payload.Patches[0].BaseSize = c.n })
		}
		if c.n != 0 && c.n != native.MaxMember+1 {
			add("file of size "+c.name, "not what a file may have", func(b *nativetest.Bundle) { b.File("services/app/new").Size = c.n })
		}
	}
	for name, n := range map[string]int{"-1": -1, "the number of files": 9999, "the most": math.MaxInt, "of a link": -2} {
		add("patch for file "+name, "there is no file", func(b *nativetest.Bundle) {
			if n == -2 {
				n = 3
			}
			b.Release.Payload.Patches[0].File = n
		})
	}
	add("files that are more than 16 GiB", "more than the", func(b *nativetest.Bundle) {
		for _, f := range []string{"services/app/same", "services/app/changed", "services/app/new"} {
			b.File(f).Size = 8 << 30
		}
	})
	add("empty file with a digest", "not a SHA-256", func(b *nativetest.Bundle) { b.File("services/app/nothing").SHA256 = nativetest.Digest(nil) })
	add("file without a digest", "not a SHA-256", func(b *nativetest.Bundle) { b.File("services/app/new").SHA256 = "" })
	add("digest in capitals", "not a SHA-256", func(b *nativetest.Bundle) {
		b.File("services/app/new").SHA256 = strings.ToUpper(b.File("services/app/new").SHA256)
	})
	add("digest that is a path", "not a SHA-256", func(b *nativetest.Bundle) { b.Release.Payload.Alone[0].SHA256 = "../../x" })
	add("one content of two sizes", "one content has", func(b *nativetest.Bundle) { b.File("services/app/same").SHA256 = b.File("services/app/new").SHA256 })
	add("too many patches", "more than the", func(b *nativetest.Bundle) {
		b.Release.Payload.Patches = make([]native.Patch, native.MaxPatches+1)
	})
	add("codec nobody knows", "codec", func(b *nativetest.Bundle) { b.Release.Payload.Alone[0].Codec = "xz" })
	add("patch that is none", "codec", func(b *nativetest.Bundle) { b.Release.Payload.Patches[0].Codec = "zstd" })
	return list
}

// unlisted are payloads that have more or less than the list says.
func unlisted() []hostile {
	sha := strings.Repeat("a", 64)
	insert := func(at int, m nativetest.Member) nativetest.Edit {
		return nativetest.Edit{Members: func(all *[]nativetest.Member) {
			*all = append((*all)[:at:at], append([]nativetest.Member{m}, (*all)[at:]...)...)
		}}
	}
	script := nativetest.NewMember("files/"+sha+".zst.sh", []byte("#!/bin/sh\n"))
	list := []hostile{
		{name: "a member at the end", edit: insert(7, script), code: steps.SizeMismatch, says: "signed list makes"},
		{name: "a member in the middle", edit: insert(3, script), code: steps.SizeMismatch, says: "signed list makes"},
		{name: "a member behind the head", edit: insert(2, script), code: steps.SizeMismatch, says: "signed list makes"},
		{name: "a member between the release file and its signature", edit: insert(1, script), code: steps.InvalidPackage, says: "not as it has to be"},
		{name: "a member less", edit: nativetest.Edit{Members: func(m *[]nativetest.Member) { *m = (*m)[:len(*m)-1] }}, code: steps.SizeMismatch, says: "signed list makes"},
		{name: "a member more in the list", edit: signed(func(b *nativetest.Bundle) {
			b.Alone = append(b.Alone, []byte("x"))
			b.Release.Payload.Alone = append(b.Release.Payload.Alone, native.Member{Length: 1, SHA256: sha})
		}), code: steps.InvalidPackage, says: "contents, but"},
		{name: "a member less in the list", edit: signed(func(b *nativetest.Bundle) {
			b.Alone, b.Release.Payload.Alone = b.Alone[1:], b.Release.Payload.Alone[1:]
		}), code: steps.InvalidPackage, says: "contents, but"},
		{name: "no solid member", edit: signed(func(b *nativetest.Bundle) { b.Solid, b.Release.Payload.Solid = nil, nil }), code: steps.InvalidPackage, says: "contents, but"},
		{name: "a payload for no files", edit: signed(func(b *nativetest.Bundle) { b.Release.Files = nil }), code: steps.InvalidPackage, says: "contents, but"},
		{name: "a file whose content nobody has", edit: with(native.File{Path: "services/app/x", Mode: "0644", Size: 4, SHA256: sha}), code: steps.InvalidPackage, says: "contents, but"},
	}
	return list
}

// trailing are sound bundles with data behind the signed part.
func trailing() []hostile {
	behind := func(data []byte) nativetest.Edit {
		return nativetest.Edit{File: func(f []byte) []byte { return append(f, data...) }}
	}
	return []hostile{
		{name: "a byte", edit: behind([]byte{0}), code: steps.SizeMismatch, says: "signed list makes"},
		{name: "a megabyte", edit: behind(make([]byte, 1<<20)), code: steps.SizeMismatch, says: "signed list makes"},
		{name: "a second bundle", edit: nativetest.Edit{File: func(f []byte) []byte { return append(f, f...) }}, code: steps.SizeMismatch, says: "signed list makes"},
		{name: "a tar member", edit: behind(nativetest.NewMember("install.sh", []byte("#!/bin/sh\n")).Header), code: steps.SizeMismatch, says: "signed list makes"},
		{name: "a byte, with the solid member wanted", edit: behind([]byte{0}), bare: true, code: steps.SizeMismatch, says: "signed list makes"},
		{name: "a byte less", edit: nativetest.Edit{File: func(f []byte) []byte { return f[:len(f)-1] }}, code: steps.SizeMismatch, says: "signed list makes"},
		{name: "half of it", edit: nativetest.Edit{File: func(f []byte) []byte { return f[:len(f)/2] }}, code: steps.SizeMismatch, says: "signed list makes"},
		{name: "the head alone", edit: nativetest.Edit{Members: func(m *[]nativetest.Member) { *m = (*m)[:2] }}, code: steps.SizeMismatch, says: "signed list makes"},
		{name: "a second frame in the release file", edit: nativetest.Edit{Members: func(m *[]nativetest.Member) {
			(*m)[0] = nativetest.NewMember(native.ReleaseName, bytes.Repeat((*m)[0].Data, 2))
		}}, code: steps.BadSignature, says: "did not sign"},
		{name: "a skippable frame in the release file", edit: nativetest.Edit{Members: func(m *[]nativetest.Member) {
			(*m)[0] = nativetest.NewMember(native.ReleaseName, append(bytes.Clone((*m)[0].Data), "\x50\x2a\x4d\x18\x04\x00\x00\x00evil"...))
		}}, code: steps.BadSignature, says: "did not sign"},
		{name: "a zero byte in the release file", edit: nativetest.Edit{Members: func(m *[]nativetest.Member) {
			(*m)[0] = nativetest.NewMember(native.ReleaseName, append(bytes.Clone((*m)[0].Data), 0))
		}}, code: steps.BadSignature, says: "did not sign"},
		{name: "a byte less in the release file", edit: nativetest.Edit{Members: func(m *[]nativetest.Member) {
			(*m)[0] = nativetest.NewMember(native.ReleaseName, (*m)[0].Data[:len((*m)[0].Data)-1])
		}}, code: steps.BadSignature, says: "did not sign"},
		{name: "a bit of the release file", edit: nativetest.Edit{Members: func(m *[]nativetest.Member) {
			data := bytes.Clone((*m)[0].Data)
			data[len(data)/2] ^= 4
			(*m)[0] = nativetest.NewMember(native.ReleaseName, data)
		}}, code: steps.BadSignature, says: "did not sign"},
	}
}

func TestIntegersThatOverflow(t *testing.T) {
	attack(t, nativetest.New(t), numbers())
}

// Mender installed payload files that its manifest did not name.
func TestPayloadFilesNotInTheManifest_Mender_CVE_2025_67903(t *testing.T) {
	attack(t, nativetest.New(t), unlisted())
}

// RAUC checked the signature of a part, and took the data behind it.
func TestTrailingDataBehindWhatWasSigned_RAUC_CVE_2026_34155(t *testing.T) {
	attack(t, nativetest.New(t), trailing())
}
