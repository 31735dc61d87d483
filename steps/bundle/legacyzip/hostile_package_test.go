package legacyzip_test

import (
	"bytes"
	"math"
	"strings"

	"github.com/tope/updater/steps/bundle"
	bt "github.com/tope/updater/steps/bundle/bundletest"
)

// hostilePackages are refused as INVALID_PACKAGE for their ZIP records or their entries.
func hostilePackages() []refusal {
	return []refusal{
		// not a ZIP file, or not a whole one
		refused("empty file", "no known bundle format", nil),
		refused("html page", "no known bundle format", []byte("<!DOCTYPE html><html>")),
		refused("signature only", "end record", []byte("PK\x03\x04")),
		refused("cut by one byte", "end record", truncated(bt.Package("1.2.0"), 1)),
		refused("cut in half", "end record", bt.Package("1.2.0").Bytes()[:300]),
		refused("something behind it", "end record", append(bt.Package("1.2.0").Bytes(), 0)),
		refused("something in front of it", "format", append([]byte("#!/bin/sh\n"), bt.Package("1.2.0").Bytes()...)),
		refused("an entry's worth in front", "does not end where", append([]byte("PK\x03\x04"), bt.Package("1.2.0").Bytes()...)),
		refused("two end records", "two end records", withComment(bt.Package("1.2.0"), strings.Repeat("x", 10)+string(bt.Zip{}.Bytes())).Bytes()),
		refused("gap before the end record", "does not end where", lying(bt.Zip{BeforeEnd: []byte("gap")}).Bytes()),
		refused("split archive", "split", lying(bt.Zip{End: put(4, uint16(1))}).Bytes()),
		refused("part of the entries", "split", lying(bt.Zip{End: put(8, uint16(1))}).Bytes()),
		refused("fewer entries than there are", "more than the 9 entries", lying(bt.Zip{End: func(e []byte) { put(8, uint16(9))(e); put(10, uint16(9))(e) }}).Bytes()),
		refused("more entries than there are", "middle of a record", lying(bt.Zip{End: func(e []byte) { put(8, uint16(11))(e); put(10, uint16(11))(e) }}).Bytes()),
		refused("directory beyond the file", "does not end where", lying(bt.Zip{End: put(16, uint32(1<<30))}).Bytes()),
		refused("larger directory", "does not end where", lying(bt.Zip{End: put(12, uint32(1<<30))}).Bytes()),
		refused("no directory record", "damaged", lying(bt.Zip{Central: func(d []byte) []byte { d[0] = 'X'; return d }}).Bytes()),

		// ZIP64
		refused("zip64 end missing", "ZIP64 end record is missing", lying(bt.Zip{End: put(16, uint32(math.MaxUint32))}).Bytes()),
		refused("zip64 end elsewhere", "in front of its locator", lying(bt.Zip{Zip64: true, End64: put(64, uint32(7))}).Bytes()),
		refused("zip64 on another disk", "another disk", lying(bt.Zip{Zip64: true, End64: put(72, uint32(2))}).Bytes()),
		refused("zip64 offset beyond all", "no file can hold", lying(bt.Zip{Zip64: true, End64: put(52, uint32(math.MaxUint32))}).Bytes()),
		refused("zip64 offset beyond the file", "does not end where", lying(bt.Zip{Zip64: true, End64: put(52, uint32(9))}).Bytes()),
		refused("zip64 with 2^40 entries", "entries, more than", lying(bt.Zip{Zip64: true, End64: func(r []byte) { le.PutUint64(r[24:], 1<<40); le.PutUint64(r[32:], 1<<40) }}).Bytes()),
		refused("zip64 disagrees with the end record", "disagrees", lying(bt.Zip{Zip64: true, End: put(12, uint32(5))}).Bytes()),
		refused("zip64 split", "split", lying(bt.Zip{Zip64: true, End64: put(16, uint32(1))}).Bytes()),
		refused("zip64 size missing", "ZIP64 field", edited(func(e *bt.Entry) { e.Central = put(24, uint32(math.MaxUint32)) }).Bytes()),
		refused("zip64 size negative", "ZIP64 field", edited(func(e *bt.Entry) {
			e.Central = put(24, uint32(math.MaxUint32))
			e.Extra = append([]byte{1, 0, 8, 0}, bytes.Repeat([]byte{0xff}, 8)...)
		}).Bytes()),
		refused("zip64 field twice", "two ZIP64", edited(func(e *bt.Entry) { e.Extra = bytes.Repeat([]byte{1, 0, 0, 0}, 2) }).Bytes()),
		refused("extra field cut short", "cut short", edited(func(e *bt.Entry) { e.Extra = []byte{9, 0, 200, 0, 1} }).Bytes()),

		// names
		refused("parent", `component ".."`, named("../evil").Bytes()),
		refused("parent inside", `component ".."`, named("app/../../evil").Bytes()),
		refused("parent at the end", `component ".."`, named("app/..").Bytes()),
		refused("parent as a directory", `component ".."`, named("app/../").Bytes()),
		refused("absolute", "absolute", named("/etc/passwd").Bytes()),
		refused("double slash", "empty component", named("app//x").Bytes()),
		refused("dot", "begins with ./", named("./app/x").Bytes()),
		refused("backslash", "backslashes where a ZIP file has slashes", named(`app\..\..\evil`).Bytes()),
		refused("drive", "backslashes", named(`C:\evil`).Bytes()),
		refused("NUL", "character", named("app/x\x00.txt").Bytes()),
		refused("newline", "character", named("app/x\ny").Bytes()),
		refused("escape sequence", "character", named("app/\x1b[2J").Bytes()),
		refused("right-to-left override", "character", named("app/\u202egpj.sh").Bytes()),
		refused("invalid UTF-8", "not UTF-8", named("app/\xff\xfe").Bytes()),
		refused("overlong dot dot", "not UTF-8", named("app/\xc0\xae\xc0\xae/x").Bytes()),
		refused("empty name", "empty", named("").Bytes()),
		refused("only a slash", "absolute", named("/").Bytes()),
		refused("long component", "255", named("app/"+strings.Repeat("x", 256)).Bytes()),
		refused("long path", "1024", named("app"+strings.Repeat("/"+strings.Repeat("x", 99), 11)).Bytes()),
		refused("long path in the version only", "deep", bt.Zip{Entries: []bt.Entry{
			bt.Manifest("1.2.0", bt.Module{Src: "app", Dst: "/opt/tope/" + strings.Repeat("x/", 15) + "x"}), file("app" + strings.Repeat("/y", 20)),
		}}.Bytes()),
		refused("too deep", "deep", named("app"+strings.Repeat("/x", 40)).Bytes()),
		refused("too many", "entries, more than", bt.App(many(20)...).Bytes(), bundle.Limits{Entries: 20}),
		refused("too many in the version", "more than the 20 files and directories", bt.Zip{Entries: append([]bt.Entry{
			bt.Manifest("1.2.0", bt.Module{Src: "app", Dst: "/opt/tope/a"}, bt.Module{Src: "app", Dst: "/opt/tope/b"}),
		}, many(15)...)}.Bytes(), bundle.Limits{Entries: 20}),

		// two things at one place
		refused("the same name twice", "twice", bt.App(file("app/run"), file("app/run")).Bytes()),
		refused("names that differ in case", "case", bt.App(file("app/run"), file("app/Run")).Bytes()),
		refused("directories that differ in case", "case", bt.App(file("app/lib/x"), file("app/LIB/y")).Bytes()),
		refused("the Kelvin sign", "case", bt.App(file("app/k"), file("app/\u212a")).Bytes()),
		refused("below a file", "something else", bt.App(file("app/run"), file("app/run/x")).Bytes()),
		refused("above a file", "something else", bt.App(file("app/run/x"), file("app/run")).Bytes()),
		refused("directory and file", "something else", bt.App(bt.Entry{Name: "app/run/", Mode: bt.Directory, Store: true}, file("app/run")).Bytes()),
		refused("one destination for two", "twice", modules(
			bt.Module{Src: "app/run", Dst: "/opt/tope/bin/x"}, bt.Module{Src: "app/other", Dst: "/usr/local/bin/x"}).Bytes()),
		refused("destinations that differ in case", "case", modules(
			bt.Module{Src: "app/run", Dst: "/opt/tope/bin/x"}, bt.Module{Src: "app/other", Dst: "/opt/tope/BIN/y"}).Bytes()),
		refused("a destination below another", "something else", modules(
			bt.Module{Src: "app/run", Dst: "/opt/tope/x"}, bt.Module{Src: "app/other", Dst: "/opt/tope/x/y"}).Bytes()),
		refused("modules whose trees overlap", "twice", modules(
			bt.Module{Src: "app", Dst: "/opt/tope/x"}, bt.Module{Src: "app/other", Dst: "/opt/tope/x/run"}).Bytes()),

		// links
		refused("link to an absolute path", "not relative", bt.App(link("app/l", "/etc/passwd")).Bytes()),
		refused("link out of the version", "out of the version", bt.App(link("app/l", "../../../etc")).Bytes()),
		refused("link out by another link", "target", bt.App(link("app/up", "../.."), link("app/l", "up/../etc")).Bytes()),
		refused("link to the version itself", "target", bt.App(link("app/l", "../..")).Bytes()),
		refused("link to itself", "itself", bt.Zip{Entries: []bt.Entry{bt.Manifest("1.2.0", bt.Module{Src: "l", Dst: "/opt/tope/l"}), link("l", "l")}}.Bytes()),
		refused("link with an empty target", "not relative", bt.App(link("app/l", "")).Bytes()),
		refused("link with NUL in its target", "not plain", bt.App(link("app/l", "a\x00b")).Bytes()),
		refused("link with a long target", "bytes, more than", bt.App(link("app/l", strings.Repeat("x/", 800)+"x")).Bytes()),
		refused("file through a link", "something else", bt.App(link("app/l", "other"), file("app/l/x")).Bytes()),
		refused("file through a link, file first", "something else", bt.App(file("app/l/x"), link("app/l", "other")).Bytes()),
		refused("link in the place of a file", "twice", bt.App(file("app/l"), link("app/l", "other")).Bytes()),
		refused("module through another's link", "something else", bt.Zip{Entries: []bt.Entry{
			bt.Manifest("1.2.0", bt.Module{Src: "l", Dst: "/opt/tope/l"}, bt.Module{Src: "x", Dst: "/opt/tope/l/x"}), link("l", "other"), file("x"),
		}}.Bytes()),

		// entries that may not be in a version
		refused("setuid", "setuid", edited(func(e *bt.Entry) { e.Mode = 0o104755 }).Bytes()),
		refused("setgid", "setuid", edited(func(e *bt.Entry) { e.Mode = 0o102755 }).Bytes()),
		refused("character device", "device", edited(func(e *bt.Entry) { e.Mode = 0o020666 }).Bytes()),
		refused("block device", "device", edited(func(e *bt.Entry) { e.Mode = 0o060666 }).Bytes()),
		refused("fifo", "device", edited(func(e *bt.Entry) { e.Mode = 0o010666 }).Bytes()),
		refused("socket", "device", edited(func(e *bt.Entry) { e.Mode = 0o140666 }).Bytes()),
		refused("directory named like a file", "directory", edited(func(e *bt.Entry) { e.Mode = bt.Directory }).Bytes()),
		refused("file named like a directory", "directory", edited(func(e *bt.Entry) { e.Name, e.Mode, e.Data = "app/x/", bt.Regular, nil }).Bytes()),
		refused("directory with content", "has content", edited(func(e *bt.Entry) { e.Name = "app/x/" }).Bytes()),
		refused("encrypted", "encrypted", edited(func(e *bt.Entry) { e.Central = put(8, uint16(1)) }).Bytes()),
		refused("unknown method", "AES encryption", edited(func(e *bt.Entry) { e.Central = put(10, uint16(99)) }).Bytes()),
		refused("on another disk", "another disk", edited(func(e *bt.Entry) { e.Central = put(34, uint16(3)) }).Bytes()),

		// local headers that do not agree with the directory
		refused("other name", "another name", edited(func(e *bt.Entry) { e.LocalName = "app/ran" }).Bytes()),
		refused("longer name", "another name", edited(func(e *bt.Entry) { e.LocalName = "app/run2" }).Bytes()),
		refused("other method", "another method", edited(func(e *bt.Entry) { e.Local = put(8, uint16(0)) }).Bytes()),
		refused("encrypted locally", "other flags", edited(func(e *bt.Entry) { e.Local = put(6, uint16(1)) }).Bytes()),
		refused("descriptor locally", "other flags", edited(func(e *bt.Entry) { e.Local = put(6, uint16(8)) }).Bytes()),
		refused("other checksum", "another checksum", edited(func(e *bt.Entry) { e.Local = put(14, uint32(7)) }).Bytes()),
		refused("other packed size", "another size", edited(func(e *bt.Entry) { e.Local = put(18, uint32(7)) }).Bytes()),
		refused("other size", "another size", edited(func(e *bt.Entry) { e.Local = put(22, uint32(7)) }).Bytes()),
		refused("no local header", "not where", edited(func(e *bt.Entry) { e.Local = put(0, uint32(0)) }).Bytes()),
		refused("header in the middle of another", "not where", edited(func(e *bt.Entry) { e.Central = put(42, uint32(3)) }).Bytes()),
		refused("header behind the directory", "in front of the directory", edited(func(e *bt.Entry) { e.Central = put(42, uint32(1<<31)) }).Bytes()),
		refused("data into the directory", "in front of the directory", edited(func(e *bt.Entry) {
			both := func(rec []byte, at int) { le.PutUint32(rec[at:], 400) }
			e.Local, e.Central = func(r []byte) { both(r, 18) }, func(r []byte) { both(r, 20) }
		}).Bytes()),
		refused("extra field into the directory", "in front of the directory", edited(func(e *bt.Entry) { e.Local = put(28, uint16(60000)) }).Bytes()),
		refused("one entry listed twice", "twice", listedTwice()),
		refused("an entry inside another's data", "overlap", nestedData()),

		// bombs
		refused("larger than a file may be", "more than the 4095", edited(func(e *bt.Entry) { e.Data = make([]byte, 4096) }).Bytes(), bundle.Limits{File: 4095}),
		refused("larger in all", "in all", bt.App(many(10)...).Bytes(), bundle.Limits{Total: 100}),
		refused("denser than anything", "to one", edited(func(e *bt.Entry) { e.Data = make([]byte, 1<<20) }).Bytes(), bundle.Limits{RatioFloor: 1 << 16}),
		refused("dense by multiplication", "to one", multiplied(200), bundle.Limits{RatioFloor: 1 << 16, Ratio: 100}),
		refused("declares petabytes", "more than the", edited(func(e *bt.Entry) {
			e.Central = put(24, uint32(math.MaxUint32))
			e.Extra = le.AppendUint64([]byte{1, 0, 8, 0}, 1<<50)
		}).Bytes()),

		// lies in the data
		refused("more than declared", "more than the 17 bytes", edited(func(e *bt.Entry) { e.Packed = bt.Deflate(bytes.Repeat([]byte("content of a file"), 1000)) }).Bytes()),
		refused("less than declared", "10 bytes early", edited(func(e *bt.Entry) { e.Packed = bt.Deflate([]byte("content")) }).Bytes()),
		refused("another content", "checksum", edited(func(e *bt.Entry) { e.Packed = bt.Deflate([]byte("content of a fire")) }).Bytes()),
		refused("another content, stored", "checksum", edited(func(e *bt.Entry) { e.Store, e.Packed = true, []byte("content of a fire") }).Bytes()),
		refused("garbage instead of deflate", "damaged", edited(func(e *bt.Entry) { e.Packed = []byte("\xff\xff\xff\xffgarbage") }).Bytes()),
		refused("deflate cut short", "damaged", edited(func(e *bt.Entry) { d := bt.Deflate(e.Data); e.Packed = d[:len(d)-4] }).Bytes()),
		refused("something behind the deflate", "after its end", edited(func(e *bt.Entry) { e.Packed = append(bt.Deflate(e.Data), "hidden"...) }).Bytes()),
		refused("no packed bytes at all", "damaged", edited(func(e *bt.Entry) { e.Packed = []byte{} }).Bytes()),
	}
}
