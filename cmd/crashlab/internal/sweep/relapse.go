//go:build linux && amd64

package sweep

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// Relapse cuts the power at calls of the flow, records each recovery, and tries
// the states that another cut may leave at each of its calls, as Lose does:
// recovery may lack a sync too. Options.Firsts is how many first calls are drawn.
func Relapse(ctx context.Context, benches []Bench, opt Options) (*Report, error) {
	r := begin(opt, "relapse")
	b := benches[0]
	first, _, _ := strings.Cut(opt.At, pairMark)
	pick := begin(opt, "relapse")
	pick.opt.At, pick.opt.Sample = first, opt.Firsts
	pts := newPoints()
	if err := pick.choose(ctx, b, pts, tearable(false)); err != nil {
		return nil, err
	}
	l := newLoss(r, Story{})
	return l.afterEach(ctx, func() (more bool, err error) { return l.relapse(ctx, benches, pts) })
}

// relapse is one first cut, and all losses of the recovery from it. It reports
// whether there was still a call to cut at.
func (l *loss) relapse(ctx context.Context, benches []Bench, pts *points) (more bool, err error) {
	b := benches[0]
	if err := b.Reset(""); err != nil {
		return false, err
	}
	name := ""
	w := newWatcher(b, func(call string, _ *trace.Call) trace.Verdict {
		if !pts.take(call) {
			return trace.Verdict{}
		}
		name = call
		return trace.Verdict{Cut: true}
	})
	s, err := b.Act(ctx, Watch{Handler: w.handle})
	if err != nil || name == "" {
		return false, err
	}
	left := filepath.Join(l.opt.Keep, ".left-"+strconv.FormatInt(l.kept.Add(1), 10))
	if err := CopyTree(b.Root(), left); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, RemoveTree(left)) }()
	fs, calls, err := l.record(ctx, b, left, b.Recover, nil)
	if err != nil {
		return false, err
	}
	s.Promised, s.Rough, s.Lost = w.promised, true, true
	l.story, l.prefix = s, name+pairMark
	return true, l.replay(ctx, benches, fs, calls)
}
