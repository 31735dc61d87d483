package main

import (
	"github.com/spf13/cobra"
)

func (a *app) linksCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "links",
		Short: "make the links to the current version's programs and services whole",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.connect(cmd.Context(), changes)
			if err != nil {
				return err
			}
			defer s.close()
			mended, err := s.MendLinks(cmd.Context())
			if err != nil {
				return err
			}
			return a.term.answer(mended, func(t *terminal) {
				for _, l := range mended.Added {
					t.say("added %s", l)
				}
				for _, l := range mended.Removed {
					t.say("removed %s", l)
				}
				if len(mended.Added)+len(mended.Removed) == 0 {
					t.say("all links are as they should be")
				}
			})
		},
	}
}
