package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/steps/bundle/trust"
)

// maxKeyFile keeps a wrong argument from filling the memory of a small device.
// Package trust refuses shorter files that are still too long.
const maxKeyFile = 2 << 20

func (a *app) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys VERB",
		Short: "the keys that may sign releases",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("say what to do: %s list or update", cmd.CommandPath())
		},
	}
	cmd.AddCommand(a.keysListCommand(), a.keysUpdateCommand())
	return cmd
}

func (a *app) keysListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the keys that may sign releases",
		RunE: func(_ *cobra.Command, _ []string) error {
			d, dir, err := a.keyDirectory()
			if err != nil {
				return err
			}
			keys, err := trust.Load(dir, d.clock.Now())
			if err != nil {
				return err
			}
			committed := d.signedRelease()
			return a.term.answer(newKeysAnswer(keys, committed), func(t *terminal) { t.keys(keys, committed) })
		},
	}
}

func (a *app) keysUpdateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "update FILE SIGNATURE...",
		Short: "put a newer keys.json in force",
		Long: `Put a newer keys.json in force. FILE is the keys.json, each SIGNATURE a .minisig file
of it by one of the root keys of this device. The exit code is 10 when it is
refused: too few root keys signed it, it has expired, or its serial is not
higher than that of the one in force.`,
		RunE: func(_ *cobra.Command, args []string) error {
			d, dir, err := a.keyDirectory()
			if err != nil {
				return err
			}
			var texts [][]byte
			for _, name := range args {
				text, err := readKeyFile(name)
				if err != nil {
					return err
				}
				texts = append(texts, text)
			}
			if err := trust.Update(dir, texts[0], texts[1:], d.clock.Now()); err != nil {
				return err
			}
			keys, err := trust.Load(dir, d.clock.Now())
			if err != nil {
				return fmt.Errorf("%s is in place, but no bundle will be accepted: %w", args[0], err)
			}
			return a.term.answer(newKeysAnswer(keys, ""), func(t *terminal) { t.keys(keys, "") })
		},
	}
}

// keyDirectory returns the device and the host path of its keys.
func (a *app) keyDirectory() (d *device, dir string, err error) {
	if d, err = a.device(); err != nil {
		return nil, "", err
	}
	dir, err = d.root.Resolve(d.cfg.Paths.Keys)
	return d, dir, err
}

func readKeyFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the new keys: %w; name the keys.json, and then its .minisig files", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", trust.ErrRefused, name, maxKeyFile)
	}
	return text, nil
}

// keysAnswer is what the verbs about keys print with --json.
type keysAnswer struct {
	// Open is set when there is no key at all.
	Open bool        `json:"open"`
	Keys []trust.Key `json:"keys"`
	// Committed names the signed release because of which a device without keys takes
	// nothing; absent when there is none.
	Committed string `json:"committed,omitempty"`
	// Rotation is null without root keys.
	Rotation *trust.Rotation `json:"rotation"`
}

func newKeysAnswer(k *trust.Keys, committed string) keysAnswer {
	return keysAnswer{k.Open(), k.List(), committed, k.Rotation()}
}

func (t *terminal) keys(k *trust.Keys, committed string) {
	if k.Open() && committed != "" {
		t.say("%s", t.paint(timeline.Warn, "there are no keys any more, and this device has committed the "+committed+": no release will be accepted"))
		return
	}
	if k.Open() {
		t.say("there are no keys: whether a release is signed, and by whom, cannot be checked")
		return
	}
	rows := [][]string{{"key", "state", "from", "valid from", "until (UTC)", "name"}}
	releases := false
	for _, key := range k.List() {
		name := key.Name
		if releases = releases || key.Use == trust.Releases; key.Use == trust.Channel {
			name += " (signs channels)"
		}
		rows = append(rows, []string{key.ID, string(key.State), key.From, limit(key.NotBefore), limit(key.NotAfter), name})
	}
	if len(rows) > 1 {
		t.table(rows...)
	}
	if !releases {
		t.say("%s", t.paint(timeline.Warn, "no key may sign releases: none will be accepted"))
	}
	if r := k.Rotation(); r != nil {
		t.say("%s", rotation(r))
	}
}

func rotation(r *trust.Rotation) string {
	s := "no keys.json yet"
	if r.Serial > 0 {
		s = fmt.Sprintf("keys.json has serial %d", r.Serial)
	}
	if !r.Expires.IsZero() {
		s += ", expires " + limit(r.Expires)
	}
	return s + fmt.Sprintf("; %d of the root keys %s must sign the next", r.Threshold, strings.Join(r.Roots, " "))
}

func limit(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}
