package hostile_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"

	"github.com/tope/updater/platform/health"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/native/nativetest"
)

// signed is an edit of the data that the publisher signs.
func signed(edit func(b *nativetest.Bundle)) nativetest.Edit { return nativetest.Edit{Release: edit} }

// file edits one file of the list.
func file(path string, edit func(f *native.File)) nativetest.Edit {
	return signed(func(b *nativetest.Bundle) { edit(b.File(path)) })
}

// with adds a file where it belongs in the list.
func with(f native.File) nativetest.Edit {
	return signed(func(b *nativetest.Bundle) {
		at, _ := slices.BinarySearchFunc(b.Release.Files, f.Path, func(g native.File, path string) int { return strings.Compare(g.Path, path) })
		b.Release.Files = slices.Insert(b.Release.Files, at, f)
		for i := range b.Release.Payload.Patches {
			if p := &b.Release.Payload.Patches[i]; p.File >= at {
				p.File++
			}
		}
	})
}

// last adds a file at the end of the list.
func last(f native.File) nativetest.Edit {
	return signed(func(b *nativetest.Bundle) { b.Release.Files = append(b.Release.Files, f) })
}

// traversals name files outside the version, or in the way of others.
func traversals() []hostile {
	empty := func(path string) native.File { return native.File{Path: path, Mode: "0644"} }
	var list []hostile
	for _, c := range []struct{ name, path, says string }{
		{"one up", "../x", `component ".."`},
		{"many up", "../../../../../../etc/passwd", `component ".."`},
		{"in between", "services/../../x", `component ".."`},
		{"at the end", "services/..", `component ".."`},
		{"dot", "./x", `component "."`},
		{"absolute", "/etc/passwd", "absolute"},
		{"two slashes", "services//x", "empty component"},
		{"backslashes", `..\..\x`, "has the character"},
		{"zero byte", "bin/x\x00.sh", "has the character"},
		{"line feed", "bin/x\ny", "has the character"},
		{"empty", "", "a path is empty"},
		{"slash alone", "/", "a path is empty"},
		{"long component", "bin/" + strings.Repeat("x", 256), "component of 256 bytes"},
		{"long path", strings.Repeat("xxxxxxx/", 200) + "x", "bytes, more than"},
		{"deep", strings.Repeat("x/", 40) + "x", "deep, more than"},
	} {
		list = append(list, hostile{name: "path " + c.name, edit: with(empty(c.path)), code: steps.InvalidPackage, says: c.says})
	}
	return append(list, []hostile{
		{name: "the manifest's own name", edit: with(empty(versions.ManifestName)), code: steps.InvalidPackage, says: "updater's own"},
		{name: "below the manifest's name", edit: with(empty(versions.ManifestName + "/x")), code: steps.InvalidPackage, says: "updater's own"},
		{name: "below a file", edit: with(empty("services/app/same/x")), code: steps.InvalidPackage, says: "something else"},
		{name: "twice", edit: last(empty("services/app/same")), code: steps.InvalidPackage, says: "not in order"},
		{name: "differs in case", edit: with(empty("BIN/tool")), code: steps.InvalidPackage, says: "only in case"},
		{name: "out of order", edit: last(empty("a")), code: steps.InvalidPackage, says: "not in order"},
	}...)
}

// newer is an edit of a release of schema 2.
func newer(e nativetest.Edit) nativetest.Edit {
	return signed(func(b *nativetest.Bundle) {
		b.Release.Schema = 2
		e.Release(b)
	})
}

// linksAndModes are links and modes that a release must not bring into a tree.
func linksAndModes() []hostile {
	link := func(target string) nativetest.Edit {
		return file("services/app/link", func(f *native.File) { f.Link = target })
	}
	mode := func(mode string) nativetest.Edit {
		return file("bin/tool", func(f *native.File) { f.Mode = mode })
	}
	list := []hostile{
		{name: "link absolute", edit: link("/etc/passwd"), says: "not relative"},
		{name: "link out", edit: link("../../../x"), says: "leads out"},
		{name: "link out and in again", edit: link("../../../versions/1.0.0"), says: "leads out"},
		{name: "link up in the middle", edit: link("sub/../../../../x"), says: "not plain"},
		{name: "link to the version", edit: link("../.."), says: "directories it is in"},
		{name: "link to its directory", edit: link("."), says: "directories it is in"},
		{name: "link with a zero byte", edit: link("x\x00y"), says: "not plain"},
		{name: "link long", edit: link(strings.Repeat("x", 5000)), says: "not plain"},
		{name: "file through a link", edit: signed(func(b *nativetest.Bundle) {
			b.Release.Files = append(b.Release.Files, native.File{Path: "services/dir", Link: "app"}, native.File{Path: "services/dir/x", Mode: "0644"})
		}), says: "something else"},
		{name: "link to itself", edit: link("link"), says: "cannot be reached"},
		{name: "links in a ring", edit: signed(func(b *nativetest.Bundle) {
			b.Release.Files = append(b.Release.Files, native.File{Path: "services/app/sing", Link: "link"})
			b.File("services/app/link").Link = "sing"
		}), says: "cannot be reached"},
		{name: "link and file", edit: file("services/app/link", func(f *native.File) { f.Mode = "0644" }), says: "two things at once"},
		{name: "directory with content", edit: file("services/app/empty/", func(f *native.File) { f.Size, f.SHA256 = 5, strings.Repeat("a", 64) }), says: "two things at once"},
		{name: "directory that is a link", edit: file("services/app/empty/", func(f *native.File) { f.Link = "same" }), says: "two things at once"},
		{name: "setuid", edit: mode("4755"), says: "no setuid"},
		{name: "setgid", edit: mode("2755"), says: "no setuid"},
		{name: "sticky", edit: mode("1755"), says: "no setuid"},
		{name: "block device", edit: mode("060644"), says: "no setuid"},
		{name: "no mode", edit: mode(""), says: "no setuid"},
		{name: "mode of three digits", edit: mode("755"), says: "no setuid"},
		{name: "mode in decimal", edit: mode("0799"), says: "no setuid"},
		{name: "mode with a sign", edit: mode("-755"), says: "no setuid"},
		{name: "mode with a prefix", edit: mode("0x1f"), says: "no setuid"},
		{name: "mode with a plus", edit: mode("+755"), says: "no setuid"},
		{name: "setuid with capabilities", edit: newer(mode("4755 cap_net_raw=ep")), says: "no setuid"},
	}
	for i := range list {
		list[i].code = steps.InvalidPackage
	}
	return list
}

// checked is a release that brings a health check. An older tope-bundle may have
// packed a bad one, because it looked less closely.
func checked(h health.Check) nativetest.Edit {
	return signed(func(b *nativetest.Bundle) { b.Release.Health = []health.Check{h} })
}

// descriptions are releases whose statements about themselves cannot be true.
func descriptions() []hostile {
	r := func(edit func(r *native.Release)) nativetest.Edit {
		return signed(func(b *nativetest.Bundle) { edit(&b.Release) })
	}
	list := []hostile{
		{name: "schema 0", edit: r(func(r *native.Release) { r.Schema = 0 }), says: "schema 0"},
		{name: "schema 3", edit: r(func(r *native.Release) { r.Schema = 3 }), says: "update the updater"},
		{name: "no version", edit: r(func(r *native.Release) { r.Version = "" }), says: "version"},
		{name: "version that is a path", edit: r(func(r *native.Release) { r.Version = "../1.0.0" }), says: "version"},
		{name: "version that is a pointer", edit: r(func(r *native.Release) { r.Version = "current" }), says: "version"},
		{name: "version with v", edit: r(func(r *native.Release) { r.Version = "v1.1.0" }), says: "version"},
		{name: "version of a megabyte", edit: r(func(r *native.Release) { r.Version = "1.1.0-" + strings.Repeat("x", 1<<20) }), says: "version"},
		{name: "no product", edit: r(func(r *native.Release) { r.Product = "" }), says: "product"},
		{name: "long product", edit: r(func(r *native.Release) { r.Product = strings.Repeat("p", 101) }), says: "product"},
		{name: "negative epoch", edit: r(func(r *native.Release) { r.Epoch = -1 }), says: "epoch -1"},
		{name: "least epoch", edit: r(func(r *native.Release) { r.Epoch = math.MinInt64 }), says: "is negative"},
		{name: "min_updater that is none", edit: r(func(r *native.Release) { r.MinUpdater = "new" }), says: "min_updater"},
		{name: "never created", edit: r(func(r *native.Release) { r.Created = time.Time{} }), says: "no sound times"},
		{name: "expires before it was created", edit: r(func(r *native.Release) { r.Expires = r.Created.Add(-1) }), says: "no sound times"},
		{name: "notes without end", edit: r(func(r *native.Release) { r.Notes = map[string]string{"en": strings.Repeat("n", 1<<20)} }), says: "notes"},
		{name: "service with a slash", edit: r(func(r *native.Release) { r.Services = []string{"../x"} }), says: "not the name of a service"},
		{name: "service that is an option", edit: r(func(r *native.Release) { r.Services = []string{"--now"} }), says: "not the name of a service"},
		{name: "service that is empty", edit: r(func(r *native.Release) { r.Services = []string{""} }), says: "not the name of a service"},
		{name: "hook outside", edit: r(func(r *native.Release) { r.Hooks = map[versions.Hook]string{versions.PreSwitch: "../x"} }), says: "not a path inside"},
		{name: "hook absolute", edit: r(func(r *native.Release) { r.Hooks = map[versions.Hook]string{versions.PreSwitch: "/bin/sh"} }), says: "not a path inside"},
		{name: "hook that is not there", edit: r(func(r *native.Release) { r.Hooks = map[versions.Hook]string{versions.PreSwitch: "bin/hook"} }), says: "not an executable file"},
		{name: "hook that is not a program", edit: r(func(r *native.Release) { r.Hooks = map[versions.Hook]string{versions.PreSwitch: "services/app/new"} }), says: "not an executable file"},
		{name: "hook that is a link", edit: r(func(r *native.Release) {
			r.Hooks = map[versions.Hook]string{versions.PreSwitch: "services/app/link"}
		}), says: "not an executable file"},
		{name: "hook of another time", edit: r(func(r *native.Release) { r.Hooks = map[versions.Hook]string{"always": "bin/tool"} }), says: "there are only"},
		{name: "link to outside of bin", edit: r(func(r *native.Release) { r.Links = []string{"bin/../x"} }), says: "bin/NAME"},
		{name: "link to nothing", edit: r(func(r *native.Release) { r.Links = []string{"bin/other"} }), says: "no such entry"},
		{name: "writable outside", edit: r(func(r *native.Release) { r.Writable = []versions.Writable{{Path: "../shared"}} }), says: "not a path inside"},
		{name: "writable in another", edit: r(func(r *native.Release) { r.Writable = []versions.Writable{{Path: "w"}, {Path: "w/x"}} }), says: "lie in each other"},
		{
			name: "writable with a file in it", edit: r(func(r *native.Release) { r.Writable = []versions.Writable{{Path: "services/app"}} }),
			code: steps.InvalidPackage, says: "writable directory",
		},
		{name: "health check of a file", edit: checked(health.Check{Service: "x", Kind: "http", URL: "file:///etc/passwd"}), says: "health check 1"},
		{name: "health check without a host", edit: checked(health.Check{Service: "x", Kind: "http", URL: "http://"}), says: "health check 1"},
		{name: "health check without an address", edit: checked(health.Check{Service: "x", Kind: "tcp", Address: ":"}), says: "health check 1"},
		{name: "health check of an unknown kind", edit: checked(health.Check{Service: "x", Kind: "hook", Command: []string{"bin/tool"}}), says: "health check 1"},
		{name: "health check of no service", edit: checked(health.Check{Service: "../x", Kind: "active"}), says: "health check 1"},
		{name: "health check by a program outside", edit: checked(health.Check{Service: "x", Kind: "command", Command: []string{"../../x"}}), says: "health check 1"},
		{name: "health check by no program", edit: checked(health.Check{Service: "x", Kind: "command", Command: []string{"bin/nothing"}}), says: "health check 1"},
		{name: "health check by a file that is not a program", edit: checked(health.Check{Service: "x", Kind: "command", Command: []string{"services/app/new"}}), says: "health check 1"},
		{name: "health check without end", edit: checked(health.Check{Service: "x", Kind: "active", Timeout: clock.Duration(99999 * time.Hour)}), says: "health check 1"},
	}
	for i := range list {
		if list[i].code == "" {
			list[i].code = steps.InvalidManifest
		}
	}
	return list
}

// SWUpdate wrote where a file's name said.
func TestTraversalByFileName_SWUpdate_CVE_2023_7216(t *testing.T) {
	attack(t, nativetest.New(t), traversals())
}

// snapd followed links, and made special files, while it unpacked.
func TestSpecialFilesAndLinkTargets_snapd_GO_2024_3008_GO_2024_3009(t *testing.T) {
	attack(t, nativetest.New(t), linksAndModes())
}

func TestReleasesThatSayWhatCannotBe(t *testing.T) {
	attack(t, nativetest.New(t), descriptions())
}

// A release with a check that cannot pass on any device was packed by an older
// tope-bundle. It is refused, and leaves no trace that would stop a repaired
// release of the same version.
func TestAReleaseWithABadCheckIsNotQuarantined(t *testing.T) {
	kit := nativetest.New(t)
	v := newVictim(t, kit, false)
	file := published(t, onDisk(t, kit.Make(t, checked(health.Check{Service: "x", Kind: health.HTTP, URL: "http://"}))))
	v.requireRefused(t, file, steps.InvalidManifest, `health check 1 (http of x): url "http://" names no host`)
	exit, out, stderr := v.run(t, "status", "--json")
	require.Zero(t, exit, stderr)
	require.Contains(t, out, `"quarantine": []`)
	require.Contains(t, out, `"step": "Download"`, "before the payload came")
	v.requireTaken(t, published(t, onDisk(t, kit.Make(t, nativetest.Edit{}))), false)
}
