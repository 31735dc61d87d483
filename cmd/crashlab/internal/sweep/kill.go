//go:build linux && amd64

package sweep

import (
	"context"
	"hash/fnv"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// Kill cuts the power at each call of the flow. With torn, it cuts at each write,
// and lets the first half through.
func Kill(ctx context.Context, benches []Bench, opt Options, torn bool) (*Report, error) {
	mode := "kill"
	if torn {
		mode = "torn"
	}
	r := begin(opt, mode)
	pts := newPoints()
	if err := r.choose(ctx, benches[0], pts, tearable(torn)); err != nil {
		return nil, err
	}
	err := r.each(ctx, benches, func(ctx context.Context, b Bench) error {
		for ctx.Err() == nil && !r.enough() {
			name, err := r.killOnce(ctx, b, torn, pts)
			if err != nil || name == "" {
				return err
			}
		}
		return nil
	})
	return r.end(), err
}

// tearable returns the calls at which a sweep cuts.
func tearable(torn bool) func(*trace.Call) bool {
	return func(c *trace.Call) bool { return !torn || c.Writes() && c.Len > 1 }
}

// choose restricts pts to the points that the options ask for; for a sample it
// counts the calls of one run.
func (r *run) choose(ctx context.Context, b Bench, pts *points, counts func(*trace.Call) bool) error {
	if r.opt.At != "" {
		pts.only = map[string]bool{r.opt.At: true}
		return nil
	}
	if r.opt.Sample == 0 {
		return nil
	}
	var names []string
	if err := b.Reset(""); err != nil {
		return err
	}
	w := newWatcher(b, func(name string, c *trace.Call) trace.Verdict {
		if counts(c) {
			names = append(names, name)
		}
		return trace.Verdict{}
	})
	if _, err := b.Act(ctx, Watch{Handler: w.handle}); err != nil {
		return err
	}
	r.report.Of = len(names)
	pts.restrict(names, r.opt.Sample, r.opt.Seed)
	return nil
}

// killOnce runs the flow once, cuts it at the first call not tried yet, and has
// the device judged. The name is empty when there was no such call: then the run
// without a cut is judged like the others.
func (r *run) killOnce(ctx context.Context, b Bench, torn bool, pts *points) (string, error) {
	depth := r.depth()
	name, end, err := r.killed(ctx, b, torn, pts.take, depth)
	if err != nil {
		return name, err
	}
	if name == "" {
		r.report.extra("a run that was not cut ended " + end)
		return "", nil
	}
	r.report.ended(end)
	if end == bad || !r.again(name) {
		return name, nil
	}
	same, second, err := r.killed(ctx, b, torn, func(n string) bool { return n == name }, depth)
	if err != nil || same == "" || second == bad {
		return name, err
	}
	if second != end {
		r.report.found(Finding{Where: name, What: "the same crash ended " + end + " and then " + second, Replay: r.replay(name, "")})
	}
	r.report.rerun()
	return name, nil
}

// killed is one run, cut at most once, and its judgement.
func (r *run) killed(ctx context.Context, b Bench, torn bool, take func(string) bool, d Depth) (name, end string, err error) {
	if err := b.Reset(""); err != nil {
		return "", "", err
	}
	w := newWatcher(b, func(n string, c *trace.Call) trace.Verdict {
		if !tearable(torn)(c) || !take(n) {
			return trace.Verdict{}
		}
		name = n
		return trace.Verdict{Cut: true, Torn: torn}
	})
	s, err := b.Act(ctx, Watch{Handler: w.handle})
	if err != nil {
		return name, "", err
	}
	s.Promised = w.promised
	end, err = r.judge(ctx, b, s, d, name)
	return name, end, err
}

// again reports whether this point is one of those tried twice.
func (r *run) again(name string) bool {
	if r.opt.Rerun == 0 {
		return false
	}
	return (hash(name)^r.opt.Seed)%uint64(r.opt.Rerun) == 0
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}
