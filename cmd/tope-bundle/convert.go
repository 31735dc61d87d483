package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/legacyzip"
	"github.com/tope/updater/steps/bundle/supply"
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
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := f.signing(); err != nil {
				return err
			}
			name, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			if begins(name, supply.Format{}) {
				return usagef("%s is a bundle already: there is nothing to convert", args[0])
			}
			b, err := bundle.Open(name, bundle.Limits{}, legacyzip.Format{})
			if err != nil {
				return err
			}
			defer b.Close()
			was := b.Release()
			a.dropped(was)
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
			if err := makeDir(root, e.Path); err != nil {
				return err
			}
			continue
		}
		if err := makeDir(root, path.Dir(e.Path)); err != nil {
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

// makeDir makes a directory and those above it, open to everybody under any umask, as
// they are in a version.
func makeDir(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	if err := makeDir(root, path.Dir(dir)); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	return root.Chmod(dir, 0o755)
}

func spreadFile(root *os.Root, e bundle.Entry) error {
	data, err := contentOf(e)
	if err != nil {
		return err
	}
	mode := bundle.ModeOf(e.Mode, data) | 0o200
	if err := root.WriteFile(e.Path, data, mode); err != nil {
		return err
	}
	return root.Chmod(e.Path, mode) // the package's, under any umask
}

// contentOf reads a file of a bundle to its end, which proves its checksum.
func contentOf(e bundle.Entry) ([]byte, error) {
	in, err := e.Open()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(in)
	return data, errors.Join(err, in.Close())
}

// begins reports whether a file begins like one of the format. What keeps it from being
// read is told when it is opened.
func begins(name string, format bundle.Format) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	return (err == nil || errors.Is(err, io.ErrUnexpectedEOF)) && format.Match(head[:n])
}

// inFile says which file an error is about.
func inFile(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// dropped warns of what a legacy package has and no version will.
func (a *app) dropped(r bundle.Release) {
	if r.Dropped != "" {
		a.note("warning: left out: %s", r.Dropped)
	}
}
