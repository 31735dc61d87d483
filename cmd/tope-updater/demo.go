package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/demo"
	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/platform/printable"
)

func (a *app) demoCommand() *cobra.Command {
	var keep bool
	var programs string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "play a device's life: a good update, a bad one, a kill -9, and the journal of it",
		Long: `Play a device's life below a temporary directory, with this very program, two small
services and packages served on loopback. Nothing on this machine is touched; no
root and no systemd is needed. "make demo" builds the two services and runs this.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("cannot find this program: %w", err)
			}
			if programs == "" {
				programs = filepath.Dir(self)
			}
			return demo.Run(cmd.Context(), demo.Options{
				Updater: self, Programs: programs, Keep: keep, Out: a.term.out,
				Heading: func(s string) string { return a.term.shown(printable.Line, a.term.paint(timeline.Strong, s)) },
			})
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the directory to play with")
	cmd.Flags().StringVar(&programs, "fixtures", "", "`directory` of the two services' programs (default: beside this program)")
	return cmd
}
