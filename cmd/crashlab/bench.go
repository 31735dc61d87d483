//go:build linux && amd64

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/crashlab/internal/device"
	"github.com/tope/updater/cmd/crashlab/internal/sweep"
)

// flags are what the modes share.
type flags struct {
	flows  []string
	bin    string
	dir    string
	seed   uint64
	sample int
	at     string
	jobs   int
	next   int
	finish int
	rerun  int
	most   int
	count  bool
	quiet  bool
}

func (f *flags) register(cmd *cobra.Command) {
	p := cmd.Flags()
	p.StringSliceVar(&f.flows, "flow", nil, "`flows` to try (default all): "+flowNames())
	p.StringVar(&f.bin, "bin", "bin", "`directory` with the tope-updater under test")
	p.StringVar(&f.dir, "dir", "/dev/shm", "`directory` to work in; it should be in memory")
	p.Uint64Var(&f.seed, "seed", 1, "seed of every sample")
	p.IntVar(&f.sample, "sample", 0, "try a sample of `n` (for lose: of each call's states), not everything")
	p.StringVar(&f.at, "at", "", "try one `point` only, by its name")
	p.IntVar(&f.jobs, "jobs", 2*runtime.NumCPU(), "devices at the same time")
	p.IntVar(&f.next, "next", 10, "the next update must work after one of `n` crashes")
	p.IntVar(&f.finish, "finish", 1, "recovery goes to its end after one of `n` crashes, else only through boot")
	p.IntVar(&f.rerun, "rerun", 20, "about one of `n` crashes is repeated and must end the same way")
	p.IntVar(&f.most, "most", 20, "stop a sweep after `n` findings; 0 for never")
	p.BoolVar(&f.quiet, "quiet", false, "print reports only")
}

func flowNames() string {
	var names []string
	for _, f := range device.Flows() {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// mode is one sweep over one flow.
type mode func(context.Context, []sweep.Bench, sweep.Options) (*sweep.Report, error)

// sweep runs modes over flows, prints the reports, and leaves only the
// devices with findings behind.
func (f *flags) sweep(ctx context.Context, modes ...mode) error {
	reports, err := f.reports(ctx, filepath.Join(f.bin, "tope-updater"), modes...)
	found := 0
	for _, r := range reports {
		found += len(r.Violations)
	}
	if err == nil && found > 0 {
		err = fmt.Errorf("%w: %d", errFound, found)
	}
	return err
}

// reports runs modes over flows with the given updater.
func (f *flags) reports(ctx context.Context, updater string, modes ...mode) (all []*sweep.Report, err error) {
	dir, err := os.MkdirTemp(f.dir, "crashlab-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sweep.RemoveTree(dir)) }()
	keep, err := os.MkdirTemp(f.dir, "crashlab-kept-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(keep) }() // stays when it is not empty
	lab, err := device.Open(dir, updater)
	if err != nil {
		return nil, err
	}
	flows, err := f.chosen()
	if err != nil {
		return nil, err
	}
	for _, flow := range flows {
		benches, err := lab.New(ctx, flow, f.jobs)
		if err != nil {
			return all, err
		}
		for _, m := range modes {
			r, err := m(ctx, benches, f.options(flow, keep))
			if err != nil {
				return all, errors.Join(fmt.Errorf("flow %s: %w", flow.Name, err), removeHidden(keep))
			}
			all = append(all, r)
			if !f.quiet {
				fmt.Println(r)
			}
		}
	}
	return all, removeHidden(keep)
}

// removeHidden removes the devices that a stopped sweep was working on.
func removeHidden(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	for _, p := range left {
		err = errors.Join(err, sweep.RemoveTree(p))
	}
	return err
}

func (f *flags) chosen() ([]device.Flow, error) {
	if len(f.flows) == 0 {
		return device.Flows(), nil
	}
	var flows []device.Flow
	for _, name := range f.flows {
		flow, ok := device.FlowNamed(name)
		if !ok {
			return nil, fmt.Errorf("there is no flow %q; there are %s", name, flowNames())
		}
		flows = append(flows, flow)
	}
	return flows, nil
}

func (f *flags) options(flow device.Flow, keep string) sweep.Options {
	last := time.Now()
	return sweep.Options{
		Flow: flow.Name, Seed: f.seed, Sample: f.sample, At: f.at, Rerun: f.rerun,
		Count:     f.count,
		NextEvery: f.next, FinishEvery: f.finish, Keep: keep, Most: f.most,
		Replay: func(mode, where, kept string) string {
			switch mode {
			case "kill", "pairs":
				return fmt.Sprintf("crashlab %s --bin %s --flow %s --at '%s'", mode, f.bin, flow.Name, where)
			case "torn":
				return fmt.Sprintf("crashlab kill --torn --bin %s --flow %s --at '%s'", f.bin, flow.Name, where)
			case "judge":
				return fmt.Sprintf("crashlab judge --bin %s --flow %s --state %s", f.bin, flow.Name, where)
			case "full":
				return fmt.Sprintf("crashlab errno --full --bin %s --flow %s --at '%s'", f.bin, flow.Name, where)
			case "lose", "relapse", "killed":
				return fmt.Sprintf("crashlab judge --bin %s --flow %s --state %s", f.bin, flow.Name, kept)
			}
			return fmt.Sprintf("crashlab errno --errno %s --bin %s --flow %s --at '%s'", mode, f.bin, flow.Name, where)
		},
		Log: func(format string, a ...any) {
			if !f.quiet && time.Since(last) > 30*time.Second {
				last = time.Now()
				fmt.Printf("  ... %s: "+format+"\n", append([]any{flow.Name}, a...)...)
			}
		},
	}
}
