package bundletest

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
)

// Given is a file as people and their programs make it, or give it by mistake, and what
// is to be said of it.
type Given struct {
	Name, Path string
	// Code and Says are of the refusal; both empty for a package of version 1.2.3 that is
	// taken. Says is a part of its line, cause and what to do.
	Code steps.Code
	Says string
}

//go:embed people.py
var people string

// People makes the files in a directory: those that Python's zipfile can write by that,
// the others from bytes.
func People(t testing.TB) []Given {
	t.Helper()
	dir := t.TempDir()
	// Python is in tools/debian-packages.
	out, err := exec.CommandContext(t.Context(), "python3", "-c", people, dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	for name, data := range odd() {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "directory.tope"), 0o700))
	list := given()
	for i := range list {
		list[i].Path = filepath.Join(dir, list[i].Name)
		require.FileExists(t, list[i].Path)
	}
	made, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, list, len(made)-1, "every file that is made is in the table")
	return append(list, Given{"directory.tope", filepath.Join(dir, "directory.tope"), steps.InvalidPackage, "it is a directory; name a bundle"})
}

func given() []Given {
	taken := func(name string) Given { return Given{Name: name} }
	manifest := func(name, says string) Given { return Given{name, "", steps.InvalidManifest, says} }
	pack := func(name, says string) Given { return Given{name, "", steps.InvalidPackage, says} }
	const inside = "make the package inside the folder, so that its names begin there"
	const deflate = "make the package with deflate, which every ZIP program knows"
	return []Given{
		taken("plain.zip"),
		taken("byte-order-mark.zip"),
		taken("mac-litter.zip"),
		taken("comment.zip"),
		taken("stored.zip"),
		taken("zip64.zip"),
		taken("streamed.zip"),
		taken("other-alphabets.zip"),
		taken("directories.zip"),

		manifest("folder.zip", `the package has everything in a folder "release-1.2"; zip the folder's contents, not the folder`),
		manifest("mac-folder.zip", `the package has everything in a folder "release-1.2"; zip the folder's contents, not the folder`),
		manifest("folder-and-more.zip", `the package has its manifest.json in a folder, as "release/manifest.json"; put it at the top`),
		manifest("no-manifest.zip", "the package has no manifest.json at its top; is it a release at all?"),
		manifest("capital.zip", `the package has no manifest.json, but a "Manifest.json"; rename it`),
		manifest("suffix.zip", `the package has no manifest.json, but a "manifest.json.txt"; rename it`),
		manifest("two-numbers.zip", `"1.2" is not a version: write "1.2.0"`),
		manifest("leading-zeros.zip", `"2024.01.05" is not a version: write "2024.1.5"`),
		manifest("with-v.zip", `write "1.2.3"`),
		manifest("four-numbers.zip", `"1.2.3.4" is not a version: want three numbers like 1.2.3, without v`),
		manifest("blank.zip", `write "1.2.3"`),
		manifest("no-version.zip", `manifest.json has no version: write one like "1.2.3"`),
		manifest("number.zip", "version is of kind number, and has to be a string in quotes; correct its line 2"),
		manifest("utf-16.zip", "manifest.json is UTF-16; save it as UTF-8"),
		manifest("latin-1.zip", "manifest.json is not UTF-8; save it as UTF-8"),
		manifest("comma.zip", "beginning of object key string; correct its line 4"),
		manifest("elsewhere.zip", `dst "/etc/app": it must be below /opt/tope/ or be /usr/local/bin/NAME`),
		manifest("other-case.zip", `the package has no "App"; src names a file or folder as the package has it, in the same case`),
		manifest("manifest-twice.zip", "the package has two of manifest.json; make the package anew, with each name once"),
		manifest("nothing.zip", "the package has no manifest.json at its top"),

		pack("twice.zip", `path "app/run" is there twice; make the package anew, with each name once`),
		pack("case.zip", `path "app/Run" and another differ only in case; make the package anew, with each name once`),
		pack("backslashes.zip", `"app\\run" has backslashes where a ZIP file has slashes; make the package with another program`),
		pack("absolute.zip", `"/app/run" is an absolute path; `+inside),
		pack("drive.zip", `"C:/app/run" begins with a drive; `+inside),
		pack("dot.zip", `"./manifest.json" begins with ./; make the package of the names themselves`),
		pack("bzip2.zip", `is compressed with bzip2; `+deflate),
		pack("lzma.zip", `is compressed with LZMA; `+deflate),
		pack("deflate64.zip", `"app/run" is compressed with Deflate64; `+deflate),
		pack("zstd.zip", `"app/run" is compressed with zstd; `+deflate),
		pack("password.zip", `"app/run" is encrypted; make the package without a password`),
		pack("dos-name.zip", `the name "app/\x81ber" is not UTF-8; make the package with a program that writes UTF-8`),
		pack("cut.zip", "the ZIP file has no end record: it was cut short, or something was added to it; copy or download it again"),
		pack("more-behind.zip", "the ZIP file has no end record: it was cut short, or something was added to it; copy or download it again"),
		pack("split.zip", "the ZIP file is part of a split archive; make the package as one file"),
		pack("setuid.zip", `"app/run" is setuid, setgid or sticky; chmod these bits away`),

		pack("unpacks-itself.zip", "it is a script, perhaps one that unpacks itself; make a ZIP file of its contents"),
		pack("unpacks-itself.exe", "it is a program for Windows, perhaps one that unpacks itself; make a ZIP file of its contents"),
		pack("empty.tope", "it is empty; copy or download it again"),
		pack("zeros.tope", "it begins with zeros, as a file does that was never written out; copy or download it again"),
		pack("page.tope", "it is a web page, perhaps one to log in; check that the address leads to the bundle itself"),
		pack("answer.tope", "it is JSON, perhaps a server's answer; check that the address leads to the bundle itself"),
		pack("answer.xml", "it is XML, perhaps a server's answer; check that the address leads to the bundle itself"),
		pack("release.tar.zst", "it is compressed with zstd; unpack it, and make a bundle of the directory with tope-bundle pack"),
		pack("release.tar.gz", "it is compressed with gzip; unpack it"),
		pack("release.tar", "it is a tar archive; unpack it"),
		pack("release.7z", "it is a 7z archive; make a ZIP file of its contents"),
		pack("release.rar", "it is a RAR archive; make a ZIP file of its contents"),
		pack("notes.txt", `of no known bundle format (5 bytes, beginning with "notes"); a bundle is what tope-bundle made (.tope), or a package (.zip)`),
	}
}

// odd are the files that Python does not write.
func odd() map[string][]byte {
	run := Entry{Name: "app/run", Mode: Executable, Data: []byte("#!/bin/sh\n")}
	whole := func(change func(z *Zip)) []byte {
		z := Zip{Entries: []Entry{Manifest("1.2.3", Whole()), run}}
		change(&z)
		return z.Bytes()
	}
	number := func(at int, n uint16) func([]byte) { return func(rec []byte) { le.PutUint16(rec[at:], n) } }
	sound := whole(func(*Zip) {})
	return map[string][]byte{
		"nothing.zip":     Zip{}.Bytes(),
		"deflate64.zip":   whole(func(z *Zip) { z.Entries[1].Central, z.Entries[1].Local = number(10, 9), number(8, 9) }),
		"zstd.zip":        whole(func(z *Zip) { z.Entries[1].Central, z.Entries[1].Local = number(10, 93), number(8, 93) }),
		"password.zip":    whole(func(z *Zip) { z.Entries[1].Central, z.Entries[1].Local = number(8, 1), number(6, 1) }),
		"dos-name.zip":    whole(func(z *Zip) { z.Entries[1].Name = "app/\x81ber" }),
		"split.zip":       whole(func(z *Zip) { z.End = number(4, 1) }),
		"cut.zip":         sound[:len(sound)*2/3],
		"more-behind.zip": append(append([]byte{}, sound...), "\r\n--boundary--\r\n"...),

		"unpacks-itself.exe": append([]byte("MZ\x90\x00"), sound...),
		"empty.tope":         {},
		"zeros.tope":         make([]byte, 4096),
		"page.tope":          []byte("\r\n<!DOCTYPE html>\n<html><head><title>Log in</title>"),
		"answer.tope":        []byte(`{"error":"no such object"}`),
		"answer.xml":         []byte(`<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>`),
		"release.tar.zst":    []byte("\x28\xb5\x2f\xfd\x04\x58"),
		"release.tar.gz":     []byte("\x1f\x8b\x08\x00"),
		"release.tar":        append(append([]byte("app/run"), make([]byte, 250)...), "ustar\x00"+strings.Repeat("\x00", 512)...),
		"release.7z":         []byte("7z\xbc\xaf\x27\x1c\x00\x04"),
		"release.rar":        []byte("Rar!\x1a\x07\x01\x00"),
		"notes.txt":          []byte("notes"),
	}
}
