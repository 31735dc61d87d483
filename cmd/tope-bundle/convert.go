package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/legacyzip"
)

func (a *app) convertCommand() *cobra.Command {
	var f makeFlags
	var drop bool
	cmd := &cobra.Command{
		Use:   "convert PACKAGE.zip",
		Short: "make a bundle of a legacy package",
		Long: `Make a bundle of a legacy package. Its manifest gives the version and the
services; product and epoch come from --release or the flags. A package with
post_cmds is refused: turn them into a hook, or leave them out with
--drop-post-cmds.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			name, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			b, err := bundle.Open(name, bundle.Limits{}, legacyzip.Format{})
			if err != nil {
				return err
			}
			defer b.Close()
			was := b.Release()
			if len(was.Commands) > 0 && !drop {
				return fmt.Errorf("%s has %d post_cmds, the first %q: turn them into a post-switch hook, or leave them out with --drop-post-cmds",
					args[0], len(was.Commands), was.Commands[0].Shell)
			}
			if f.release.version == "" {
				f.release.version = was.Version
			}
			r, err := f.release.load()
			if err != nil {
				return err
			}
			if len(r.Services) == 0 {
				r.Services = was.Services
			}
			dir, err := os.MkdirTemp("", "tope-bundle-")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			if err := spread(b, dir); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return a.make(cmd.Context(), &f, dir, r)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&drop, "drop-post-cmds", false, "leave the package's shell commands out")
	return cmd
}

// spread writes a package's files to dir, links last.
func spread(b bundle.Bundle, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var links []bundle.Entry
	for e, err := range b.Entries() {
		if err != nil {
			return err
		}
		if e.Type == bundle.Dir {
			if err := root.MkdirAll(e.Path, 0o755); err != nil {
				return err
			}
			continue
		}
		if err := root.MkdirAll(path.Dir(e.Path), 0o755); err != nil {
			return err
		}
		if e.Type == bundle.Link {
			links = append(links, e)
			continue
		}
		if err := spreadFile(root, e); err != nil {
			return err
		}
	}
	for _, e := range links {
		if err := root.Symlink(e.Target, e.Path); err != nil {
			return err
		}
	}
	return nil
}

func spreadFile(root *os.Root, e bundle.Entry) error {
	in, err := e.Open()
	if err != nil {
		return err
	}
	data, err := io.ReadAll(in)
	if err := errors.Join(err, in.Close()); err != nil {
		return err
	}
	return root.WriteFile(e.Path, data, bundle.ModeOf(e.Mode, data)|0o200)
}
