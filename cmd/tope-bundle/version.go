package main

import (
	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/builds"
)

// version and revision are set by the linker (-X main.version=…), as for tope-updater.
var version, revision string

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version of this program",
		RunE:  func(*cobra.Command, []string) error { return a.tellVersion() },
	}
}

func (a *app) tellVersion() error {
	b := builds.This(version, revision)
	if a.json {
		return a.document(b)
	}
	for _, line := range b.Lines("tope-bundle") {
		a.say("%s", line)
	}
	return nil
}
