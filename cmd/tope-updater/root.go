package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/cmd/internal/strict"
)

// app is what the verbs share: the global flags and the terminal.
type app struct {
	configFile string
	root       string
	term       *terminal
	// end ends the context of the verb, as SIGINT does.
	end context.CancelFunc
}

// command builds the tree of verbs.
func (a *app) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tope-updater VERB",
		Short: "update the software of this device, whatever happens to its power",
		Long: `tope-updater replaces the application software of a device, unattended.
A power cut at any instant leaves the device running one whole version: the old
one, the new one or, when both proved bad, the factory's. Everything it did, and
why, can be read afterwards with "tope-updater journal show".

Verbs go through the daemon when one runs, and do the work themselves, under the
journal's lock, when none does.

Exit codes: 0 done, 1 error, 2 usage or nothing to do, 3 not found, 10 refused by
verification or quarantine, 11 busy or too late to cancel, 12 rolled back or
fell back to the factory version, 13 needs attention.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          noVerb,
		// Completions are generated into docs/completions; see docs_test.go.
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	cmd.SetOut(a.term.out)
	cmd.SetErr(a.term.err)
	flags := cmd.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "configuration `file` of this system (default: the device's "+config.Path+", which may be missing)")
	flags.StringVar(&a.root, "root", "/", "`directory` that stands for the device's /: its configuration, keys, state, versions and units")
	flags.BoolVar(&a.term.json, "json", false, "stable JSON instead of text for people")
	cmd.AddCommand(
		a.serveCommand(), a.reloadCommand(), a.recoverCommand(),
		a.installCommand(), a.statusCommand(), a.watchCommand(), a.cancelCommand(), a.rollbackCommand(),
		a.versionsCommand(), a.pruneCommand(), a.quarantineCommand(), a.factoryCommand(), a.linksCommand(), a.unitsCommand(),
		a.fleetCommand(), a.keysCommand(), a.trustCommand(), a.tokenCommand(), a.doctorCommand(), a.journalCommand(), a.demoCommand(), a.versionCommand(), a.noteEndCommand(),
	)
	strict.Arguments(cmd, usage)
	return cmd
}

// noVerb answers a command line without a verb, or with an unknown one.
func noVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("say what to do: tope-updater VERB; \"%s --help\" lists the verbs", cmd.CommandPath())
	}
	return usagef("there is no verb %q; \"%s --help\" lists them", args[0], cmd.CommandPath())
}
