package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"aead.dev/minisign"
	"github.com/spf13/cobra"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/pack"
)

func (a *app) channelVerifyCommand() *cobra.Command {
	var who signers
	var after, bundles string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "check a signed channel as a device does",
		Long: `Check a signed channel: the signature, each rule of the format, that it has not
expired and, with --after, that devices which have seen that one take this one.
With --bundles, also that the bundles beside it are those that it names.
The exit code is 10 for a channel that devices would refuse.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			verifier, err := who.channel()
			if err != nil {
				return err
			}
			text, err := readChannel(args[0])
			if err != nil {
				return err
			}
			var seen channel.Memory
			if after != "" {
				if seen, err = remembered(after, verifier); err != nil {
					return err
				}
			}
			s, err := channel.Verify(text, verifier)
			if err == nil && !time.Now().Before(s.Expires) {
				err = fmt.Errorf("it expired at %s; sign it again", s.Expires.Format(time.RFC3339))
			}
			if err == nil {
				err = seen.Judge(s)
			}
			if err == nil && bundles != "" {
				err = beside(s.Releases, bundles)
			}
			if err != nil {
				return inFile(args[0], &steps.Error{Class: steps.Refused, Code: steps.BadSignature, Err: err})
			}
			if a.json {
				return a.document(map[string]any{"file": args[0], "channel": s.Channel, "serial": s.Serial, "digest": s.Digest, "expires": s.Expires, "signed_by": s.Signers[0].ID})
			}
			a.say("%s: channel %s of %s, serial %d, valid until %s", args[0], s.Channel, s.Product, s.Serial, s.Expires.Format(time.RFC3339))
			a.say("signed by %s", s.Signers[0].ID)
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&who.pubs, "pub", nil, "public channel key `file`; may be given several times")
	cmd.Flags().StringVar(&who.keys, "keys", "", "`directory` of keys as a device has it: judge the signature as that device does")
	cmd.Flags().StringVar(&after, "after", "", "signed channel `file` that devices have seen before")
	cmd.Flags().StringVar(&bundles, "bundles", "", "`directory` with what is to be published: look for the releases with a relative URL there")
	return cmd
}

// channel is the verifier of channels that the flags describe.
func (s *signers) channel() (channel.Verifier, error) {
	if (len(s.pubs) > 0) == (s.keys != "") {
		return nil, usagef("name the channel keys it may be signed by: --pub FILE, or --keys DIR")
	}
	if s.keys != "" {
		p, err := s.policy()
		if err != nil {
			return nil, err
		}
		keys, err := p.Keys()
		return keys.VerifyChannel, err
	}
	var keys []minisign.PublicKey
	for _, f := range s.pubs {
		key, err := minisign.PublicKeyFromFile(f)
		if err != nil {
			return nil, fmt.Errorf("cannot read the public key %s: %w", f, err)
		}
		keys = append(keys, key)
	}
	return byKey(keys...), nil
}

// beside refuses a channel when a bundle that it names, relative to itself, is not in dir as
// the channel says. The bundle's own signature and bytes are for "tope-bundle verify".
func beside(releases []channel.Release, dir string) error {
	for i := range releases {
		r := &releases[i]
		u, err := url.Parse(r.URL)
		if err == nil && !u.IsAbs() && r.State == channel.Open {
			err = is(r, filepath.Join(dir, filepath.FromSlash(u.Path)))
		}
		if err != nil {
			return fmt.Errorf("version %s: %w", r.Version, err)
		}
	}
	return nil
}

// is refuses a bundle that is another release than the channel says.
func is(r *channel.Release, name string) error {
	o, err := pack.Open(name, bundle.DefaultLimits(), anySignature)
	if err != nil {
		return err
	}
	defer o.Close()
	if o.Digest != r.Digest || o.Layout.Total != r.Size {
		return fmt.Errorf("%s is another release, %s with %d bytes; the channel says %s with %d", name, o.Digest, o.Layout.Total, r.Digest, r.Size)
	}
	return nil
}

// remembered is the memory of a device that has seen a channel.
func remembered(name string, verifier channel.Verifier) (channel.Memory, error) {
	text, err := readChannel(name)
	if err != nil {
		return channel.Memory{}, err
	}
	s, err := channel.Verify(text, verifier)
	if err != nil {
		return channel.Memory{}, inFile(name, err)
	}
	return channel.Memory{}.Advance(s), nil
}
