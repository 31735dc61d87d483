package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

func (a *app) installCommand() *cobra.Command {
	var noWait, retry, force bool
	cmd := &cobra.Command{
		Use:   "install BUNDLE|URL",
		Short: "install a release from a file or a URL",
		Long: `Install a release from a bundle: a file on this machine, or an http or https URL.

The command follows the update to its end, and its exit code tells how it ended:
0 committed, 10 refused, 12 rolled back, 13 needs attention. Interrupting the
command does not interrupt the daemon's update; "tope-updater watch" follows it
again. Without a daemon the update stops where it is, and the next command that
changes something, or the daemon when it starts, goes on with it.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%d bundles were named; name one: tope-updater install BUNDLE|URL", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := bundleSource(args[0])
			if err != nil {
				return err
			}
			return a.update(cmd.Context(), noWait, func(ctx context.Context, s *session) (string, error) {
				return s.Install(ctx, engine.InstallRequest{Source: src, Retry: retry, Force: force})
			})
		},
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "return as soon as the update is accepted (needs the daemon)")
	cmd.Flags().BoolVar(&force, "force", false, "install it even if it has expired or its epoch is lower than this device has committed")
	cmd.Flags().BoolVar(&retry, "retry", false, "install it even if it is in quarantine")
	return cmd
}

// bundleSource makes a source of the URL or path that the user gave.
func bundleSource(arg string) (steps.Source, error) {
	if _, err := source.Parse(arg); !filepath.IsAbs(arg) && (err == nil || strings.Contains(arg, "://")) {
		return steps.Source{URL: arg}, nil
	}
	path, err := filepath.Abs(arg)
	if err != nil {
		return steps.Source{}, fmt.Errorf("cannot find bundle %s: %w", arg, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return steps.Source{}, fmt.Errorf("cannot find the bundle: %w", err)
	}
	if !info.Mode().IsRegular() {
		return steps.Source{}, usagef("%s is not a file; name the bundle itself", path)
	}
	return steps.Source{URL: path, Name: filepath.Base(path), Size: info.Size()}, nil
}

// update begins an update and follows it to its end.
func (a *app) update(ctx context.Context, noWait bool, begin func(context.Context, *session) (string, error)) error {
	s, err := a.connect(ctx, changes)
	if err != nil {
		return err
	}
	defer s.close()
	if noWait && s.inProcess {
		return usagef("--no-wait needs the daemon, which does not run; start \"tope-updater serve\", or wait")
	}
	id, err := begin(ctx, s)
	if err != nil {
		return err
	}
	if noWait {
		return a.term.answer(struct {
			Update string `json:"update"`
		}{id}, func(t *terminal) { t.say("update %s has begun; follow it with \"tope-updater watch\"", id) })
	}
	if !a.term.json {
		a.term.say("update %s", id)
	}
	u, err := a.follow(ctx, s, id)
	if a.term.json && u.ID != "" {
		if werr := a.term.document(u); werr != nil {
			return werr
		}
	}
	if err == nil && !a.term.json {
		a.term.say("%s is current", u.To)
		if u.Wire != nil {
			a.term.say("%s", wire(u.Wire))
		}
	}
	return err
}
