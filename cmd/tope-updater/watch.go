package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/client"
)

func (a *app) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "follow the update that is under way, or the next one",
		Long: `Follow the update that is under way to its end, or, when there is none, wait for
the next one and follow that. Before and after, the version is told from which each
service runs. The exit code tells how the update ended.
With --json, every change of the status, progress included, is one line.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := a.connect(ctx, reads)
			if err != nil {
				return err
			}
			defer s.close()
			if s.inProcess {
				return fmt.Errorf("no daemon answers on %s, so there is nothing to watch; \"tope-updater status\" tells how things stand", s.socket)
			}
			return a.watch(ctx, s)
		},
	}
}

func (a *app) watch(ctx context.Context, s *session) error {
	p := newProgress(a.term)
	defer p.close()
	var seen uint64
	var last []byte
	said := false
	followed := "" // the update that --json follows
	for {
		st, err := a.next(ctx, s, p, seen)
		if err != nil {
			return err
		}
		if a.term.json {
			if last, err = a.term.changed(st, last); err != nil {
				return err
			}
		}
		seen = st.Journal.Seq
		switch {
		case st.Update != nil && !a.term.json:
			a.term.say("update %s", st.Update.ID)
			_, err := a.follow(ctx, s, st.Update.ID)
			if st, serr := s.Status(ctx); serr == nil {
				a.present(st)
			}
			return err
		case st.Update != nil && followed == "":
			followed = st.Update.ID
		}
		if u, over := client.Ended(st.Status, followed); followed != "" && over {
			if u == nil { // another one has begun meanwhile
				return nil
			}
			return ended(*u) // it may have been cleaned up before it was seen at its end
		}
		if st.Update == nil && !said {
			said = true
			p.aside("no update is under way; waiting for one")
			if !a.term.json {
				a.present(st)
			}
		}
	}
}

// present tells from which version each service runs.
func (a *app) present(st httpapi.Status) {
	for _, one := range st.Services {
		a.term.say("%s", a.term.service(one, st.Pointers.Current))
	}
}
