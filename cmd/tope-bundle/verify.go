package main

import (
	"cmp"
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/legacyzip"
	"github.com/tope/updater/steps/bundle/pack"
)

func (a *app) verifyCommand() *cobra.Command {
	v := verification{app: a}
	cmd := &cobra.Command{
		Use:   "verify BUNDLE",
		Short: "check a bundle's signature and every byte of it, as a device does",
		Long: `Check a bundle, or a legacy package: its signature, every byte of it, and
whether a device would take it. A device that knows more is described by flags:
its keys, product, hardware, the highest epoch it has committed, the release
that it has. What only a device can know is not judged: its room, its own units,
the releases that failed on it.`,
		RunE: func(cmd *cobra.Command, args []string) error { return v.run(cmd.Context(), args[0]) },
	}
	v.add(cmd)
	cmd.Flags().StringArrayVar(&v.from, "from", nil, "earlier `release` that a device has (bundle, directory or version): judge for such a device, and apply its patches as well")
	cmd.Flags().StringVar(&v.product, "product", "", "judge for a device of this product")
	cmd.Flags().StringVar(&v.hardware, "hardware", "", "judge for a device of this hardware")
	cmd.Flags().StringVar(&v.updater, "updater", "", "judge for a device with this `version` of the updater")
	cmd.Flags().Var(count{&v.epoch}, "epoch", "judge for a device that has committed this epoch")
	cmd.Flags().BoolVar(&v.commands, "allow-post-cmds", false, "judge for a device that runs the post_cmds of legacy packages")
	cmd.Flags().BoolVar(&v.force, "force", false, "judge as for install --force: neither age nor version count")
	return cmd
}

// verification is one run of verify.
type verification struct {
	*app
	judged
	signers
	from []string
	// brings is what a device wants a signature for.
	brings []string
}

// verified is verify's answer with --json.
type verified struct {
	File     string `json:"file"`
	Product  string `json:"product,omitempty"`
	Version  string `json:"version"`
	Digest   string `json:"digest,omitempty"`
	SignedBy string `json:"signed_by"`
}

func (v *verification) run(ctx context.Context, name string) error {
	if err := versionOf("--updater", v.updater); err != nil {
		return err
	}
	by := ""
	judge, err := v.signers.judge(&by)
	if err != nil {
		return err
	}
	what := verified{File: name}
	if err := v.look(ctx, name, judge, &what); err != nil {
		return err
	}
	what.SignedBy = by
	if v.json {
		return v.document(what)
	}
	v.say("%s: every byte of %s %s is as it was made, and a device would take it", name, cmp.Or(what.Product, "version"), what.Version)
	if by == "" {
		v.note("warning: the signature was not checked")
		v.noteUnvouched(v.brings)
		return nil
	}
	v.say("signed by %s", by)
	return nil
}

// look verifies the bundle, of whichever format, and fills in what it is.
func (v *verification) look(ctx context.Context, name string, judge func(packed, signature []byte) error, what *verified) (err error) {
	scratch, err := os.MkdirTemp("", "tope-bundle-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	var devices []has
	var bases []*pack.Base
	for _, from := range v.from {
		h, base, err := earlier(from, func() (*pack.Base, error) { return pack.OpenBase(ctx, from, scratch, bundle.DefaultLimits()) })
		if err != nil {
			return err
		}
		devices = append(devices, h)
		if base != nil {
			bases = append(bases, base)
		}
	}
	if begins(name, legacyzip.Format{}) {
		what.Version, err = v.zip(name, devices)
		return err
	}
	return v.bundle(ctx, name, judge, devices, bases, what)
}

// zip verifies a legacy package. It names neither product nor hardware.
func (v *verification) zip(name string, devices []has) (version string, err error) {
	if err := v.signers.legacy(); err != nil {
		return "", err
	}
	b, err := bundle.Open(name, bundle.DefaultLimits(), legacyzip.Format{})
	if err != nil {
		return "", err
	}
	defer b.Close()
	v.dropped(b.Release())
	carried, err := bundle.CarriedIn(b, true)
	if err != nil {
		return "", inFile(name, err)
	}
	v.brings = bundle.Kinds(b.Release(), carried)
	return b.Release().Version, inFile(name, v.judged.legacy(b, devices))
}

// bundle verifies a native bundle.
func (v *verification) bundle(ctx context.Context, name string, judge func(packed, signature []byte) error, devices []has, bases []*pack.Base, what *verified) error {
	o, err := pack.Open(name, bundle.DefaultLimits(), judge)
	if err != nil {
		return err
	}
	defer o.Close()
	what.Product, what.Version, what.Digest = o.Release.Product, o.Release.Version, o.Digest
	v.brings = unvouched(o.Release)
	if err := v.native(o.Release, o.Digest, devices); err != nil {
		return inFile(name, err)
	}
	return inFile(name, o.Check(ctx, bases, v.progress()))
}
