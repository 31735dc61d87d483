package main

import (
	"github.com/spf13/cobra"

	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal"
)

func (a *app) quarantineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine VERB",
		Short: "tell which releases failed on this device, and let them try again",
		Long: `A release whose health gate failed on this device is in quarantine: it is not
installed again unasked. "install --retry" tries it once more; "clear" forgets
that it failed. The quarantine keeps the newest 64 releases.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("say what to do: %s list or clear", cmd.CommandPath())
		},
	}
	cmd.AddCommand(a.quarantineList(), a.quarantineClear())
	return cmd
}

func (a *app) quarantineList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the releases in quarantine, newest first",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.connect(cmd.Context(), reads)
			if err != nil {
				return err
			}
			defer s.close()
			all, err := s.Quarantine(cmd.Context())
			if err != nil {
				return err
			}
			return a.term.answer(httpapi.Quarantine{Quarantine: all}, func(t *terminal) { t.quarantine(all) })
		},
	}
}

func (t *terminal) quarantine(all []journal.Quarantined) {
	if len(all) == 0 {
		t.say("no release is in quarantine")
		return
	}
	rows := [][]string{{"version", "since (UTC)", "update", "why", "digest"}}
	for _, q := range all {
		rows = append(rows, []string{q.Version, q.Time.UTC().Format("2006-01-02 15:04:05"), q.Update, q.Reason, q.Digest})
	}
	t.table(rows...)
}

func (a *app) quarantineClear() *cobra.Command {
	var ask httpapi.ClearRequest
	cmd := &cobra.Command{
		Use:   "clear [DIGEST|VERSION]",
		Short: "let a release leave the quarantine, so that it may be installed again",
		RunE: func(cmd *cobra.Command, args []string) error {
			if ask.All == (len(args) > 0) {
				return usagef("name a release by its digest or version, or say --all; \"tope-updater quarantine list\" has both")
			}
			if len(args) > 0 {
				ask.Release = args[0]
			}
			s, err := a.connect(cmd.Context(), tends)
			if err != nil {
				return err
			}
			defer s.close()
			cleared, err := s.ClearQuarantine(cmd.Context(), ask)
			if err != nil {
				return err
			}
			return a.term.answer(httpapi.Cleared{Cleared: cleared}, func(t *terminal) {
				for _, q := range cleared {
					t.say("%s (%s) may be installed again", q.Version, q.Digest)
				}
				if len(cleared) == 0 {
					t.say("no release is in quarantine")
				}
			})
		},
	}
	cmd.Flags().BoolVar(&ask.All, "all", false, "all releases in quarantine")
	cmd.Flags().StringVar(&ask.Why, "why", "", "`reason` for the journal")
	return cmd
}
