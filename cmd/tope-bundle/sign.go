package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/pack"
)

func (a *app) signCommand() *cobra.Command {
	var key keyFlags
	var output string
	cmd := &cobra.Command{
		Use:   "sign BUNDLE",
		Short: "sign a bundle, in place of the signature it has",
		RunE: func(_ *cobra.Command, args []string) error {
			if key.key == "" {
				return usagef("name the secret key: --key FILE, or --key - for standard input")
			}
			k, err := key.load(a.in)
			if err != nil {
				return err
			}
			if output == "" {
				output = args[0]
			}
			if err := pack.Resign(args[0], output, k, bundle.DefaultLimits()); err != nil {
				return err
			}
			if a.json {
				return a.document(map[string]string{"file": output, "signed": fmt.Sprintf("%016X", k.ID())})
			}
			a.say("%s is signed by %016X", output, k.ID())
			return nil
		},
	}
	key.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write instead of the bundle itself")
	return cmd
}
