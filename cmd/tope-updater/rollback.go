package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tope/updater/engine"
)

func (a *app) rollbackCommand() *cobra.Command {
	var to string
	var noWait bool
	var how engine.Turning
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "go back to the previous version, or to another installed one",
		Long: `Go back to the previous version, or with --to to any installed one. It is an
update like any other: its target must pass the health gate, and is undone when
it does not.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("rollback takes the version as a flag: tope-updater rollback --to %s", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.update(cmd.Context(), noWait, func(ctx context.Context, s *session) (string, error) {
				return s.Rollback(ctx, strings.TrimPrefix(to, "v"), how)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "`version` to go to (default: the previous one)")
	cmd.Flags().BoolVar(&how.Force, "force", false, "go back even to a version of a lower epoch than this device has committed")
	cmd.Flags().BoolVar(&how.Supersede, "supersede", false, "take the place of an offer that waits to be installed")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "return as soon as the update is accepted (needs the daemon)")
	return cmd
}
