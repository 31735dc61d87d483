//go:build linux && amd64

package sweep

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// Errno makes each call of the flow fail, once, with e. The program may go on,
// and the power stays on until it has ended.
func Errno(ctx context.Context, benches []Bench, opt Options, e unix.Errno) (*Report, error) {
	fault := unix.ErrnoName(e)
	r := begin(opt, fault)
	pts := newPoints()
	if err := r.choose(ctx, benches[0], pts, func(*trace.Call) bool { return true }); err != nil {
		return nil, err
	}
	err := r.each(ctx, benches, func(ctx context.Context, b Bench) error {
		for ctx.Err() == nil && !r.enough() {
			name, err := r.failOnce(ctx, b, e, pts)
			if err != nil || name == "" {
				return err
			}
		}
		return nil
	})
	return r.end(), err
}

func (r *run) failOnce(ctx context.Context, b Bench, e unix.Errno, pts *points) (name string, err error) {
	if err := b.Reset(""); err != nil {
		return "", err
	}
	w := newWatcher(b, func(n string, c *trace.Call) trace.Verdict {
		if name != "" || !pts.take(n) {
			return trace.Verdict{}
		}
		name = n
		return trace.Verdict{Errno: e}
	})
	s, err := b.Act(ctx, Watch{Handler: w.handle})
	if err != nil {
		return name, err
	}
	if name == "" {
		return "", nil
	}
	s.Promised, s.Fault, s.Rough = w.promised, unix.ErrnoName(e), true
	// A failed call must not stand in the way of the same update later.
	end, err := r.judge(ctx, b, s, Next, name)
	if err == nil {
		r.report.ended(end)
	}
	return name, err
}
