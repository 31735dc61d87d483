package hostile_test

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/native/nativetest"
)

// remade changes the members, and has the publisher sign the result.
func remade(edit func(b *nativetest.Bundle)) nativetest.Edit {
	return signed(func(b *nativetest.Bundle) {
		edit(b)
		b.Sum()
	})
}

// contents are payloads that differ from the list: they were replaced on the way,
// or the publisher signed members that do not give the listed content.
func contents(t *testing.T) []hostile {
	alone := func(f func(was []byte) []byte) nativetest.Edit {
		return remade(func(b *nativetest.Bundle) {
			i := b.Content("services/app/new")
			b.Alone[i] = f(b.Alone[i])
		})
	}
	solid := func(f func(was []byte) []byte) nativetest.Edit {
		return remade(func(b *nativetest.Bundle) { b.Solid = f(b.Solid) })
	}
	content := nativetest.Files()["services/app/new"]
	list := []hostile{
		{name: "member of another content", edit: alone(func([]byte) []byte { return nativetest.Compress(t, append([]byte("N"), content[1:]...)) }), says: "its SHA-256 is"},
		{name: "member that unpacks to less", edit: alone(func([]byte) []byte { return nativetest.Compress(t, content[1:]) }), says: "not the"},
		{name: "member that unpacks to nothing", edit: alone(func([]byte) []byte { return nativetest.Compress(t, nil, zstd.WithZeroFrames(true)) }), says: "not the"},
		{name: "member that unpacks to a byte more", edit: alone(func([]byte) []byte { return nativetest.Compress(t, append(bytes.Clone(content), 0)) }), says: "more than the"},
		{name: "member that unpacks to 24 MiB", edit: alone(func([]byte) []byte {
			return bytes.Repeat(nativetest.Compress(t, make([]byte, 8<<20)), 3)
		}), says: "more than the"},
		{name: "member of two frames", edit: alone(func(was []byte) []byte { return append(bytes.Clone(was), was...) }), says: "more than the"},
		{name: "member with something behind its frame", edit: alone(func(was []byte) []byte { return append(bytes.Clone(was), "evil"...) }), says: "cannot be decompressed"},
		{name: "member that is cut off", edit: alone(func(was []byte) []byte { return was[:len(was)-9] }), says: "cannot be decompressed"},
		{name: "member that is not compressed", edit: alone(func([]byte) []byte { return content }), says: "cannot be decompressed"},
		{name: "member with a window of 16 MiB", edit: alone(func(was []byte) []byte { return window(was, 24) }), says: "window size"},
		{name: "member with a window of 2 TiB", edit: alone(func(was []byte) []byte { return window(was, 41) }), says: "window size"},
		{name: "member of one segment of 16 MiB", edit: alone(func([]byte) []byte { return hugeSegment(16 << 20) }), says: "cannot be decompressed"},
		{name: "member of one segment of 2 TiB", edit: alone(func([]byte) []byte { return hugeSegment(2 << 40) }), says: "cannot be decompressed"},
		{name: "member with the reserved bit", edit: alone(func(was []byte) []byte {
			was = bytes.Clone(was)
			was[4] |= 8
			return was
		}), says: "cannot be decompressed"},
		{name: "member with a block that is corrupt", edit: alone(func(was []byte) []byte {
			was = window(was, 20)
			was[6] |= 6 // the type of its first block: the number is not in use
			return was
		}), says: "cannot be decompressed"},
		{name: "member that needs a dictionary", edit: alone(func([]byte) []byte {
			return nativetest.Compress(t, content, zstd.WithEncoderDictRaw(7, content))
		}), says: "cannot be decompressed"},
		{name: "members swapped", edit: remade(func(b *nativetest.Bundle) {
			i, j := b.Content("services/app/new"), b.Content("bin/tool")
			b.Alone[i], b.Alone[j] = b.Alone[j], b.Alone[i]
		}), says: "declares"},
		{name: "solid that is cut off", bare: true, edit: solid(func(was []byte) []byte { return was[:len(was)-9] }), says: "cannot be decompressed"},
		{name: "solid that is not compressed", bare: true, edit: solid(func([]byte) []byte { return content }), says: "cannot be decompressed"},
		{name: "solid of other contents", bare: true, edit: solid(func([]byte) []byte { return nativetest.Compress(t, nativetest.Noise(20<<10, 9)) }), says: "its SHA-256 is"},
		{name: "solid that ends early", bare: true, edit: solid(func([]byte) []byte { return nativetest.Compress(t, []byte("#!/bin/sh\nexit 0\n")) }), says: "not the"},
		{name: "solid with more behind the files", bare: true, edit: solid(func(was []byte) []byte {
			return append(bytes.Clone(was), nativetest.Compress(t, []byte("evil"))...)
		}), says: "more than the"},
		{name: "solid with a bomb behind the files", bare: true, edit: solid(func(was []byte) []byte {
			return append(bytes.Clone(was), bytes.Repeat(nativetest.Compress(t, make([]byte, 8<<20)), 3)...)
		}), says: "more than the"},
		{name: "solid with a window of 16 MiB", bare: true, edit: solid(func(was []byte) []byte { return window(was, 24) }), says: "window size"},
		{name: "ratio of 1000 to 1", edit: remade(func(b *nativetest.Bundle) {
			zeros := make([]byte, 64<<20)
			b.File("services/app/new").Size, b.File("services/app/new").SHA256 = int64(len(zeros)), nativetest.Digest(zeros)
			b.Alone[b.Content("services/app/new")] = nativetest.Compress(t, zeros)
		}), says: "to one"},
	}
	for i := range list {
		list[i].code = steps.InvalidPackage
	}
	return list
}

// wrongBytes are payloads that were changed on the way. Each piece is fetched
// twice before the bundle is refused.
func wrongBytes() []hostile {
	flip := func(member int) nativetest.Edit {
		return nativetest.Edit{Members: func(m *[]nativetest.Member) {
			data := bytes.Clone((*m)[member].Data)
			data[len(data)/2] ^= 1
			(*m)[member].Data = data
		}}
	}
	var list []hostile
	for _, c := range []struct {
		name string
		edit nativetest.Edit
		bare bool
	}{
		{"a bit of the first member", flip(3), false},
		{"a bit of another member", flip(5), false},
		{"a bit of the solid member", flip(2), true},
		{"members moved by a byte", nativetest.Edit{Members: func(m *[]nativetest.Member) {
			for i, was := range (*m)[2:] {
				data := append([]byte{0}, was.Data[:len(was.Data)-1]...)
				(*m)[2+i].Data = data
			}
		}}, false},
		{"zeros for the payload", nativetest.Edit{Members: func(m *[]nativetest.Member) {
			for i := range (*m)[2:] {
				(*m)[2+i].Data = make([]byte, len((*m)[2+i].Data))
			}
		}}, false},
	} {
		list = append(list, hostile{name: c.name, edit: c.edit, bare: c.bare, code: steps.InvalidPackage, says: "not what was signed"})
	}
	return list
}

// A member whose frame asks for more memory than there is, and contents that
// unpack to other than was declared.
func TestContentsThatAreNotWhatTheListSays_ZstdBombs(t *testing.T) {
	attack(t, nativetest.New(t), contents(t))
}

func TestPayloadsThatWereChangedOnTheWay(t *testing.T) {
	attack(t, nativetest.New(t), wrongBytes())
}
