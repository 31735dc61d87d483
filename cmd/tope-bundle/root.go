package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/strict"
)

// app is what the verbs share.
type app struct {
	in       *os.File
	out, err io.Writer
	json     bool
	quiet    bool
}

func (a *app) command() *cobra.Command {
	var tell bool
	cmd := &cobra.Command{
		Use:   "tope-bundle VERB",
		Short: "make and inspect signed releases for tope-updater",
		Long: `tope-bundle makes the bundles (.tope) that tope-updater installs: a directory,
described by a small file, compressed, with patches against earlier releases,
and signed.

Keys come from a file or standard input, never from an argument. Exit codes:
0 done, 1 error, 2 usage, 10 the bundle is refused.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		// The nearest one counts: a verb below must not have one of its own.
		PersistentPreRunE: local,
		RunE: func(cmd *cobra.Command, args []string) error {
			if tell && len(args) == 0 {
				return a.tellVersion()
			}
			if len(args) > 0 {
				return usagef("there is no verb %q; \"tope-bundle --help\" lists them", args[0])
			}
			return usagef("say what to do: tope-bundle VERB; \"tope-bundle --help\" lists the verbs")
		},
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.SetOut(a.out)
	cmd.SetErr(a.err)
	cmd.Flags().BoolVar(&tell, "version", false, "print the version of this program")
	cmd.PersistentFlags().BoolVar(&a.json, "json", false, "JSON instead of text for people")
	cmd.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "no progress on standard error")
	cmd.AddCommand(a.keygenCommand(), a.packCommand(), a.signCommand(), a.verifyCommand(),
		a.inspectCommand(), a.diffCommand(), a.convertCommand(), a.serveCommand(), a.channelCommand(), a.versionCommand())
	strict.Arguments(cmd, func(err error) error {
		if err != nil {
			err = usageError{err}
		}
		return err
	})
	return cmd
}
