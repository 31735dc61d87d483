package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/versions"
)

func (a *app) factoryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "factory VERB",
		Short: "the version to fall back to when everything else has failed",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("say what to do: %s create, verify or restore", cmd.CommandPath())
		},
	}
	cmd.AddCommand(a.factoryCreateCommand(), a.factoryVerifyCommand(), a.factoryRestoreCommand())
	return cmd
}

func (a *app) factoryCreateCommand() *cobra.Command {
	var replace bool
	cmd := &cobra.Command{
		Use:   "create [VERSION]",
		Short: "make a version the factory version (default: the current one)",
		Long: `Make a version the factory version (default: the current one). Its write bits are
cleared, every file is read back, and its programs are checked to be startable
before the pointer is set. Services that work inside it are told: they cannot
write there any more.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.connect(cmd.Context(), tends)
			if err != nil {
				return err
			}
			defer s.close()
			version := ""
			if len(args) > 0 {
				version = strings.TrimPrefix(args[0], "v")
			}
			report, err := s.CreateFactory(cmd.Context(), version, replace)
			if err != nil {
				return err
			}
			// This process looks for writers: the daemon's sandbox does not let the
			// daemon look into other processes.
			writers, err := a.writers(report.Version)
			if err != nil {
				return err
			}
			return a.term.answer(struct {
				versions.FactoryReport
				Writers []look.Writer `json:"writers,omitempty"`
			}{report, writers}, func(t *terminal) {
				t.say("%s is the factory version: %d files, %d programs that can be started", report.Version, report.Files, report.Programs)
				for _, w := range writers {
					t.say("%s: %s; it cannot write there any more: give it a directory outside", t.paint(timeline.Warn, "warning"), w)
				}
			})
		},
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "replace the factory version there is")
	return cmd
}

// writers are the processes that work inside a version.
func (a *app) writers(version string) ([]look.Writer, error) {
	d, err := a.device()
	if err != nil {
		return nil, err
	}
	store, err := d.openVersions(false)
	if err != nil {
		return nil, err
	}
	return look.Writers(d.root, store, version)
}

func (a *app) factoryVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "read every file of the factory version back from the disk",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.connect(cmd.Context(), reads)
			if err != nil {
				return err
			}
			defer s.close()
			v, err := s.VerifyFactory(cmd.Context())
			if err != nil {
				return err
			}
			return a.verified(v)
		},
	}
}

func (a *app) factoryRestoreCommand() *cobra.Command {
	var noWait bool
	var how engine.Turning
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "go to the factory version",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.update(cmd.Context(), noWait, func(ctx context.Context, s *session) (string, error) {
				return s.RestoreFactory(ctx, how)
			})
		},
	}
	cmd.Flags().BoolVar(&how.Supersede, "supersede", false, "take the place of an offer that waits to be installed")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "return as soon as the update is accepted (needs the daemon)")
	return cmd
}
