package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/tope/updater/platform/ownprogram"
)

// version and revision are set by the linker (-X main.version=…); a plain
// "go build" or "go install" leaves them to the build info.
var version, revision string

type buildVersion struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	Arch    string `json:"arch"`
	// Takeover is the number that another updater asks for before it hands an
	// update over to this one.
	Takeover int `json:"takeover"`
}

func thisBuild() buildVersion {
	b := buildVersion{Version: version, Commit: revision, Go: runtime.Version(), Arch: runtime.GOOS + "/" + runtime.GOARCH, Takeover: ownprogram.Takeover}
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

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version of this program",
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			return a.term.answer(b, func(t *terminal) {
				t.say("tope-updater %s", b.Version)
				if b.Commit != "" {
					t.say("commit %s", b.Commit)
				}
				t.say("%s %s", b.Go, b.Arch)
			})
		},
	}
}
