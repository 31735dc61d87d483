package main

import (
	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/builds"
	"github.com/tope/updater/platform/ownprogram"
)

// version and revision are set by the linker (-X main.version=…).
var version, revision string

type buildVersion struct {
	builds.Build
	// Takeover is the number that another updater asks for before it hands an
	// update over to this one.
	Takeover int `json:"takeover"`
}

func thisBuild() buildVersion {
	return buildVersion{builds.This(version, revision), ownprogram.Takeover}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version of this program",
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			return a.term.answer(b, func(t *terminal) {
				for _, line := range b.Lines("tope-updater") {
					t.say("%s", line)
				}
			})
		},
	}
}
