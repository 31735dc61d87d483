package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aead.dev/minisign"
	"github.com/spf13/cobra"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/trust"
)

func (a *app) channelSignCommand() *cobra.Command {
	var key keyFlags
	var output string
	var serial int64
	cmd := &cobra.Command{
		Use:   "sign FILE",
		Short: "sign a channel as it is now, for devices to fetch",
		Long: `Sign the channel with the source FILE, NAME.json, and write NAME.channel. It is
valid from now for the source's valid_hours: sign it again well before that. The
serial is the time in seconds, so that no machine has to remember the last one;
when the output is there, the serial is at least one higher than its serial.

When FILE is a signed channel, its signature stays and one by this key is added:
devices that know either key take it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if key.key == "" {
				return usagef("name the secret key: --key FILE, or --key - for standard input")
			}
			if serial < 0 {
				return usagef("--serial: %d is not a number from 1 on", serial)
			}
			k, err := key.load(a.in)
			if err != nil {
				return err
			}
			text, err := readChannel(args[0])
			if err != nil {
				return err
			}
			var file []byte
			if isSigned(text) {
				if output == "" {
					output = args[0]
				}
				file, err = cosign(text, k)
			} else {
				if output == "" {
					output = strings.TrimSuffix(args[0], filepath.Ext(args[0])) + ".channel"
				}
				file, err = signSource(text, output, serial, k)
			}
			if err != nil {
				return inFile(args[0], err)
			}
			s, err := channel.Verify(file, byKey(publicOf(k)))
			if err != nil {
				return err
			}
			// If the power goes, the earlier channel or this one is there.
			if err := disk.WriteFile(output, file, 0o644); err != nil {
				return err
			}
			if a.json {
				return a.document(map[string]any{
					"file": output, "serial": s.Serial, "digest": s.Digest, "expires": s.Expires, "signed": fmt.Sprintf("%016X", k.ID()),
				})
			}
			a.say("%s is signed by %016X: serial %d, valid until %s", output, k.ID(), s.Serial, s.Expires.Format(time.RFC3339))
			return nil
		},
	}
	key.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write; without it, NAME.channel beside the source")
	cmd.Flags().Int64Var(&serial, "serial", 0, "`number` to give it as its serial")
	return cmd
}

// signSource signs a source anew. An earlier channel in the output's place bounds the serial.
func signSource(text []byte, output string, serial int64, k minisign.PrivateKey) ([]byte, error) {
	s, err := channel.ParseSource(text)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	earlier, err := published(output)
	if err != nil {
		return nil, err
	}
	switch {
	case earlier == nil:
	case earlier.Channel != s.Channel:
		return nil, fmt.Errorf("%s is channel %s, this is %s: name another output by -o", output, earlier.Channel, s.Channel)
	case serial != 0 && serial <= earlier.Serial:
		return nil, usagef("--serial: %s has serial %d already; give a higher one", output, earlier.Serial)
	case now.Before(earlier.Issued):
		return nil, fmt.Errorf("%s was signed at %s, and it is %s: set this machine's clock", output, earlier.Issued.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	if serial == 0 {
		if serial = now.Unix(); earlier != nil {
			serial = max(serial, earlier.Serial+1)
		}
	}
	body, err := s.File(serial, now).Encode()
	if err != nil {
		return nil, err
	}
	return channel.Seal(body, [][]byte{minisign.Sign(k, body)})
}

// published reads the channel that a file has, whoever signed it; nil when there is none.
func published(name string) (*channel.File, error) {
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	text, err := readChannel(name)
	if err != nil {
		return nil, err
	}
	body, _, err := channel.Unseal(text)
	if err != nil {
		return nil, fmt.Errorf("%s is there, and is not a signed channel (%w): name another output by -o", name, err)
	}
	f, err := channel.Parse(body)
	return f, inFile(name, err)
}

// cosign adds a signature to those that a channel has.
func cosign(file []byte, k minisign.PrivateKey) ([]byte, error) {
	body, signatures, err := channel.Unseal(file)
	if err != nil {
		return nil, err
	}
	if _, err := channel.Parse(body); err != nil {
		return nil, err
	}
	for _, s := range signatures {
		if minisign.Verify(publicOf(k), body, s) {
			return nil, fmt.Errorf("key %016X has signed it already", k.ID())
		}
	}
	return channel.Seal(body, append(signatures, minisign.Sign(k, body)))
}

func publicOf(k minisign.PrivateKey) minisign.PublicKey {
	p, _ := k.Public().(minisign.PublicKey) // it always is one
	return p
}

// byKey accepts the signatures of some keys.
func byKey(keys ...minisign.PublicKey) channel.Verifier {
	return func(body, signature []byte) (trust.Key, error) {
		for _, k := range keys {
			if minisign.Verify(k, body, signature) {
				return trust.Key{ID: fmt.Sprintf("%016X", k.ID()), Use: trust.Channel, State: trust.Valid, Public: k.String()}, nil
			}
		}
		return trust.Key{}, errors.New("none of the keys made it; are these the right keys?")
	}
}
