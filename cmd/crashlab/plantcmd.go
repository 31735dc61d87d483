//go:build linux && amd64

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/crashlab/internal/plant"
	"github.com/tope/updater/cmd/crashlab/internal/sweep"
)

func plantCommand() *cobra.Command {
	f := flags{jobs: 4}
	var source string
	var bugs []string
	cmd := &cobra.Command{
		Use:   "plant",
		Short: "plant bugs in a copy of the source; each must be found",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.plant(cmd.Context(), source, bugs)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&source, "source", ".", "top `directory` of the source")
	cmd.Flags().StringSliceVar(&bugs, "bug", nil, "`names` of the bugs to plant (default all)")
	return cmd
}

// plant plants one bug after the other. A bug that does not apply or does not
// compile makes it fail at once; one that is not found, after all have been tried.
func (f *flags) plant(ctx context.Context, source string, only []string) (err error) {
	dir, err := os.MkdirTemp("", "crashlab-plant-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sweep.RemoveTree(dir)) }()
	copied := filepath.Join(dir, "source")
	if err := plant.Copy(source, copied); err != nil {
		return err
	}
	found, tried := 0, 0
	for _, b := range plant.Bugs() {
		if len(only) > 0 && !slices.Contains(only, b.Name) {
			continue
		}
		tried++
		report, err := f.hunt(ctx, b, copied, filepath.Join(dir, "tope-updater"))
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			fmt.Printf("planted %-34s ERROR %v\n", b.Name, err)
		case len(report.Violations) == 0:
			fmt.Printf("planted %-34s MISSED by %s over %s (%d tried)\n", b.Name, report.Mode, b.Flow, report.Points)
		default:
			found++
			v := report.Violations[0]
			fmt.Printf("planted %-34s found by %s over %s after %d, at %s: %.120s\n", b.Name, report.Mode, b.Flow, report.Points, v.Where, v.What)
			err = sweep.RemoveTree(filepath.Dir(v.Kept))
		}
		if err != nil {
			return err
		}
	}
	fmt.Printf("planted bugs: %d of %d found\n", found, tried)
	if tried == 0 {
		return fmt.Errorf("there is no bug called %q", only)
	}
	if found < tried {
		return fmt.Errorf("%d planted bugs were not found", tried-found)
	}
	return nil
}

// hunt plants a bug, builds, and looks for it until it is found once.
func (f *flags) hunt(ctx context.Context, b plant.Bug, source, to string) (*sweep.Report, error) {
	restore, err := b.Plant(source)
	if err != nil {
		return nil, err
	}
	err = plant.Build(ctx, source, to)
	if err = errors.Join(err, restore()); err != nil {
		return nil, err
	}
	g := *f
	g.flows, g.most, g.rerun, g.next, g.finish, g.quiet = []string{b.Flow}, 1, 0, 0, 1, true
	modes := map[string]mode{plant.Kill: killMode(false), plant.Errno: errnoMode(unix.EIO), plant.Lose: sweep.Lose, plant.Killed: sweep.Killed}
	if (b.Mode == plant.Lose || b.Mode == plant.Killed) && g.sample == 0 {
		g.sample = plantSample
	}
	reports, err := g.reports(ctx, to, func(ctx context.Context, benches []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
		if b.Mode == plant.Killed {
			o.At = b.From
		} else {
			o.From = b.From
		}
		return modes[b.Mode](ctx, benches, o)
	})
	if err != nil {
		return nil, err
	}
	return reports[0], nil
}

// plantSample is how many states a call the search for a planted bug tries.
const plantSample = 12
