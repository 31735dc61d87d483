package main

import (
	"github.com/spf13/cobra"
)

func (a *app) pruneCommand() *cobra.Command {
	keep := -1
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "remove old versions that nothing needs",
		Long: `Remove old versions and keep the newest. What a pointer leads to, and what an open
update needs, is never removed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("keep") && keep < 0 {
				return usagef("--keep %d is negative; say how many of the newest versions to keep", keep)
			}
			s, err := a.connect(cmd.Context(), tends)
			if err != nil {
				return err
			}
			defer s.close()
			removed, err := s.Prune(cmd.Context(), keep)
			if err != nil {
				return err
			}
			return a.term.answer(struct {
				Removed []string `json:"removed"`
			}{removed}, func(t *terminal) {
				for _, v := range removed {
					t.say("removed %s", v)
				}
				if len(removed) == 0 {
					t.say("nothing to remove")
				}
			})
		},
	}
	cmd.Flags().IntVar(&keep, "keep", -1, "keep the newest `N` versions, needed or not; with 0, only what is needed (default: retention.versions)")
	return cmd
}
