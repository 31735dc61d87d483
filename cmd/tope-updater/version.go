package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/builds"
	"github.com/tope/updater/platform/ownprogram"
)

// version, revision and built, the time of its commit in seconds, are set by the linker
// (-X main.version=…).
var version, revision, built string

// builtAt is when this program was made, as far as it knows: no right clock is before that.
func builtAt() time.Time {
	if s, err := strconv.ParseInt(built, 10, 64); err == nil {
		return time.Unix(s, 0).UTC()
	}
	return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
}

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
