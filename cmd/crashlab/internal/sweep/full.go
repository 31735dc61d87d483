//go:build linux && amd64

package sweep

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// Full fills the disk at each call of the flow that takes space: that call and
// all after it fail with ENOSPC, until the program has ended. Then there is
// space again.
func Full(ctx context.Context, benches []Bench, opt Options) (*Report, error) {
	r := begin(opt, "full")
	pts := newPoints()
	if err := r.choose(ctx, benches[0], pts, takesSpace); err != nil {
		return nil, err
	}
	err := r.each(ctx, benches, func(ctx context.Context, b Bench) error {
		for ctx.Err() == nil && !r.enough() {
			name, err := r.fullOnce(ctx, b, pts)
			if err != nil || name == "" {
				return err
			}
		}
		return nil
	})
	return r.end(), err
}

// FullDisk is a Story's Fault when the disk was full.
const FullDisk = "a full disk"

// takesSpace reports whether a call needs new blocks or inodes. Writes within a
// file do not: its blocks are there.
func takesSpace(c *trace.Call) bool {
	switch c.Op {
	case trace.Create, trace.Mkdir, trace.Symlink, trace.TmpFile, trace.Link, trace.Mknod, trace.Fallocate, trace.Splice:
		return true
	case trace.Write, trace.Pwrite:
		return c.Off+int64(c.Len) > c.Size
	}
	return false
}

func (r *run) fullOnce(ctx context.Context, b Bench, pts *points) (name string, err error) {
	if err := b.Reset(""); err != nil {
		return "", err
	}
	w := newWatcher(b, func(n string, c *trace.Call) trace.Verdict {
		if !takesSpace(c) || name == "" && !pts.take(n) {
			return trace.Verdict{}
		}
		if name == "" {
			name = n
		}
		return trace.Verdict{Errno: unix.ENOSPC}
	})
	s, err := b.Act(ctx, Watch{Handler: w.handle})
	if err != nil || name == "" {
		return "", err
	}
	s.Promised, s.Fault, s.Rough = w.promised, FullDisk, true
	end, err := r.judge(ctx, b, s, Next, name)
	if err == nil {
		r.report.ended(end)
	}
	return name, err
}
