package hostile_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/native/nativetest"
)

// replace edits the release file's JSON, once.
func replace(old, text string) nativetest.Edit {
	return nativetest.Edit{Text: func(s string) string { return strings.Replace(s, old, text, 1) }}
}

// texts are release files that two programs could read differently, or that none can read.
func texts() []hostile {
	put := func(text string) nativetest.Edit { return replace(`{"schema":1`, `{`+text+`"schema":1`) }
	list := []hostile{
		{name: "key twice", edit: replace(`"schema":1`, `"schema":1,"schema":1`), says: "twice"},
		{name: "version twice", edit: put(`"version":"9.9.9",`), says: "twice"},
		{name: "files twice", edit: put(`"files":[],`), says: "twice"},
		{name: "key twice in a file", edit: replace(`{"path":"bin/tool"`, `{"path":"bin/evil","path":"bin/tool"`), says: "twice"},
		{name: "key twice in a member", edit: replace(`"solid":{`, `"solid":{"length":1,`), says: "twice"},
		{name: "note twice", edit: replace(`"en":`, `"en":"x","en":`), says: "twice"},
		{name: "key twice by an escape", edit: put(`"v\u0065rsion":"9.9.9",`), says: "twice"},
		{name: "key in capitals", edit: replace(`"version"`, `"Version"`), says: "unknown"},
		{name: "key twice in another case", edit: put(`"VERSION":"9.9.9",`), says: "unknown"},
		{name: "key twice with a long s", edit: put(`"fileſ":[],`), says: "unknown"},
		{name: "key with a Kelvin sign", edit: put(`"hooKs":{},`), says: "unknown"},
		{name: "unknown key", edit: put(`"commands":["rm -rf /"],`), says: "unknown"},
		{name: "unknown key in a file", edit: replace(`{"path":"bin/tool"`, `{"owner":"root","path":"bin/tool"`), says: "unknown"},
		{name: "offset in a member", edit: replace(`"solid":{`, `"solid":{"offset":0,`), says: "unknown"},
		{name: "two documents", edit: nativetest.Edit{Text: func(s string) string { return s + s }}, says: "behind the end"},
		{name: "something behind it", edit: nativetest.Edit{Text: func(s string) string { return s + "x" }}, says: "cannot be read"},
		{name: "a zero byte behind it", edit: nativetest.Edit{Text: func(s string) string { return s + "\x00" }}, says: "cannot be read"},
		{name: "a byte order mark", edit: nativetest.Edit{Text: func(s string) string { return "\ufeff" + s }}, says: "cannot be read"},
		{name: "cut off", edit: nativetest.Edit{Text: func(s string) string { return s[:len(s)/2] }}, says: "cannot be read"},
		{name: "empty", edit: nativetest.Edit{Text: func(string) string { return "" }}, says: "cannot be read"},
		{name: "null", edit: nativetest.Edit{Text: func(string) string { return "null" }}, says: "null"},
		{name: "an array", edit: nativetest.Edit{Text: func(string) string { return "[]" }}, says: "cannot be read"},
		{name: "an empty object", edit: nativetest.Edit{Text: func(string) string { return "{}" }}, says: "schema 0"},
		{name: "null for a list", edit: replace(`"hardware":[`, `"links":null,"hardware":[`), says: "null"},
		{name: "a comment", edit: put(`/* x */`), says: "cannot be read"},
		{name: "a comma too many", edit: replace(`"schema":1,`, `"schema":1,,`), says: "cannot be read"},
		{name: "not a number", edit: replace(`"epoch":5`, `"epoch":NaN`), says: "cannot be read"},
		{name: "infinity", edit: replace(`"epoch":5`, `"epoch":Infinity`), says: "cannot be read"},
		{name: "fraction", edit: replace(`"epoch":5`, `"epoch":5.5`), says: "cannot be read"},
		{name: "exponent", edit: replace(`"epoch":5`, `"epoch":5e0`), says: "cannot be read"},
		{name: "2 to the 63rd", edit: replace(`"epoch":5`, `"epoch":9223372036854775808`), says: "cannot be read"},
		{name: "a number of 100,000 digits", edit: replace(`"epoch":5`, `"epoch":`+strings.Repeat("9", 100_000)), says: "cannot be read"},
		{name: "number as text", edit: replace(`"epoch":5`, `"epoch":"5"`), says: "cannot be read"},
		{name: "text as number", edit: replace(`"version":"1.1.0"`, `"version":1`), says: "cannot be read"},
		{name: "object as text", edit: replace(`"solid":{`, `"solid":"x","alone":{`), says: "cannot be read"},
		{name: "time that is none", edit: replace(`"created":"2026-01-02T03:04:05Z"`, `"created":"yesterday"`), says: "cannot be read"},
		{name: "nested deep", edit: put(`"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `,`), says: "deep"},
		{name: "nested deep in objects", edit: put(strings.Repeat(`"x":{`, 100) + strings.Repeat("}", 100) + `,`), says: "deep"},
		{name: "not UTF-8", edit: replace(`"small repairs"`, "\"small \xff\""), says: "UTF-8"},
		{name: "not UTF-8 in a path", edit: replace(`services/app/nothing`, "services/app/nothin\xc3"), says: "UTF-8"},
	}
	for i := range list {
		list[i].code = steps.InvalidManifest
	}
	return list
}

// frames are release files with a forbidden form of compression.
func frames(t *testing.T) []hostile {
	packed := func(edit func([]byte) []byte) nativetest.Edit { return nativetest.Edit{Packed: edit} }
	list := []hostile{
		{name: "release file that is too large", edit: packed(func([]byte) []byte {
			return nativetest.Compress(t, bytes.Repeat([]byte(" "), native.MaxRelease+1))
		}), says: "more than the"},
		{name: "release file that never ends", edit: packed(func(p []byte) []byte {
			spaces := nativetest.Compress(t, bytes.Repeat([]byte(" "), 8<<20))
			return append(bytes.Repeat(spaces, 200), p...)
		}), says: "more than the"},
		{name: "release file with a large window", edit: packed(func(p []byte) []byte { return window(p, 31) }), says: "window size"},
		{name: "release file of one huge segment", edit: packed(func([]byte) []byte { return hugeSegment(1 << 40) }), says: "cannot be decompressed"},
		{name: "release file with its window at the cap and no more", edit: packed(func(p []byte) []byte { return window(p, 24) }), says: "window size"},
		{name: "release file that is not compressed", edit: packed(func([]byte) []byte { return []byte("{}") }), says: "cannot be decompressed"},
		{name: "release file that is cut off", edit: packed(func(p []byte) []byte { return p[:len(p)-5] }), says: "cannot be decompressed"},
		{name: "release file with a wrong checksum", edit: packed(func([]byte) []byte {
			p := nativetest.Compress(t, []byte("{}"), zstd.WithEncoderCRC(true))
			p[len(p)-1] ^= 1
			return p
		}), says: "cannot be decompressed"},
		{name: "release file with something behind its frame", edit: packed(func(p []byte) []byte { return append(p, "trailing"...) }), says: "cannot be decompressed"},
		{name: "release file with the reserved bit", edit: packed(func(p []byte) []byte {
			p = bytes.Clone(p)
			p[4] |= 8
			return p
		}), says: "cannot be decompressed"},
		{name: "release file that needs a dictionary", edit: packed(func([]byte) []byte {
			return nativetest.Compress(t, []byte("{}"), zstd.WithEncoderDictRaw(7, []byte("a dictionary nobody has")))
		}), says: "cannot be decompressed"},
	}
	for i := range list {
		list[i].code = steps.InvalidPackage
	}
	return list
}

// window is frame with a header that asks for 2 to the log bytes of memory.
func window(frame []byte, log byte) []byte {
	var h zstd.Header
	if err := h.Decode(frame); err != nil {
		panic(err)
	}
	// Descriptor: no content size, no single segment, no checksum, no dictionary.
	return append(append(bytes.Clone(frame[:4]), 0, (log-10)<<3), frame[h.HeaderSize:]...)
}

// hugeSegment is a frame of one segment that claims to have size bytes, which a
// decoder may take for its window; the segment is empty.
func hugeSegment(size uint64) []byte {
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0}
	for range 8 {
		frame = append(frame, byte(size))
		size >>= 8
	}
	return append(frame, 1, 0, 0) // a last block, raw, empty
}

func TestReleaseFilesThatCanBeReadInTwoWays(t *testing.T) {
	attack(t, nativetest.New(t), texts())
}

func TestReleaseFilesThatAreBombs(t *testing.T) {
	attack(t, nativetest.New(t), frames(t))
}
