package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/steps/bundle/channel"
)

// shown is a channel, signed or not, for people to look at.
type shown struct {
	channel.Content
	choose func(channel.Device, time.Time) channel.Choice
	// file is nil for a source.
	file    *channel.File
	digest  string
	signers int
}

func (a *app) channelShowCommand() *cobra.Command {
	var d channel.Device
	var at string
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "tell what is in a channel, whoever signed it, and what a device would do",
		Long: `Show a channel, signed or its source. With --device and --version, tell what that
device would do: the release it would install, or why it would not, and when its
turn comes. The signature is not checked; see verify.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (d.ID == "") != (d.Version == "") || d.ID == "" && (d.Hardware != "" || d.Early || d.Late) {
				return usagef("describe the device by --device ID and --version VERSION, and by --hardware where releases have one")
			}
			if d.Early && d.Late {
				return usagef("a device is --early or --late, not both")
			}
			if err := versionOf("--version", d.Version); err != nil {
				return err
			}
			now := time.Now()
			if at != "" {
				var err error
				if now, err = moment("--at", at); err != nil {
					return err
				}
			}
			s, err := look(args[0])
			if err != nil {
				return err
			}
			d.Product = s.Product
			d.Rotates = cmd.Flags().Changed("keys-serial")
			if d.ID != "" {
				return a.answerFor(s, d, now)
			}
			if a.json {
				return a.document(s.describe())
			}
			a.list(s, now)
			return nil
		},
	}
	cmd.Flags().StringVar(&d.ID, "device", "", "tell what the device with this `ID` would do")
	cmd.Flags().StringVar(&d.Hardware, "hardware", "", "the device's `hardware`")
	cmd.Flags().StringVar(&d.Version, "version", "", "the `version` that the device runs")
	cmd.Flags().Var(count{&d.KeysSerial}, "keys-serial", "`serial` of the device's keys.json")
	cmd.Flags().BoolVar(&d.Early, "early", false, "the device is one of the first")
	cmd.Flags().BoolVar(&d.Late, "late", false, "the device is one of the last")
	cmd.Flags().StringVar(&at, "at", "", "at this `time` (RFC 3339); without it, now")
	return cmd
}

func look(name string) (*shown, error) {
	text, err := readChannel(name)
	if err != nil {
		return nil, err
	}
	if !isSigned(text) {
		s, err := channel.ParseSource(text)
		if err != nil {
			return nil, inFile(name, err)
		}
		return &shown{Content: s.Content, choose: s.Choose}, nil
	}
	body, signatures, err := channel.Unseal(text)
	if err != nil {
		return nil, inFile(name, err)
	}
	f, err := channel.Parse(body)
	if err != nil {
		return nil, inFile(name, err)
	}
	return &shown{Content: f.Content, choose: f.Choose, file: f, digest: channel.Digest(body), signers: len(signatures)}, nil
}

func (s *shown) describe() any {
	if s.file == nil {
		return map[string]any{"channel": s.Content}
	}
	return map[string]any{"channel": s.file, "digest": s.digest, "signatures": s.signers}
}

// list shows the whole channel.
func (a *app) list(s *shown, now time.Time) {
	a.say("channel %s of %s", s.Channel, s.Product)
	if s.file == nil {
		a.say("not signed: this is the source")
	} else {
		a.say("serial      %d", s.file.Serial)
		a.say("digest      %s", s.digest)
		a.say("issued      %s", s.file.Issued.Format(time.RFC3339))
		past := ""
		if !now.Before(s.file.Expires) {
			past = ", which is past: devices install nothing new by it"
		}
		a.say("expires     %s%s", s.file.Expires.Format(time.RFC3339), past)
		a.say("signatures  %d (not checked; see verify)", s.signers)
	}
	if s.KeysSerial > 0 {
		a.say("keys        keys.json with serial %d or higher", s.KeysSerial)
	}
	if s.PollMinutes > 0 {
		a.say("poll        every %d minutes", s.PollMinutes)
	}
	for i := range s.Releases {
		r := &s.Releases[i]
		a.say("")
		a.say("%s  %s", r.Version, state(r, now))
		a.say("  hardware  %s", cmp.Or(strings.Join(r.Hardware, ", "), "every"))
		if r.From != "" {
			a.say("  from      %s or higher", r.From)
		}
		a.say("  bundle    %s, %s", r.URL, bytesOf(r.Size))
		a.say("  digest    %s", r.Digest)
		a.say("  rollout   from %s: %s", r.Rollout.Start.UTC().Format(time.RFC3339), strings.TrimSuffix(shares(&r.Rollout), ","))
	}
}

func state(r *channel.Release, now time.Time) string {
	if r.State != channel.Open {
		return fmt.Sprintf("%s: %s", r.State, r.Why)
	}
	return fmt.Sprintf("open to %s of the devices now", channel.Place(r.Rollout.Share(now)))
}

// answerFor tells what a device would do.
func (a *app) answerFor(s *shown, d channel.Device, now time.Time) error {
	c := s.choose(d, now)
	if a.json {
		answer := map[string]any{"device": d.ID, "at": now.UTC().Truncate(time.Second), "offered": c.Release != nil, "reason": c.Reason, "text": c.Text, "alarm": c.Alarm}
		if c.Release != nil {
			answer["release"] = c.Release
		}
		if !c.Due.IsZero() {
			answer["due"] = c.Due
		}
		if c.Withdrawn != "" {
			answer["withdrawn"] = c.Withdrawn
		}
		return a.document(answer)
	}
	a.say("%s: %s", c.Reason, c.Text)
	if c.Withdrawn != "" {
		a.say("version %s, which it runs, was withdrawn: %s", d.Version, c.Withdrawn)
	}
	if c.Alarm {
		a.say("alarm: nothing was signed for twice the time that a signing is valid")
	}
	return nil
}
