//go:build linux && amd64

package sweep

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// pairMark stands between the two names of a pair.
const pairMark = " & "

// Pairs cuts the power at each call of the flow, and then at each call of the
// recovery from that. With a sample, that many pairs are tried, spread over all
// first calls.
func Pairs(ctx context.Context, benches []Bench, opt Options) (*Report, error) {
	r := begin(opt, "pairs")
	first := newPoints()
	one, two, _ := strings.Cut(opt.At, pairMark)
	r.opt.At = one
	perFirst := 0
	if opt.Sample > 0 {
		// As many first calls as the sample has room for, a few second calls at each.
		perFirst = pairsEach
		r.opt.Sample = max(1, opt.Sample/pairsEach)
	}
	if err := r.choose(ctx, benches[0], first, tearable(false)); err != nil {
		return nil, err
	}
	r.report.Of = 0
	var mu sync.Mutex
	firsts, all := 0, 0
	err := r.each(ctx, benches, func(ctx context.Context, b Bench) error {
		for ctx.Err() == nil && !r.enough() {
			name, of, err := r.pairsOf(ctx, b, first, two, perFirst)
			if err != nil || name == "" {
				return err
			}
			mu.Lock()
			firsts++
			all += of
			mu.Unlock()
			r.log("pairs: %d first calls, %d pairs so far", firsts, all)
		}
		return nil
	})
	r.report.Recovery = r.report.Points
	if perFirst > 0 {
		r.report.Of = all
	}
	r.report.extra(strconv.Itoa(firsts) + " first calls")
	return r.end(), err
}

// pairsEach is how many second calls a sample tries for each first one.
const pairsEach = 4

// pairsOf cuts one run of the flow, and then its recovery again and again from
// the same leftover. of is how many second calls there were.
func (r *run) pairsOf(ctx context.Context, b Bench, first *points, only string, n int) (name string, of int, err error) {
	if err := b.Reset(""); err != nil {
		return "", 0, err
	}
	w := newWatcher(b, func(call string, _ *trace.Call) trace.Verdict {
		if !first.take(call) {
			return trace.Verdict{}
		}
		name = call
		return trace.Verdict{Cut: true}
	})
	s, err := b.Act(ctx, Watch{Handler: w.handle})
	if err != nil || name == "" {
		return "", 0, err
	}
	s.Promised = w.promised
	left := filepath.Join(r.opt.Keep, ".pairs-"+strconv.FormatInt(r.kept.Add(1), 10))
	if err := CopyTree(b.Root(), left); err != nil {
		return name, 0, err
	}
	defer func() { err = errors.Join(err, RemoveTree(left)) }()

	second := newPoints()
	if only != "" {
		second.only = map[string]bool{only: true}
	} else if n > 0 {
		// This run counts the calls, from the same leftover.
		w := newWatcher(b, nil)
		if _, err := r.recoverFrom(ctx, b, left, w); err != nil {
			return name, 0, err
		}
		of = len(w.names)
		second.restrict(w.names, n, r.opt.Seed^hash(name))
	}
	for ctx.Err() == nil && !r.enough() {
		hit, err := r.secondCut(ctx, b, left, s, name, second)
		if err != nil || hit == "" {
			return name, max(of, len(second.names())), err
		}
	}
	return name, max(of, len(second.names())), nil
}

func (r *run) recoverFrom(ctx context.Context, b Bench, left string, w *watcher) (Story, error) {
	if err := b.Reset(left); err != nil {
		return Story{}, err
	}
	return b.Recover(ctx, Watch{Handler: w.handle})
}

// secondCut cuts one recovery from the leftover, and has the device judged.
func (r *run) secondCut(ctx context.Context, b Bench, left string, s Story, first string, second *points) (hit string, err error) {
	w := newWatcher(b, func(call string, _ *trace.Call) trace.Verdict {
		if !second.take(call) {
			return trace.Verdict{}
		}
		hit = call
		return trace.Verdict{Cut: true}
	})
	if _, err := r.recoverFrom(ctx, b, left, w); err != nil || hit == "" {
		return "", err
	}
	s.Promised, s.Rough = s.Promised || w.promised, true
	end, err := r.judge(ctx, b, s, r.depth(), first+pairMark+hit)
	if err == nil {
		r.report.ended(end)
	}
	return hit, err
}
