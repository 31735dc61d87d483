//go:build linux && amd64

package sweep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how thorough a sweep is.
type Options struct {
	// Flow is the flow's name, for the report.
	Flow string
	// Seed makes samples the same each time.
	Seed uint64
	// Sample is how many points are tried; 0 for all.
	Sample int
	// Firsts is how many first crashes Relapse draws; 0 for all.
	Firsts int
	// Count makes Lose count its states and try none.
	Count bool
	// At, when not empty, is the only point tried.
	At string
	// Every makes Lose and Relapse try one call of so many; 0 for all.
	Every int
	// From, when not empty, is the first call that Lose tries.
	From string
	// Rerun makes one point of so many be tried again, to compare; 0 for none.
	Rerun int
	// NextEvery and FinishEvery make one device of so many be judged that deep.
	NextEvery, FinishEvery int
	// Keep is the directory for devices with findings; it must exist.
	Keep string
	// Most ends the sweep after so many findings; 0 for never.
	Most int
	// Replay makes the command that shows a finding again.
	Replay func(mode, where, kept string) string
	// Log gets a line now and then; nil for none.
	Log func(format string, a ...any)
}

// run is the state that all sweeps share.
type run struct {
	opt    Options
	mode   string
	report *Report
	start  time.Time
	kept   atomic.Int64
	judged atomic.Int64
}

func begin(opt Options, mode string) *run {
	return &run{opt: opt, mode: mode, report: newReport(opt.Flow, mode), start: time.Now()}
}

func (r *run) end() *Report {
	r.report.Took = time.Since(r.start)
	return r.report
}

// enough reports whether there are so many findings that the sweep ends.
func (r *run) enough() bool {
	r.report.mu.Lock()
	defer r.report.mu.Unlock()
	return r.opt.Most > 0 && len(r.report.Violations) >= r.opt.Most
}

// each runs f for every bench at the same time, until all return or one fails.
func (r *run) each(ctx context.Context, benches []Bench, f func(context.Context, Bench) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	for _, b := range benches {
		wg.Go(func() {
			if err := f(ctx, b); err != nil {
				stop(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// depth is how deep the next device is judged.
func (r *run) depth() Depth {
	n := int(r.judged.Add(1)) - 1
	switch {
	case r.opt.NextEvery > 0 && n%r.opt.NextEvery == 0:
		return Next
	case r.opt.FinishEvery > 0 && n%r.opt.FinishEvery == 0:
		return Finish
	}
	return Quick
}

// bad is the end of a device with a finding.
const bad = "in violation"

// judge has a device judged. When it violates a rule, judge keeps it as it was before.
func (r *run) judge(ctx context.Context, b Bench, s Story, d Depth, where string) (string, error) {
	before := filepath.Join(r.opt.Keep, fmt.Sprintf(".before-%s-%d", r.mode, r.kept.Add(1)))
	if err := CopyTree(b.Root(), before); err != nil {
		return "", err
	}
	end, err := b.Judge(ctx, s, d)
	return r.verdict(end, err, where, before)
}

// verdict turns a violation into a finding and keeps the device at before for it;
// without a violation it removes that copy. Any other error is passed on.
func (r *run) verdict(end string, err error, where, before string) (string, error) {
	var v *Violation
	if !errors.As(err, &v) {
		return end, errors.Join(err, RemoveTree(before))
	}
	kept := filepath.Join(r.opt.Keep, fmt.Sprintf("%s-%s-%d", r.opt.Flow, r.mode, r.kept.Add(1)))
	if err := os.Rename(before, kept); err != nil {
		return bad, err
	}
	r.report.found(Finding{Where: where, What: v.What, Kept: kept, Replay: r.replay(where, kept)})
	return bad, nil
}

func (r *run) replay(where, kept string) string {
	if r.opt.Replay == nil {
		return ""
	}
	return r.opt.Replay(r.mode, where, kept)
}

func (r *run) log(format string, a ...any) {
	if r.opt.Log != nil {
		r.opt.Log(format, a...)
	}
}
