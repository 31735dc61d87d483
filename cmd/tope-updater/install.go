package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

func (a *app) installCommand() *cobra.Command {
	var noWait, retry, force, check, supersede bool
	cmd := &cobra.Command{
		Use:   "install BUNDLE|URL",
		Short: "install a release from a file or a URL",
		Long: `Install a release from a bundle: a file on this machine, or an http or https URL.
A file is opened with your rights and handed to the daemon. Of a URL, the user, the
values of its query and its fragment are shown nowhere.

The command follows the update to its end, and its exit code tells how it ended:
0 committed, 10 refused, 12 rolled back or fell back to the factory version,
13 needs attention. Interrupting the
command does not interrupt the daemon's update; "tope-updater watch" follows it
again. Without a daemon the update stops where it is; services that it had stopped
are started again. "tope-updater recover --finish", or the daemon when it starts,
goes on with it. Until then other commands that change something are refused.

With --check it asks whether the release would fit this device: it is downloaded,
verified and unpacked, and the device is asked all that can be known before a
switch. Then everything is removed again. Nothing is stopped or switched. The exit
code is 0 when the release fits, and otherwise that of the install that would fail.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			src, file, err := bundleSource(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			return a.update(cmd.Context(), noWait, func(ctx context.Context, s *session) (string, error) {
				return s.Install(ctx, engine.InstallRequest{Source: src, Handed: file, Retry: retry, Force: force, Check: check, Supersede: supersede})
			})
		},
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "return as soon as the update is accepted (needs the daemon)")
	cmd.Flags().BoolVar(&check, "check", false, "only find out whether the release would fit this device")
	cmd.Flags().BoolVar(&force, "force", false, "install it even if it has expired or its epoch is lower than this device has committed")
	cmd.Flags().BoolVar(&supersede, "supersede", false, "take the place of an offer that waits to be installed")
	cmd.Flags().BoolVar(&retry, "retry", false, "install it even if it is in quarantine")
	return cmd
}

// bundleSource makes a source of the URL or path that the user gave. It opens a local file
// with the user's rights: the daemon reads that file, and cannot be made to read another.
func bundleSource(arg string) (steps.Source, *steps.Handed, error) {
	at, err := source.New(arg).Parse()
	if err == nil && at.Web() || err != nil && strings.Contains(arg, "://") {
		return steps.Source{URL: source.New(arg)}, nil, nil // the API says what is wrong with it
	}
	path := at.Path
	if err != nil {
		if path, err = filepath.Abs(arg); err != nil {
			return steps.Source{}, nil, fmt.Errorf("cannot find bundle %s: %w", source.New(arg), err)
		}
	}
	// O_NONBLOCK: opening a FIFO must not wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return steps.Source{}, nil, fmt.Errorf("cannot open the bundle: %w", err)
	}
	file := &steps.Handed{File: f}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = usagef("%s is not a file; name the bundle itself", path)
	}
	if err != nil {
		file.Close()
		return steps.Source{}, nil, err
	}
	return steps.Source{URL: source.New(path), Name: filepath.Base(path), Size: info.Size()}, file, nil
}

// update begins an update and follows it to its end.
func (a *app) update(ctx context.Context, noWait bool, begin func(context.Context, *session) (string, error)) error {
	s, err := a.connect(ctx, begins)
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
	if !s.inProcess && ctx.Err() != nil && u.ID == "" {
		a.term.note("update %s goes on in the daemon; \"tope-updater watch\" follows it, and \"tope-updater cancel\" ends it until it switches", id)
	}
	if a.term.json && u.ID != "" {
		if werr := a.term.document(u); werr != nil {
			return werr
		}
	}
	if err == nil && !a.term.json {
		if u.State == engine.Checked {
			a.term.say("%s fits this device; nothing was changed", u.To)
		} else {
			a.term.say("%s is current", u.To)
		}
		if s.rests {
			a.term.say("%s does not run: nothing was started or judged; its services start when it boots", a.root)
		}
		if u.Wire != nil {
			a.term.say("%s", wire(u.Wire))
		}
	}
	return err
}
