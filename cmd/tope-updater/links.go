package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/tope/updater/engine/httpapi"
)

func (a *app) linksCommand() *cobra.Command {
	var in httpapi.LinksRequest
	cmd := &cobra.Command{
		Use:   "links",
		Short: "repair the links to the current version's programs and services",
		Long: `Repair the links to the current version's programs and services: add those that
are missing, remove those that lead nowhere. A file, or somebody else's link, that
has a link's name is left alone and named.

A device whose first version was put there by hand has no pointers yet:
--pointers sets them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if in.Current != "" && !in.Pointers {
				return usagef("--current needs --pointers; \"rollback --to\" goes to another version")
			}
			in.Current = strings.TrimPrefix(in.Current, "v")
			s, err := a.connect(cmd.Context(), tends)
			if err != nil {
				return err
			}
			defer s.close()
			repaired, err := s.RepairLinks(cmd.Context(), in)
			if err != nil {
				return err
			}
			return a.term.answer(repaired, func(t *terminal) { t.repaired(repaired) })
		},
	}
	cmd.Flags().BoolVar(&in.Pointers, "pointers", false, "set current and previous too, where they lead to no version")
	cmd.Flags().StringVar(&in.Current, "current", "", "the `version` that --pointers makes current (default: previous's, factory's or the only one)")
	cmd.Flags().BoolVar(&in.Adopt, "adopt", false, "move files that have a link's name aside, to NAME.before-tope")
	return cmd
}

func (t *terminal) repaired(m httpapi.LinksRepaired) {
	for _, p := range m.Pointers {
		t.say("set %s", p)
	}
	for _, f := range m.Aside {
		t.say("kept %s", f)
	}
	for _, l := range m.Added {
		t.say("added %s", l)
	}
	for _, l := range m.Removed {
		t.say("removed %s", l)
	}
	if len(m.Pointers)+len(m.Aside)+len(m.Added)+len(m.Removed) == 0 {
		t.say("all links are as they should be")
	}
}
