package legacyzip_test

import (
	"strings"

	bt "github.com/tope/updater/steps/bundle/bundletest"
)

// hostileManifests are refused as INVALID_MANIFEST for their content.
func hostileManifests() []refusal {
	return []refusal{
		refused("empty archive", "no manifest.json", bt.Zip{}.Bytes()),
		refused("no manifest", "no manifest.json", bt.Zip{Entries: []bt.Entry{file("app/run")}}.Bytes()),
		refused("manifest in another case", "no manifest.json", bt.Zip{Entries: []bt.Entry{{Name: "Manifest.json", Data: bt.Manifest("1.2.0", bt.Whole()).Data}, file("app/run")}}.Bytes()),
		refused("manifest twice", "two of manifest.json", bt.App(bt.Manifest("1.3.0", bt.Whole()), file("app/run")).Bytes()),
		refused("manifest is a directory", "not a file", bt.Zip{Entries: []bt.Entry{{Name: "manifest.json/", Store: true}}}.Bytes()),
		refused("manifest is a link", "not a file", bt.Zip{Entries: []bt.Entry{link("manifest.json", "other.json"), file("app/run")}}.Bytes()),
		refused("huge manifest", "bytes, more than", raw(`{"version":"1.2.0","pad":"`+strings.Repeat("x", 2<<20)+`"}`).Bytes()),
		refused("manifest cut short", "EOF", raw(`{"version":"1.2.0","modules":[`).Bytes()),
		refused("manifest not JSON", "invalid character", raw(`version: 1.2.0`).Bytes()),
		refused("manifest not UTF-8", "UTF-8", raw("{\"version\":\"1.2.0\xff\"}").Bytes()),
		refused("manifest with a tail", "after its end", raw(string(bt.Manifest("1.2.0", bt.Whole()).Data)+"{}").Bytes()),
		refused("manifest is a list", "has to be an object", raw(`[]`).Bytes()),
		refused("manifest is null", "version", raw(`null`).Bytes()),
		refused("version is a number", "version is of kind number, and has to be a string", raw(`{"version":1,"modules":[]}`).Bytes()),
		refused("modules is an object", "has to be a list", raw(`{"version":"1.2.0","modules":{}}`).Bytes()),
		refused("post_cmds is a string", "post_cmds is of kind string, and has to be a list", raw(`{"version":"1.2.0","modules":[{"post_cmds":"rm -rf /"}]}`).Bytes()),
		refused("post_cmds at the top", "post_cmds stands at the top", raw(`{"version":"1.2.0","modules":[{"src":"app","dst":"/opt/tope/app"}],"post_cmds":["true"]}`).Bytes()),
		refused("post_cmds at the top, a text", "post_cmds stands at the top", raw(`{"version":"1.2.0","modules":[{"src":"app","dst":"/opt/tope/app"}],"post_cmds":"true"}`).Bytes()),
		refused("nested without end", "depth", raw(`{"version":"1.2.0","x":`+strings.Repeat("[", 20000)).Bytes()),
		refused("no version", "version", raw(`{"modules":[{"src":"app","dst":"/opt/tope/app"}]}`).Bytes()),
		refused("version escapes", "version", bt.Zip{Entries: []bt.Entry{bt.Manifest("../../1.2.0", bt.Whole()), file("app/run")}}.Bytes()),
		refused("version with v", "version", bt.Zip{Entries: []bt.Entry{bt.Manifest("v1.2.0", bt.Whole()), file("app/run")}}.Bytes()),
		refused("no modules", "no modules", modules().Bytes()),
		refused("src missing from the package", `has no "lib"`, from("lib").Bytes()),
		refused("src is a part of a name", `has no "ap"`, from("ap").Bytes()),
		refused("src empty", "empty", from("").Bytes()),
		refused("src absolute", "absolute", from("/app").Bytes()),
		refused("src escapes", `component ".."`, from("app/../../etc").Bytes()),
		refused("dst missing", "must be below", to("").Bytes()),
		refused("dst relative", "must be below", to("opt/tope/app").Bytes()),
		refused("dst elsewhere", "must be below", to("/etc/systemd/system/app").Bytes()),
		refused("dst almost there", "must be below", to("/opt/topeless/app").Bytes()),
		refused("dst is everything", "empty", to("/opt/tope/").Bytes()),
		refused("dst escapes", `component ".."`, to("/opt/tope/../../etc").Bytes()),
		refused("dst is in a version", "not part of a release", to("/opt/tope/versions/current/app").Bytes()),
		refused("dst is shared", "not part of a release", to("/opt/tope/shared").Bytes()),
		refused("dst is the updater's manifest", "belongs to the updater", modules(bt.Module{Src: "app/run", Dst: "/opt/tope/.tope-manifest.json"}).Bytes()),
		refused("bin without a name", "must be below", to("/usr/local/bin/").Bytes()),
		refused("bin with a directory", "must be below", modules(bt.Module{Src: "app/run", Dst: "/usr/local/bin/x/y"}).Bytes()),
		refused("bin is a parent", `component ".."`, modules(bt.Module{Src: "app/run", Dst: "/usr/local/bin/.."}).Bytes()),
		refused("a directory as a program", "is a directory", to("/usr/local/bin/app").Bytes()),
		refused("service is a path", "process_name", service("../../bin/sh").Bytes()),
		refused("service is an option", "process_name", service("--force").Bytes()),
		refused("service with a newline", "process_name", service("a\nb").Bytes()),
	}
}
