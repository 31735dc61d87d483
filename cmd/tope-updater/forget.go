package main

import (
	"github.com/spf13/cobra"

	"github.com/tope/updater/engine/httpapi"
)

func (a *app) trustCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust VERB",
		Short: "the signed releases that were committed, and what follows from them",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("say what to do: %s forget; \"tope-updater doctor\" tells whom this device trusts", cmd.CommandPath())
		},
	}
	cmd.AddCommand(a.trustForgetCommand())
	return cmd
}

func (a *app) trustForgetCommand() *cobra.Command {
	var ask httpapi.ForgetRequest
	cmd := &cobra.Command{
		Use:   "forget --why REASON",
		Short: "let a device without keys take any release again",
		Long: `Once a device has committed a signed release, it takes nothing while it has no key:
a key directory that was emptied, moved or not mounted does not open it to anybody.
To go on with the same publisher, put the key back.

"trust forget" lets go of the signed releases that were committed. From then on the
device trusts as one that never had any, until it commits the next; releases of a
lower epoch than it has committed still need --force. It is for root
alone, through the daemon's socket or without a daemon, and the journal keeps who
asked, and why.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.device()
			if err != nil {
				return err
			}
			if ask.Why == "" {
				return usagef("say why, for the journal: %s --why REASON", cmd.CommandPath())
			}
			s, err := a.connect(cmd.Context(), tends)
			if err != nil {
				return err
			}
			defer s.close()
			was, err := s.ForgetTrust(cmd.Context(), ask.Why)
			if err != nil {
				return err
			}
			now := d.policyBy(nil).Standing()
			return a.term.answer(was, func(t *terminal) {
				t.say("the %s is let go of", was.Forgotten)
				t.say("this device trusts %s", now.Text)
				if was.EpochFloor > 0 {
					t.say("releases below epoch %d still need --force: this device has committed that epoch", was.EpochFloor)
				}
			})
		},
	}
	cmd.Flags().StringVar(&ask.Why, "why", "", "`reason` for the journal")
	return cmd
}
