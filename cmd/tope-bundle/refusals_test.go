package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle/bundletest"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/native/nativetest"
)

// A refusal is a function of the device's packages that refuses a bundle or release, or
// a package of which all functions are alike.
type refusal struct {
	// device says why only a device can know.
	device string
	// shared says that verify goes through the same function.
	shared string
	// file makes a bundle that verify refuses for the same reason, with the flags that
	// describe the device; says is what it says.
	file  func(t *testing.T, k *nativetest.Kit, path string)
	flags []string
	says  string
}

// refusals are all there are: see TestVerifyRefusesWhatADeviceRefuses.
func refusals() map[string]refusal {
	edit := func(e nativetest.Edit) func(*testing.T, *nativetest.Kit, string) {
		return func(t *testing.T, k *nativetest.Kit, path string) {
			require.NoError(t, os.WriteFile(path, k.Make(t, e), 0o600))
		}
	}
	release := func(change func(b *nativetest.Bundle)) func(*testing.T, *nativetest.Kit, string) {
		return edit(nativetest.Edit{Release: change})
	}
	zip := func(entries ...bundletest.Entry) func(*testing.T, *nativetest.Kit, string) {
		return func(t *testing.T, _ *nativetest.Kit, path string) {
			require.NoError(t, os.WriteFile(path, bundletest.App(entries...).Bytes(), 0o600))
		}
	}
	sound := edit(nativetest.Edit{})
	commands := bundletest.Module{Name: "app", Src: "app", Dst: "/opt/tope/app", PostCmds: []string{"reboot"}}
	units := bundletest.Module{Name: "units", Src: "units", Dst: "/opt/tope/systemd"}
	return map[string]refusal{
		"engine.judge":  {device: "its quarantine, and which release is current"},
		"engine.expire": {device: "how long ago it verified the package"},
		"engine.take":   {device: "what engine.judge found"},
		// Of an offer: "channel verify --bundles" compares what can be compared.
		"engine.offered":           {device: "which release its source has offered"},
		"engine.offerExpires":      {device: "how long the offer has waited there"},
		"steps/bundle.CheckSigned": {device: "whether its source takes signed releases only; verify asks for a signature anyway"},

		"steps/download": {device: "what a server sends against what was declared, and how much the device takes; verify has the file itself"},

		"steps/bundle/native":    {shared: "pack.Open reads the head by native.ReadHead"},
		"steps/bundle/legacyzip": {shared: "verify and convert open a package by its Format"},

		"steps/bundle.Invalid":         {shared: "makes the error"},
		"steps/bundle.InvalidManifest": {shared: "makes the error"},
		"steps/bundle.CheckPath":       {shared: "called by both formats"},
		"steps/bundle.CheckTarget":     {shared: "called by both formats"},
		"steps/bundle.CheckSize":       {shared: "called by both formats"},
		"steps/bundle.CheckTotal":      {shared: "called by both formats"},
		"steps/bundle.add":             {shared: "a Tree is in both formats"},
		"steps/bundle.Regular":         {file: func(t *testing.T, _ *nativetest.Kit, path string) { require.NoError(t, os.Mkdir(path, 0o700)) }, says: "it is a directory"},
		"steps/bundle.Stranger": {file: func(t *testing.T, _ *nativetest.Kit, path string) {
			require.NoError(t, os.WriteFile(path, []byte("<html>"), 0o600))
		}, says: "it is a web page"},
		"steps/bundle.nobodys":       {device: "what its configuration lets a release bring without a signature"},
		"steps/bundle.CheckDeclared": {device: "which version was asked for"},
		"steps/bundle.CheckCommands": {file: func(t *testing.T, _ *nativetest.Kit, path string) {
			z := bundletest.Zip{Entries: []bundletest.Entry{bundletest.Manifest("1.2.0", commands), {Name: "app/run"}}}
			require.NoError(t, os.WriteFile(path, z.Bytes(), 0o600))
		}, flags: []string{"--any-signature"}, says: "1 shell command run as root"},
		"steps/bundle.CheckServices": {file: release(func(b *nativetest.Bundle) {
			b.Release.Services = []string{"systemd-poweroff"}
		}), says: "are not for releases"},
		"steps/bundle.CheckAge": {file: sound, flags: []string{"--epoch", "6"}, says: "is of epoch 5, and this device has committed epoch 6"},
		"steps/bundle.follow": {file: release(func(b *nativetest.Bundle) {
			b.Release.Files = append([]native.File{{Path: "a", Link: "b"}, {Path: "b", Link: "a"}}, b.Release.Files...)
			for i := range b.Release.Payload.Patches {
				b.Release.Payload.Patches[i].File += 2
			}
		}), says: "leads in a cycle"},
		"steps/bundle.unfit": {file: func(t *testing.T, _ *nativetest.Kit, path string) {
			z := bundletest.Zip{Entries: []bundletest.Entry{bundletest.Manifest("1.2.0", units), {Name: "units/edge-web.timr"}}}
			require.NoError(t, os.WriteFile(path, z.Bytes(), 0o600))
		}, flags: []string{"--any-signature"}, says: `unit "edge-web.timr": want a name`},

		"steps/bundle/supply.permits":   {device: "whether its configuration allows file capabilities; the signature is verify's"},
		"steps/bundle/supply.fits":      {file: sound, flags: []string{"--product", "other"}, says: `this device is "other"`},
		"steps/bundle/trust.Signature":  {file: edit(nativetest.Edit{Sign: func(*nativetest.Kit, []byte) []byte { return []byte("unsigned\n") }}), says: "its signature"},
		"steps/bundle/trust.Unsignable": {file: zip(bundletest.Entry{Name: "app/run"}), says: "cannot be signed"},
		"steps/bundle/trust.bereft":     {device: "whether it has committed a signed release, and has its keys"},
		"steps/bundle/trust.refuse":     {shared: "makes the error"},
		"steps/bundle/trust.unusable":   {device: "whether its keys can be read"},

		"steps/verify.prove":    {device: "the SHA-256 that the request declared"},
		"steps/verify.declared": {device: "the size and MD5 that the request declared"},

		"steps/extract.Do":        {device: "that the file is still the one that was verified"},
		"steps/extract.collision": {shared: "a guard behind the formats' Tree"},
		"steps/extract.with":      {shared: "a guard behind native: versions.Brought.Validate"},
		"steps/extract.underWritable": {file: release(func(b *nativetest.Bundle) {
			b.Release.Writable = []versions.Writable{{Path: "services/app"}}
		}), says: "lies in the writable directory services/app"},
		"steps/extract.makeLinks": {shared: "a guard behind bundle.CheckLinks"},
		"steps/extract.content": {file: edit(nativetest.Edit{File: func(file []byte) []byte {
			file[len(file)/2] ^= 1
			return file
		}}), says: "is not the one that was signed"},
		"steps/extract.copy": {shared: "a guard behind the digests"},

		"steps/stage.invalid": {shared: "makes the error"},
		"steps/stage.brought": {shared: "a guard behind native: versions.Brought.Validate and health.Released"},
		"steps/stage.present": {file: release(func(b *nativetest.Bundle) {
			b.Release.Hooks = map[versions.Hook]string{versions.PreSwitch: "services/app/new"}
		}), says: "is not an executable file of the release"},
		"steps/stage.makeWay": {file: sound, flags: []string{"--from", nativetest.Version}, says: "is there already, with other content"},
	}
}

// Whatever keeps a device from taking a bundle keeps verify from calling it good, except
// what only that device can know. A function that begins to refuse has to be in the
// table.
func TestVerifyRefusesWhatADeviceRefuses(t *testing.T) {
	table, k := refusals(), nativetest.New(t)
	there := map[string]bool{}
	for _, site := range sites(t) {
		whole := site[:strings.LastIndexByte(site, '.')]
		there[site], there[whole] = true, true
		_, one := table[site]
		_, all := table[whole]
		assert.True(t, one || all, "%s refuses releases and is not in the table: does verify refuse them as well?", site)
	}
	keys := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(keys, "k.pub"), k.Pub, 0o600))
	for site, r := range table {
		t.Run(site, func(t *testing.T) {
			require.True(t, there[site], "nothing refuses there any more")
			if r.file == nil {
				require.NotEqual(t, r.device == "", r.shared == "")
				return
			}
			path := filepath.Join(t.TempDir(), "release")
			r.file(t, k, path)
			args := append([]string{"-q", "verify", path}, r.flags...)
			if len(r.flags) == 0 || r.flags[0] != "--any-signature" {
				args = append(args, "--keys", keys)
			}
			said, exit := ran(args...)
			require.Equal(t, 10, exit, said)
			require.Contains(t, said, r.says)
		})
	}
	// A sound one is good.
	path := filepath.Join(t.TempDir(), "release")
	require.NoError(t, os.WriteFile(path, k.Make(t, nativetest.Edit{}), 0o600))
	said, exit := ran("-q", "verify", path, "--keys", keys)
	require.Zero(t, exit, said)
}

// sites lists the functions in the device's packages that refuse releases, as
// "steps/stage.makeWay": those that call the makers of such errors, or write one.
func sites(t *testing.T) []string {
	t.Helper()
	const module = "../.."
	var found []string
	for _, top := range []string{"engine", "steps"} {
		err := filepath.WalkDir(filepath.Join(module, top), func(p string, d fs.DirEntry, err error) error {
			dir, _ := filepath.Rel(module, filepath.Dir(p))
			other := strings.HasSuffix(dir, "test") || strings.HasPrefix(dir, "engine/") || dir == "steps/bundle/pack"
			if err != nil || other || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), p, nil, 0)
			if err != nil {
				return err
			}
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && refuses(f) {
					found = append(found, dir+"."+f.Name.Name)
				}
			}
			return nil
		})
		require.NoError(t, err)
	}
	require.Greater(t, len(found), 50)
	return found
}

// refuses reports whether a function makes an error of class Refused.
func refuses(f *ast.FuncDecl) bool {
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		switch e := n.(type) {
		case *ast.KeyValueExpr: // Class: steps.Refused
			s, ok := e.Value.(*ast.SelectorExpr)
			found = found || ok && s.Sel.Name == "Refused"
		case *ast.CallExpr:
			name := ""
			switch fun := e.Fun.(type) {
			case *ast.SelectorExpr:
				name = fun.Sel.Name
			case *ast.Ident:
				name = fun.Name
			}
			switch name {
			case "Invalid", "InvalidManifest", "invalid", "refuse", "refused":
				found = true
			}
		}
		return true
	})
	return found
}
