//go:build linux && amd64

package sweep

import (
	"context"
	"errors"
	"strings"

	"github.com/tope/updater/cmd/crashlab/internal/model"
	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// Killed kills the program at calls of the flow, has the next program go on in the same
// boot, and tries the states that a power cut may leave at each call of that one, as
// Lose does. Whatever either program has not synced may be lost: the next one must not
// take the cache for the disk. Options.Firsts is how many first calls are drawn,
// and Options.At may be the name of one.
func Killed(ctx context.Context, benches []Bench, opt Options) (*Report, error) {
	first, _, pair := strings.Cut(opt.At, pairMark)
	pick := begin(opt, "killed")
	pick.opt.At, pick.opt.Sample = first, opt.Firsts
	if !pair {
		opt.At = "" // every call after that kill
	}
	r := begin(opt, "killed")
	b := benches[0]
	pts := newPoints()
	// A sample is of the calls before which most is unsynced.
	if err := pick.choose(ctx, b, pts, (*trace.Call).Syncs); err != nil {
		return nil, err
	}
	l := newLoss(r, Story{Cut: true, Rough: true, Lost: true})
	return l.afterEach(ctx, func() (more bool, err error) { return l.afterKill(ctx, benches, pts) })
}

// afterKill is one kill, and all losses of the programs that may follow. It reports
// whether there was still a call to kill at.
func (l *loss) afterKill(ctx context.Context, benches []Bench, pts *points) (more bool, err error) {
	name := ""
	for _, recovers := range []bool{false, true} {
		h, err := l.heir(ctx, benches[0], recovers, func(call string) bool {
			if name == "" && pts.take(call) { // the other heir follows the same kill
				name = call
			}
			return call == name
		})
		if err != nil || h == nil {
			return name != "", err
		}
		l.story.Promised, l.prefix = h.promised, name+pairMark
		if err := l.replay(ctx, benches, h.fs, h.calls); err != nil {
			return true, err
		}
	}
	return true, nil
}

// heir is the recording of a program that follows one that was killed.
type heir struct {
	// fs has the calls of the killed program, and knows which of them were synced.
	fs       *model.FS
	calls    []*trace.Call
	promised bool
}

// heirTries is how often a recording is made anew. A thread of the killed program may
// have been on its way into a call, which then counts as made and was not.
const heirTries = 4

// heir kills the program at the first call that take accepts, and records the next one.
// It returns nil when no call was accepted.
func (l *loss) heir(ctx context.Context, b Bench, recovers bool, take func(string) bool) (*heir, error) {
	act := func(ctx context.Context, w Watch) (Story, error) { return b.Succeed(ctx, w, recovers) }
	for try := 1; ; try++ {
		namer, killed, before := trace.Namer{Class: b.Class}, false, 0
		fs, calls, err := l.record(ctx, b, "", act, func(c *trace.Call, recorded int) trace.Verdict {
			if killed || c.Said || b.Class(c.Path) == "" || !take(namer.Name(c)) {
				return trace.Verdict{}
			}
			killed, before = true, recorded
			return trace.Verdict{Kill: true}
		})
		if errors.Is(err, errUntrusted) && killed && try < heirTries {
			continue
		}
		if err != nil || !killed {
			return nil, err
		}
		h := &heir{fs: fs, calls: calls[before:]}
		for _, c := range calls[:before] {
			h.promised = h.promised || c.Said
			if !c.Said {
				err = errors.Join(err, fs.Apply(c))
			}
		}
		return h, err
	}
}
