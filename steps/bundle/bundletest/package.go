package bundletest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Module is one of a manifest's modules.
type Module struct {
	Name        string   `json:"name"`
	Src         string   `json:"src"`
	Dst         string   `json:"dst"`
	ProcessName string   `json:"process_name,omitempty"`
	Order       int      `json:"restart_order,omitempty"`
	PostCmds    []string `json:"post_cmds,omitempty"`
}

// Manifest is the manifest.json of a package.
func Manifest(version string, modules ...Module) Entry {
	data, err := json.MarshalIndent(map[string]any{"version": version, "modules": modules}, "", "  ")
	if err != nil {
		panic(err) // strings and numbers only
	}
	return Entry{Name: "manifest.json", Data: data, Store: true}
}

// Whole puts all of the package's directory "app" at services/app; most tests need no
// more.
func Whole() Module {
	return Module{Name: "app", Src: "app", Dst: "/opt/tope/services/app", ProcessName: "app", Order: 1}
}

// App is a package of version 1.2.0 with these entries and Whole.
func App(entries ...Entry) Zip {
	return Zip{Entries: append([]Entry{Manifest("1.2.0", Whole())}, entries...)}
}

// Package is a sound package with one of everything: a service with its
// program, data, a library behind a link and an empty directory, and a command
// without Unix mode in bin.
func Package(version string) Zip {
	return Zip{Entries: []Entry{
		Manifest(version,
			Module{Name: "api", Src: "device-api/", Dst: "/opt/tope/services/device-api", ProcessName: "device-api", Order: 2},
			Module{Name: "web", Src: "web", Dst: "/opt/tope/services/web-server/", ProcessName: "web-server", Order: 1},
			Module{Name: "tool", Src: "tools/tope-tool", Dst: "/usr/local/bin/tope-tool"}),
		{Name: "README.txt", Data: []byte("not part of the release")},
		{Name: "device-api/", Mode: Directory, Store: true},
		{Name: "device-api/device-api", Mode: Executable, Data: []byte("#!/bin/sh\necho " + version + "\n")},
		{Name: "device-api/lib/libx.so.1", Mode: Regular, Data: bytes.Repeat([]byte("library "), 4000), Descriptor: true},
		{Name: "device-api/lib/libx.so", Mode: Symlink, Data: []byte("libx.so.1"), Store: true},
		{Name: "device-api/empty/", Mode: Directory, Store: true},
		{Name: "web/run", Data: []byte("#!/bin/sh\n")},
		{Name: "web/index.html", Data: []byte("<p>" + version), Store: true},
		{Name: "tools/tope-tool", Data: []byte("\x7fELF and so on")},
	}}
}

// Write writes the file to dir/name, and returns its path.
func (z Zip) Write(t testing.TB, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, z.Bytes(), 0o600))
	return path
}
