//go:build linux && amd64

package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/crashlab/internal/sweep"
)

func killMode(torn bool) mode {
	return func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
		return sweep.Kill(ctx, b, o, torn)
	}
}

func errnoMode(e unix.Errno) mode {
	return func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
		return sweep.Errno(ctx, b, o, e)
	}
}

// relapseMode loses changes during the recoveries from that many kills.
func relapseMode(firsts int) mode {
	return func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
		o.Firsts = firsts
		return sweep.Relapse(ctx, b, o)
	}
}

// killedMode loses changes after the program was killed at that many calls.
func killedMode(firsts int) mode {
	return func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
		o.Firsts = firsts
		return sweep.Killed(ctx, b, o)
	}
}

func killCommand() *cobra.Command {
	var f flags
	var torn, whole bool
	cmd := &cobra.Command{
		Use:   "kill",
		Short: "cut the power at each call that changes the disk",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case torn:
				return f.sweep(cmd.Context(), killMode(true))
			case whole || f.at != "":
				return f.sweep(cmd.Context(), killMode(false))
			}
			return f.sweep(cmd.Context(), killMode(false), killMode(true))
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&torn, "torn", false, "only half-way through writes")
	cmd.Flags().BoolVar(&whole, "whole", false, "only before calls")
	return cmd
}

func pairsCommand() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "pairs",
		Short: "cut the power at each call, and again during the recovery",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.sweep(cmd.Context(), sweep.Pairs) },
	}
	f.register(cmd)
	return cmd
}

func errnoCommand() *cobra.Command {
	var f flags
	var only string
	var full bool
	cmd := &cobra.Command{
		Use:   "errno",
		Short: "make each call fail once, and fill the disk at each call that takes space",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			known := map[string]unix.Errno{"ENOSPC": unix.ENOSPC, "EIO": unix.EIO}
			switch {
			case full:
				return f.sweep(cmd.Context(), sweep.Full)
			case only == "":
				return f.sweep(cmd.Context(), errnoMode(unix.ENOSPC), errnoMode(unix.EIO), sweep.Full)
			}
			e, ok := known[only]
			if !ok {
				return fmt.Errorf("%q is neither ENOSPC nor EIO", only)
			}
			return f.sweep(cmd.Context(), errnoMode(e))
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&only, "errno", "", "ENOSPC or EIO (default both, and a full disk)")
	cmd.Flags().BoolVar(&full, "full", false, "only a disk that is full from a call on")
	return cmd
}

func loseCommand() *cobra.Command {
	var f flags
	var recovery, killed int
	cmd := &cobra.Command{
		Use:   "lose",
		Short: "lose whatever was not synced, in all combinations",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case recovery > 0:
				return f.sweep(cmd.Context(), relapseMode(recovery))
			case killed > 0:
				return f.sweep(cmd.Context(), killedMode(killed))
			}
			return f.sweep(cmd.Context(), sweep.Lose)
		},
	}
	f.register(cmd)
	cmd.Flags().IntVar(&recovery, "recovery", 0, "lose during the recovery from `n` kills instead")
	cmd.Flags().IntVar(&killed, "killed", 0, "kill the program at `n` calls instead, and lose what it and the next one in the same boot have not synced")
	cmd.Flags().BoolVar(&f.count, "count", false, "count the states and try none")
	// A state is cheap until its update is carried to the end.
	cmd.Flags().Lookup("finish").DefValue = "10"
	f.finish = 10
	return cmd
}

func judgeCommand() *cobra.Command {
	var f flags
	var state string
	var promised, rough bool
	cmd := &cobra.Command{
		Use:   "judge",
		Short: "judge a kept device again",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			state, err := filepath.Abs(state)
			if err != nil {
				return err
			}
			f.jobs = 1
			return f.sweep(cmd.Context(), func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
				return sweep.Again(ctx, b[0], o, state, sweep.Story{Cut: true, Promised: promised, Rough: rough})
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&state, "state", "", "the kept device")
	cmd.Flags().BoolVar(&promised, "promised", false, "success had been reported")
	cmd.Flags().BoolVar(&rough, "rough", true, "more than one clean cut had happened")
	_ = cmd.MarkFlagRequired("state")
	_ = cmd.MarkFlagRequired("flow")
	return cmd
}
