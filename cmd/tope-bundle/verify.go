package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/pack"
)

func (a *app) verifyCommand() *cobra.Command {
	var pubs, from []string
	var unsigned bool
	cmd := &cobra.Command{
		Use:   "verify BUNDLE",
		Short: "check a bundle's signature and every byte of it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if (len(pubs) == 0) != unsigned {
				return usagef("name the public keys it may be signed by (--pub FILE), or say --any-signature")
			}
			by := ""
			judge, err := signedBy(pubs, &by)
			if err != nil {
				return err
			}
			if unsigned {
				judge = anySignature
			}
			scratch, err := os.MkdirTemp("", "tope-bundle-")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
			o, err := pack.Open(args[0], bundle.DefaultLimits(), judge)
			if err != nil {
				return err
			}
			defer o.Close()
			var bases []*pack.Base
			for _, name := range from {
				base, err := pack.OpenBase(cmd.Context(), name, scratch, bundle.DefaultLimits())
				if err != nil {
					return err
				}
				bases = append(bases, base)
			}
			if err := o.Check(cmd.Context(), bases, a.progress()); err != nil {
				return err
			}
			if a.json {
				return a.document(map[string]any{"file": args[0], "digest": o.Digest, "signed_by": by})
			}
			a.say("%s: every byte of %s %s is as it was signed", args[0], o.Release.Product, o.Release.Version)
			if by == "" {
				a.note("warning: the signature was not checked")
				return nil
			}
			a.say("signed by %s", by)
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&pubs, "pub", nil, "public key `file`; may be given several times")
	cmd.Flags().StringArrayVar(&from, "from", nil, "earlier release, to apply its patches as well")
	cmd.Flags().BoolVar(&unsigned, "any-signature", false, "do not check the signature")
	return cmd
}
