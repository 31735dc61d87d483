package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/tope/updater/engine"
)

func (a *app) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel",
		Short: "cancel the update, unless it has begun to switch",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := a.connect(ctx, cancels)
			if err != nil {
				return err
			}
			defer s.close()
			id, err := s.Cancel(ctx)
			if err != nil {
				return err
			}
			u, err := a.follow(ctx, s, id)
			var end endError
			if errors.As(err, &end) && u.State == engine.Cancelled {
				err = nil
			}
			if err != nil {
				return err
			}
			if u.State != engine.Cancelled {
				return engine.ErrTooLate
			}
			return a.term.answer(u, func(t *terminal) { t.say("update %s is cancelled; the device is unchanged", id) })
		},
	}
}
