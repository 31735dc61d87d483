// Package builds tells which build of a program is running, the same for each program.
package builds

import (
	"runtime"
	"runtime/debug"
)

// Build is what a program knows of itself.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	Arch    string `json:"arch"`
}

// This is the running program's build. version and revision are what the linker has set
// (-X main.version=…); a plain "go build" or "go install" leaves them to the build info.
func This(version, revision string) Build {
	b := Build{Version: version, Commit: revision, Go: runtime.Version(), Arch: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && b.Commit == "" {
			b.Commit = s.Value
		}
	}
	return b
}

// Lines tell people about the build of the program with that name.
func (b Build) Lines(program string) []string {
	lines := []string{program + " " + b.Version}
	if b.Commit != "" {
		lines = append(lines, "commit "+b.Commit)
	}
	return append(lines, b.Go+" "+b.Arch)
}
