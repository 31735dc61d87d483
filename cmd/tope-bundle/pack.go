package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/legacyzip"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/pack"
)

// makeFlags say how to make a bundle.
type makeFlags struct {
	release releaseFlags
	key     keyFlags
	output  string
	from    []string
	patch   int64
	level   int
	drop    []string
	// unsigned says that no key is meant to sign.
	unsigned bool
	verbose  bool
	force    bool
}

func (f *makeFlags) add(cmd *cobra.Command) {
	f.release.add(cmd)
	f.key.add(cmd)
	cmd.Flags().BoolVar(&f.unsigned, "unsigned", false, "do not sign it; \"tope-bundle sign\" does it later")
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "`file` to write (default PRODUCT-VERSION.tope)")
	cmd.Flags().StringArrayVar(&f.from, "from", nil, "earlier release (bundle or directory) to make patches against; may be given several times")
	f.patch = pack.DefaultMaxPatch
	cmd.Flags().Var(count{&f.patch}, "max-patch", "make no patches for contents of more `bytes` than this")
	cmd.Flags().StringSliceVar(&f.drop, "drop", nil, "leave these out, which a release does not carry: owners, bits, attributes, capabilities, modes")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "name every file that gets no patch")
	cmd.Flags().BoolVar(&f.force, "force", false, "make it although it has expired, or its version or epoch is below that of --from")
	cmd.Flags().IntVar(&f.level, "level", 19, "zstd's compression level, 1 to 19")
}

func (a *app) packCommand() *cobra.Command {
	var f makeFlags
	cmd := &cobra.Command{
		Use:   "pack DIR",
		Short: "make a bundle of a directory",
		Long: `Make a bundle of a directory. What devices would not take is told now: a link
that leaves the tree, a special file, a program without its execute bit, a unit
file under a name that is not for releases, a release that has expired, a
version or an epoch below that of the release that --from names.

Modes are carried without their write bits, and so are file capabilities (setcap).
Owners, setuid, setgid and sticky bits, access lists and extended attributes are
not: an entry that has them is refused, unless --drop leaves them out.

The same directory, description, time stamp and zstd program give the same
bytes. A bundle is signed with --key, or left unsigned with --unsigned.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.signing(); err != nil {
				return err
			}
			r, err := f.release.load()
			if err != nil {
				return err
			}
			return a.make(cmd.Context(), &f, args[0], r)
		},
	}
	f.add(cmd)
	return cmd
}

// signing refuses flags that do not tell whether the bundle is to be signed: a release
// that is unsigned by mistake is refused by each device, or taken by one without keys.
func (f *makeFlags) signing() error {
	switch {
	case f.unsigned && f.key.key != "":
		return usagef("--unsigned and --key exclude each other")
	case !f.unsigned && f.key.key == "":
		return usagef("it would not be signed: name the secret key (--key FILE, or --key - for standard input), or say --unsigned")
	case f.unsigned && f.key.password != "":
		return usagef("--password-file is for an encrypted --key")
	}
	return nil
}

// made is pack's answer with --json.
type made struct {
	File     string `json:"file"`
	Size     int64  `json:"size"`
	Head     int64  `json:"head"`
	Solid    int64  `json:"solid"`
	Patches  int    `json:"patches"`
	Files    int    `json:"files"`
	Signed   string `json:"signed,omitempty"`
	Digest   string `json:"digest"`
	Compress string `json:"compressor"`
	// Unpatched are the changed files that a device with an earlier release downloads
	// whole, by release and reason.
	Unpatched []unpatched `json:"unpatched,omitempty"`
}

// make packs dir as r.
func (a *app) make(ctx context.Context, f *makeFlags, dir string, r native.Release) (err error) {
	if f.level < 1 || f.level > 19 {
		return usagef("--level %d is not between 1 and 19", f.level)
	}
	// Report a wrong password now, not after minutes of compressing.
	sign := func(*pack.Bundle) string { return "" }
	if f.key.key != "" {
		key, err := f.key.load(a.in)
		if err != nil {
			return err
		}
		sign = func(b *pack.Bundle) string {
			b.Sign(key)
			return fmt.Sprintf("%016X", key.ID())
		}
	}
	if err := directory(dir); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "tope-bundle-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	limits := bundle.DefaultLimits()
	drop, err := losses(f.drop)
	if err != nil {
		return err
	}
	tree, err := pack.Scan(dir, limits, drop...)
	if err != nil {
		return err
	}
	const most = 5
	for _, w := range tree.Warnings[:min(most, len(tree.Warnings))] {
		a.note("warning: %s", w)
	}
	if more := len(tree.Warnings) - most; more > 0 {
		a.note("warning: and %d more of that kind", more)
	}
	o := pack.Options{
		Tree: tree, Release: r, MaxPatch: f.patch, Limits: limits, Scratch: scratch,
		Compressor: pack.FindCompressor(), Progress: a.progress(),
	}
	o.Compressor.Level = f.level
	var devices []has
	for _, name := range f.from {
		base, err := pack.OpenBase(ctx, name, scratch, limits)
		if err != nil {
			return err
		}
		o.Bases, devices = append(o.Bases, base), append(devices, has{name, base.Facts})
	}
	// Before minutes of compressing, as devices judge it.
	r.Files = tree.Files
	if err := (judged{force: f.force}).native(&r, "", devices); err != nil {
		return err
	}
	if err := bundle.CheckUnitTexts(r.Version, dir); err != nil {
		return err
	}
	b, err := pack.Build(ctx, o)
	if err != nil {
		return err
	}
	m := made{File: f.output, Signed: sign(b), Compress: o.Compressor.Name(), Unpatched: without(b.Unpatched, f.verbose)}
	return a.write(b, m, f.patch)
}

// losses are the words of --drop.
func losses(words []string) (all []pack.Loss, err error) {
	for _, w := range words {
		if !slices.Contains(pack.Losses(), pack.Loss(w)) {
			return nil, usagef("--drop %q is not one of %v", w, pack.Losses())
		}
		all = append(all, pack.Loss(w))
	}
	return all, nil
}

// write writes the bundle and tells the user about it.
func (a *app) write(b *pack.Bundle, m made, maxPatch int64) error {
	m.Files, m.Patches = len(b.Release.Files), len(b.Release.Payload.Patches)
	if m.File == "" {
		m.File = fmt.Sprintf("%s-%s.tope", filepath.Base(b.Release.Product), b.Release.Version)
	}
	if err := b.WriteFile(m.File); err != nil {
		return fmt.Errorf("cannot write %s: %w", m.File, err)
	}
	h, err := native.ReadHead(pack.Head(b.Packed, b.Signature), bundle.DefaultLimits(), anySignature)
	if err != nil {
		return err
	}
	m.Size, m.Head, m.Digest, m.Solid = h.Layout.Total, h.Size, h.Digest, h.Layout.Solid.Length
	if a.json {
		return a.document(m)
	}
	a.say("%s: %s %s, %d files", m.File, b.Release.Product, b.Release.Version, m.Files)
	a.say("%s in all; a first install downloads %s, an unchanged device the head alone, %s; %d patches",
		bytesOf(m.Size), bytesOf(m.Head+m.Solid), bytesOf(m.Head), m.Patches)
	a.noteUnpatched(m.Unpatched, maxPatch)
	if len(b.Release.Writable) > 0 {
		for _, w := range b.Release.Writable {
			if w.Snapshot {
				a.note("note: %s is snapshotted while the services are stopped: on a file system without reflinks, copying it is part of the downtime", w.Path)
			}
		}
	}
	if m.Signed == "" {
		a.note("warning: it is not signed; devices with keys refuse it until \"tope-bundle sign\" has signed it")
		a.noteUnvouched(unvouched(&b.Release))
	}
	return nil
}

// directory refuses anything but a directory to make a bundle of.
func directory(name string) error {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return fmt.Errorf("cannot find the release's directory: %w", err)
	case info.IsDir():
		return nil
	case begins(name, legacyzip.Format{}):
		return usagef("%s is a legacy package (ZIP), and not a directory: tope-bundle convert makes a bundle of it", name)
	}
	return usagef("%s is not a directory: name the directory that has the release's files", name)
}
