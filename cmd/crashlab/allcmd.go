//go:build linux && amd64

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/crashlab/internal/device"
	"github.com/tope/updater/cmd/crashlab/internal/sweep"
)

func allCommand() *cobra.Command {
	var f flags
	var source string
	cmd := &cobra.Command{
		Use:   "all",
		Short: "every mode over every flow, then the planted bugs",
		Long: `Every mode over every flow, then the planted bugs. With --sample N: N kills and
N pairs a flow, half as many torn writes, of each errno and of full disks, and a
tenth as many states a call; of each, the flows with native bundles get a quarter
or less. Losses during recovery are always a sample.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.all(cmd.Context(), source)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&source, "source", ".", "top `directory` of the source, for the planted bugs; empty for none")
	return cmd
}

func (f *flags) all(ctx context.Context, source string) error {
	reports, err := f.reports(ctx, filepath.Join(f.bin, "tope-updater"),
		part(killMode(false), 1),
		part(killMode(true), 2),
		part(errnoMode(unix.ENOSPC), 2),
		part(errnoMode(unix.EIO), 2),
		part(sweep.Full, 2),
		part(sweep.Pairs, 1),
		shallow(part(sweep.Lose, 10)),
		shallow(f.relapses()),
		shallow(f.kills()),
	)
	tried, recovering, found := 0, 0, 0
	for _, r := range reports {
		tried += r.Points
		recovering += r.Recovery
		found += len(r.Violations)
	}
	fmt.Printf("all flows and modes: %d tried, %d of them crashes during recovery, %d violations\n", tried, recovering, found)
	if err == nil && found > 0 {
		err = fmt.Errorf("%w: %d", errFound, found)
	}
	if source == "" || ctx.Err() != nil {
		return err
	}
	planted := *f
	planted.sample = 0
	return errors.Join(err, planted.plant(ctx, source, nil))
}

// relapses is never exhaustive: there are as many recordings as there are
// calls, each with thousands of states.
func (f *flags) relapses() mode {
	if f.sample > 0 {
		return part(relapseMode(2), 25)
	}
	return func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
		o.Sample = 32
		return relapseMode(12)(ctx, b, o)
	}
}

// kills is likewise never exhaustive. A sample has one kill a flow, and two programs
// that follow it, with a few of their calls.
func (f *flags) kills() mode {
	if f.sample == 0 {
		return func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
			o.Sample = 32
			return killedMode(12)(ctx, b, o)
		}
	}
	return part(func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
		o.Every = 4 * max(o.Every, 1)
		return killedMode(1)(ctx, b, o)
	}, 25)
}

// part is a mode that tries a fraction of the sample, and of that the flow's fraction.
func part(m mode, by int) mode {
	return func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
		if o.Sample > 0 {
			of := by
			if flow, ok := device.FlowNamed(o.Flow); ok && flow.Part > 0 {
				of *= flow.Part
				o.Every = flow.Part // as few as two states are tried at each call
			}
			o.Sample = max(o.Sample/of, 2)
		}
		return m(ctx, b, o)
	}
}

// shallow is a mode that only boots most of its devices: there are many, and
// booting is cheap.
func shallow(m mode) mode {
	return func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
		o.FinishEvery, o.NextEvery = 5*o.FinishEvery, 5*o.NextEvery
		return m(ctx, b, o)
	}
}
