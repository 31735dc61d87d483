package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps/bundle/channel"
)

// The verbs of channels. People edit and review a source, NAME.json; sign makes NAME.channel
// of it, which is published. Only sign needs a key.

func (a *app) channelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "channel",
		Short: "choose the releases that devices install, and sign the choice",
		Long: `Make a channel: a small signed file that tells devices which release to install.
NAME.json is its source, which these verbs edit and people review; sign makes of
it NAME.channel, to be put on any web server. A release is published by two
commands: add and sign. Devices ask for the one that their configuration names
([fleet] channel).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("say what to do: %s VERB; \"%s --help\" lists the verbs", cmd.CommandPath(), cmd.CommandPath())
		},
	}
	cmd.AddCommand(a.channelInitCommand(), a.channelAddCommand(), a.channelPromoteCommand(), a.channelRampCommand(),
		a.channelStopCommand(channel.Halted), a.channelStopCommand(channel.Withdrawn),
		a.channelSignCommand(), a.channelVerifyCommand(), a.channelShowCommand())
	return cmd
}

func (a *app) channelInitCommand() *cobra.Command {
	s := channel.Source{Content: channel.Content{Schema: 1, Releases: []channel.Release{}}}
	cmd := &cobra.Command{
		Use:   "init FILE",
		Short: "begin a channel without releases",
		Long: `Write the source of a new channel. FILE is NAME.json, and NAME the channel's
name unless --name says another. A file that is there is never replaced.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if s.Product == "" {
				return usagef("name the product that the channel is for: --product NAME")
			}
			s.Channel = cmp.Or(s.Channel, bare(args[0]))
			text, err := s.Encode()
			if err != nil {
				return usageError{err}
			}
			if err := writeNew(args[0], text, 0o644); err != nil {
				return err
			}
			return a.edited(args[0], &s, "channel %s of %s has no releases yet", s.Channel, s.Product)
		},
	}
	cmd.Flags().StringVar(&s.Product, "product", "", "`name` of the product that the channel is for")
	cmd.Flags().StringVar(&s.Channel, "name", "", "`name` of the channel, when it is not that of the file")
	cmd.Flags().Int64Var(&s.ValidHours, "valid-hours", 14*24, "for how many `hours` each signing is valid")
	cmd.Flags().Int64Var(&s.PollMinutes, "poll-minutes", 0, "how many `minutes` devices wait until they ask again; without it, they decide")
	cmd.Flags().Int64Var(&s.KeysSerial, "keys-serial", 0, "`serial` of the keys.json that devices need first")
	return cmd
}

// bare is the name of a file without its directory and ending.
func bare(name string) string { return strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)) }

// edit has change work on the source in a file. The file is written only if it succeeds; if
// the power goes, the old file or the new one is there.
func (a *app) edit(name string, change func(s *channel.Source) error) (*channel.Source, error) {
	s, err := source(name)
	if err != nil {
		return nil, err
	}
	if err := change(s); err != nil {
		return nil, inFile(name, err)
	}
	text, err := s.Encode()
	if err != nil {
		return nil, inFile(name, err)
	}
	return s, disk.WriteFile(name, text, 0o644)
}

// source reads the source of a channel.
func source(name string) (*channel.Source, error) {
	text, err := readChannel(name)
	if err != nil {
		return nil, err
	}
	if isSigned(text) {
		return nil, fmt.Errorf("%s is a signed channel: give the source that it was signed from, NAME.json", name)
	}
	s, err := channel.ParseSource(text)
	return s, inFile(name, err)
}

// readChannel reads a channel, signed or not, without more memory than one may need.
func readChannel(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the channel: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, channel.MaxFile+1))
	if err == nil && len(text) > channel.MaxFile {
		err = fmt.Errorf("it has more than %d bytes: it is not a channel", channel.MaxFile)
	}
	return text, inFile(name, err)
}

// isSigned tells the published file from its source. What is neither is a source: its
// reader says what is wrong.
func isSigned(text []byte) bool {
	var c struct {
		Signatures json.RawMessage `json:"signatures"`
	}
	return json.Unmarshal(text, &c) == nil && c.Signatures != nil
}

// edited answers for a verb that has changed a source.
func (a *app) edited(name string, s *channel.Source, format string, args ...any) error {
	if a.json {
		return a.document(map[string]any{"file": name, "channel": s.Channel, "releases": len(s.Releases)})
	}
	a.say("%s: "+format, append([]any{name}, args...)...)
	a.say("devices learn of it when it is signed and published: tope-bundle channel sign %s --key FILE", name)
	return nil
}

// rolloutFlags describe a rollout.
type rolloutFlags struct {
	percent, to, start string
	hours              int64
}

func (r *rolloutFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.percent, "percent", "", "`share` of the devices that may begin at once, 0 to 100")
	cmd.Flags().StringVar(&r.to, "to", "", "`share` that it grows to")
	cmd.Flags().Int64Var(&r.hours, "hours", 0, "how many `hours` it takes to grow to that")
	cmd.Flags().StringVar(&r.start, "start", "", "`time` when the first devices may begin (RFC 3339); without it, now")
}

// over fills in what the flags say.
func (r *rolloutFlags) over(base channel.Rollout) (channel.Rollout, error) {
	if r.percent == "" {
		return base, usagef("say how many of the devices may begin: --percent 5, or --percent 100 for all")
	}
	var err error
	if base.Percent, err = channel.ParsePercent(r.percent); err != nil {
		return base, usagef("--percent: %w", err)
	}
	base.To, base.Hours = 0, r.hours
	if r.to != "" {
		if base.To, err = channel.ParsePercent(r.to); err != nil {
			return base, usagef("--to: %w", err)
		}
	}
	if (r.to == "") != (r.hours == 0) {
		return base, usagef("--to and --hours belong together: to which share, and in how many hours")
	}
	if r.start != "" {
		if base.Start, err = moment("--start", r.start); err != nil {
			return base, err
		}
	}
	return base, nil
}

// moment reads a time in an argument.
func moment(flag, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usagef("%s: %q is not a time like 2026-11-29T10:00:00Z", flag, text)
	}
	return t.UTC(), nil
}
