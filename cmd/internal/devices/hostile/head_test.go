package hostile_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"aead.dev/minisign"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/native/nativetest"
	"github.com/tope/updater/steps/bundle/pack"
)

// signatures are signatures that the trusted key did not make of the signed data.
func signatures() []hostile {
	sign := func(f func(k *nativetest.Kit, packed []byte) []byte) nativetest.Edit { return nativetest.Edit{Sign: f} }
	text := func(f func(good string) string) nativetest.Edit {
		return sign(func(k *nativetest.Kit, packed []byte) []byte {
			return []byte(f(string(pack.Sign(k.Key, packed, "for tests"))))
		})
	}
	lines := func(s string) []string { return strings.SplitAfter(s, "\n") }
	list := []hostile{
		{name: "of a stranger", edit: sign(func(k *nativetest.Kit, p []byte) []byte { return pack.Sign(k.Stranger, p, "") }), says: "unknown key"},
		{name: "of another message", edit: sign(func(k *nativetest.Kit, p []byte) []byte { return pack.Sign(k.Key, p[1:], "") }), says: "did not sign"},
		{name: "of nothing", edit: sign(func(k *nativetest.Kit, _ []byte) []byte { return pack.Sign(k.Key, nil, "") }), says: "did not sign"},
		{name: "legacy, of another message", edit: sign(func(k *nativetest.Kit, p []byte) []byte { return minisign.Sign(k.Key, p[1:]) }), says: "did not sign"},
		{name: "cut off", edit: text(func(s string) string { return s[:len(s)/2] }), says: "bad signature"},
		{name: "without the comment's", edit: text(func(s string) string { return strings.Join(lines(s)[:3], "") }), says: "bad signature"},
		{name: "with another trusted comment", edit: text(func(s string) string { return strings.Replace(s, "for tests", "for all", 1) }), says: "did not sign"},
		{name: "with something behind it", edit: text(func(s string) string { return s + "x\n" }), says: "bad signature"},
		{name: "with a stranger's behind it", edit: sign(func(k *nativetest.Kit, p []byte) []byte {
			return append(pack.Sign(k.Key, p, ""), pack.Sign(k.Stranger, p, "")...)
		}), says: "bad signature"},
		{name: "with a zero byte", edit: text(func(s string) string { return s[:len(s)-1] + "\x00" }), says: "bad signature"},
		{name: "garbage", edit: text(func(string) string { return "signed, honestly\n" }), says: "bad signature"},
		{name: "the public key", edit: sign(func(k *nativetest.Kit, _ []byte) []byte { return k.Pub }), says: "bad signature"},
	}
	for i := range list {
		list[i].name, list[i].code = "signature "+list[i].name, steps.BadSignature
	}
	return list
}

// unsigned bundles have no signature at all, in one way or another.
func unsigned() []hostile {
	var list []hostile
	for name, signature := range map[string]string{
		"unsigned": native.Unsigned, "a line feed": "\n", "blanks": " \r\n\t \n", "comments only": "untrusted comment: \ntrusted comment: \n",
		"empty lines": "\n\n\n\n", "unsigned, in capitals": "UNSIGNED\n",
	} {
		h := hostile{name: name, code: steps.BadSignature, says: "signature"}
		h.edit.Sign = func(*nativetest.Kit, []byte) []byte { return []byte(signature) }
		list = append(list, h)
	}
	return append(list, hostile{
		name: "an empty member", code: steps.InvalidPackage, says: "release.json.zst.minisig has 0 bytes",
		edit: nativetest.Edit{Members: func(m *[]nativetest.Member) {
			(*m)[1].Header, (*m)[1].Data, (*m)[1].Pad = resized((*m)[1].Header, 0), nil, nil
		}},
	}, hostile{
		name: "no member", code: steps.InvalidPackage, says: "release.json.zst.minisig has",
		edit: nativetest.Edit{Members: func(m *[]nativetest.Member) { *m = append((*m)[:1:1], (*m)[2:]...) }},
	})
}

// resized is a tar header that declares another size, with the right checksum.
func resized(header []byte, size int64) []byte {
	return header512(header, func(h []byte) { copy(h[124:], fmt.Sprintf("%011o\x00", size)) })
}

// header512 edits a tar header and corrects its checksum.
func header512(header []byte, edit func(h []byte)) []byte {
	h := bytes.Clone(header)
	edit(h)
	copy(h[148:], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// heads have a fault in the first two members of the tar.
func heads() []hostile {
	member := func(i int, edit func(m *nativetest.Member)) nativetest.Edit {
		return nativetest.Edit{Members: func(m *[]nativetest.Member) { edit(&(*m)[i]) }}
	}
	header := func(i int, edit func(h []byte)) nativetest.Edit {
		return member(i, func(m *nativetest.Member) { m.Header = header512(m.Header, edit) })
	}
	var list []hostile
	for i, name := range []string{"release", "signature"} {
		list = append(list, []hostile{
			{name: name + " with a size of 0", edit: header(i, func(h []byte) { copy(h[124:], "00000000000\x00") }), says: "0 bytes"},
			{name: name + " with the largest size", edit: header(i, func(h []byte) { copy(h[124:], "77777777777\x00") }), says: "bytes, not between"},
			{name: name + " with a size of 2 to the 63rd less 1", edit: header(i, func(h []byte) {
				copy(h[124:136], "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff")
			}), says: "bytes, not between"},
			{name: name + " with a negative size", edit: header(i, func(h []byte) { copy(h[124:136], strings.Repeat("\xff", 12)) }), says: "tar header"},
			{name: name + " with a size that is not a number", edit: header(i, func(h []byte) { copy(h[124:], "many\x00") }), says: "tar header"},
			{name: name + " that is a link", edit: header(i, func(h []byte) { h[156] = '2'; copy(h[157:], "/etc/passwd") }), says: "tar header"},
			{name: name + " that is a directory", edit: header(i, func(h []byte) { h[156] = '5' }), says: "tar header"},
			{name: name + " that is a device", edit: header(i, func(h []byte) { h[156] = '4' }), says: "tar header"},
			{name: name + " that is a long name", edit: header(i, func(h []byte) { h[156] = 'L' }), says: "tar header"},
			{name: name + " that is a pax header", edit: header(i, func(h []byte) { h[156] = 'x' }), says: "tar header"},
			{name: name + " that is sparse", edit: header(i, func(h []byte) { h[156] = 'S' }), says: "tar header"},
			{name: name + " with an owner", edit: header(i, func(h []byte) { copy(h[265:], "root") }), says: "not as it has to be"},
			{name: name + " with a time", edit: header(i, func(h []byte) { copy(h[136:], "00000000001\x00") }), says: "not as it has to be"},
			{name: name + " with a prefix", edit: header(i, func(h []byte) { copy(h[345:], "../..") }), says: "not as it has to be"},
			{name: name + " with a wrong checksum", edit: member(i, func(m *nativetest.Member) { m.Header = bytes.Clone(m.Header); m.Header[148] ^= 1 }), says: "tar header"},
			{name: name + " with other padding", edit: member(i, func(m *nativetest.Member) { m.Pad = bytes.Clone(m.Pad); m.Pad[len(m.Pad)-1] = 1 }), says: "between the members"},
		}...)
	}
	list = append(list, []hostile{
		{name: "signature first", edit: nativetest.Edit{Members: func(m *[]nativetest.Member) { (*m)[0], (*m)[1] = (*m)[1], (*m)[0] }}, says: "no known bundle format"},
		{name: "release twice", edit: nativetest.Edit{Members: func(m *[]nativetest.Member) { *m = append([]nativetest.Member{(*m)[0]}, *m...) }}, says: "release.json.zst.minisig"},
		{name: "another first", edit: nativetest.Edit{Members: func(m *[]nativetest.Member) {
			*m = append([]nativetest.Member{nativetest.NewMember("README", []byte("read me"))}, *m...)
		}}, says: "no known bundle format"},
		{name: "release with a suffix", edit: header(0, func(h []byte) { copy(h, "release.json.zst.bak") }), says: "no known bundle format"},
		{name: "signature of another name", edit: header(1, func(h []byte) { copy(h, "release.json.zst.MINISIG") }), says: "not as it has to be"},
		{name: "no tar", edit: header(0, func(h []byte) { copy(h[257:], "      ") }), says: "no known bundle format"},
		{name: "no file", edit: nativetest.Edit{File: func([]byte) []byte { return nil }}, code: steps.SizeMismatch, says: "is empty"},
		{name: "cut off in the first header", edit: nativetest.Edit{File: func(f []byte) []byte { return f[:300] }}, says: "within its head"},
		{name: "cut off behind the first header", edit: nativetest.Edit{File: func(f []byte) []byte { return f[:512] }}, says: "within its head"},
		{name: "cut off in the release file", edit: nativetest.Edit{File: func(f []byte) []byte { return f[:700] }}, says: "within its head"},
	}...)
	for i := range list {
		if list[i].code == "" {
			list[i].code = steps.InvalidPackage
		}
	}
	return list
}

func TestSignaturesThatAreNone(t *testing.T) {
	attack(t, nativetest.New(t), signatures())
}

// fwupd took zero valid signatures for a verified file.
func TestZeroSignatures_fwupd_CVE_2020_10759(t *testing.T) {
	attack(t, nativetest.New(t), unsigned())
}

func TestHeadsThatAreNotAsTheyHaveToBe(t *testing.T) {
	attack(t, nativetest.New(t), heads())
}
