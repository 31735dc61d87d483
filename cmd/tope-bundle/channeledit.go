package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/pack"
)

func (a *app) channelAddCommand() *cobra.Command {
	var roll rolloutFlags
	var url, from string
	cmd := &cobra.Command{
		Use:   "add FILE BUNDLE",
		Short: "add a release to a channel",
		Long: `Add the release in BUNDLE to the channel with the source FILE. Version, hardware,
size and digest are the bundle's. It has to be signed; the signature is not
checked (see "tope-bundle verify"), and devices check it.`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := roll.over(channel.Rollout{}); err != nil {
				return err
			}
			r := channel.Release{From: from, URL: cmp.Or(url, filepath.Base(args[1])), State: channel.Open}
			s, err := a.edit(args[0], func(s *channel.Source) (err error) {
				if err := released(&r, s, args[1]); err != nil {
					return err
				}
				if r.Rollout, err = roll.over(s.NewRollout(r.Version, time.Now())); err != nil {
					return err
				}
				return s.Add(r)
			})
			if err != nil {
				return err
			}
			return a.edited(args[0], s, "version %s for %s of the devices", r.Version, shares(&r.Rollout))
		},
	}
	roll.add(cmd)
	cmd.Flags().StringVar(&url, "url", "", "where devices find the bundle: an https `URL`, or a path relative to the channel; without it, the file's name")
	cmd.Flags().StringVar(&from, "from", "", "lowest `version` from which devices may go to it")
	return cmd
}

// released fills in what the bundle says, if devices of the channel's product would take it.
func released(r *channel.Release, s *channel.Source, name string) error {
	o, err := pack.Open(name, bundle.DefaultLimits(), anySignature)
	if err != nil {
		return err
	}
	defer o.Close()
	if string(o.Signature) == native.Unsigned {
		return fmt.Errorf("%s is not signed, and devices would refuse it: sign it first, with tope-bundle sign", name)
	}
	if err := (judged{product: s.Product}).native(o.Release, o.Digest, nil); err != nil {
		return inFile(name, err)
	}
	r.Version, r.Hardware, r.Size, r.Digest = o.Release.Version, o.Release.Hardware, o.Layout.Total, o.Digest
	return nil
}

func (a *app) channelPromoteCommand() *cobra.Command {
	var roll rolloutFlags
	var hardware, url string
	cmd := &cobra.Command{
		Use:   "promote FROM TO VERSION",
		Short: "take a release from one channel over into another",
		Long: `Take a release over, such as from beta.json into stable.json: the very bundle that
was tried, by its digest. FROM keeps it. It begins a rollout of its own in TO,
with other devices first. A relative URL is relative to the channel that names
it; --url says another.`,
		Args: cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := roll.over(channel.Rollout{}); err != nil {
				return err
			}
			from, err := source(args[0])
			if err != nil {
				return err
			}
			found, err := from.Find(args[2], hardware)
			if err != nil {
				return inFile(args[0], err)
			}
			if url != "" && len(found) > 1 {
				return usagef("--url: version %s has %d bundles in %s; name one by --hardware", args[2], len(found), args[0])
			}
			var shared string
			s, err := a.edit(args[1], func(s *channel.Source) error {
				if from.Product != s.Product {
					return fmt.Errorf("channel %s is for product %q, and %s for %q", s.Channel, s.Product, from.Channel, from.Product)
				}
				for _, r := range found {
					if r.State != channel.Open {
						return fmt.Errorf("version %s is %s in channel %s: %s", r.Version, r.State, from.Channel, r.Why)
					}
					if r.Rollout, err = roll.over(s.NewRollout(r.Version, time.Now())); err != nil {
						return err
					}
					r.URL, shared = cmp.Or(url, r.URL), shares(&r.Rollout)
					if err := s.Add(r); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			return a.edited(args[1], s, "version %s for %s of the devices", args[2], shared)
		},
	}
	roll.add(cmd)
	addHardware(cmd, &hardware)
	cmd.Flags().StringVar(&url, "url", "", "`URL` of the bundle in the other channel, when it is another one")
	return cmd
}

func addHardware(cmd *cobra.Command, hardware *string) {
	cmd.Flags().StringVar(hardware, "hardware", "", "only the release of this hardware; without it, all of that version")
}

func (a *app) channelRampCommand() *cobra.Command {
	var roll rolloutFlags
	var hardware string
	var resume bool
	cmd := &cobra.Command{
		Use:   "ramp FILE VERSION",
		Short: "change how many devices may install a release",
		Long: `Change the rollout of a release. The order of the devices stays: those that were
in before are the first again. A device that has begun goes on when the share
goes down; halt is what stops it. Without --start the shares count from now, or
from the start that is still to come.`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			to, err := roll.over(channel.Rollout{})
			if err != nil {
				return err
			}
			s, err := a.edit(args[0], func(s *channel.Source) error {
				return s.Ramp(args[1], hardware, to, resume, time.Now())
			})
			if err != nil {
				return err
			}
			return a.edited(args[0], s, "version %s for %s of the devices", args[1], shares(&to))
		},
	}
	roll.add(cmd)
	addHardware(cmd, &hardware)
	cmd.Flags().BoolVar(&resume, "resume", false, "open a release that is halted")
	return cmd
}

// shares says how far a rollout goes.
func shares(r *channel.Rollout) string {
	if r.Hours == 0 {
		return r.Percent.String() + " %"
	}
	return fmt.Sprintf("%s %%, and %s %% after %d hours,", r.Percent, r.To, r.Hours)
}

// channelStopCommand is halt or withdraw.
func (a *app) channelStopCommand(state channel.State) *cobra.Command {
	var hardware, why string
	verb, short := "halt", "stop the rollout of a release"
	long := `No device begins to install the release, and one that has not switched to it yet
gives up. Devices that run it keep it. "channel ramp --resume" goes on with it.`
	if state == channel.Withdrawn {
		verb, short = "withdraw", "take a release back for good"
		long = `Stop the release for good: as halt, and devices that run it say so. A channel never
leads to a lower version: publish a higher one for the devices that have it.`
	}
	cmd := &cobra.Command{
		Use:   verb + " FILE VERSION --why REASON",
		Short: short,
		Long:  long,
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if why = strings.TrimSpace(why); why == "" {
				return usageError{errors.New("say why, to those who look at their devices: --why REASON")}
			}
			if err := versions.ValidVersion(args[1]); err != nil {
				return usageError{err}
			}
			s, err := a.edit(args[0], func(s *channel.Source) error { return s.Stop(args[1], hardware, state, why) })
			if err != nil {
				return err
			}
			return a.edited(args[0], s, "version %s is %s", args[1], state)
		},
	}
	addHardware(cmd, &hardware)
	cmd.Flags().StringVar(&why, "why", "", "the `reason`, in one line")
	return cmd
}
