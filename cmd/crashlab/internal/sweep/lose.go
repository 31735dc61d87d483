//go:build linux && amd64

package sweep

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tope/updater/cmd/crashlab/internal/model"
	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// MostStates is the largest number of states at one call that are all tried.
const MostStates = 4096

// Lose records the flow once, and tries the states that a power cut may leave at each
// of its calls. Options.Sample is the most states tried for one call; 0 stands for
// MostStates. The recording is checked: replayed whole, it must give the real tree.
func Lose(ctx context.Context, benches []Bench, opt Options) (*Report, error) {
	r := begin(opt, "lose")
	b := benches[0]
	fs, calls, err := r.record(ctx, b, "", b.Act, nil)
	for again := 1; errors.Is(err, errUntrusted) && again < tries; again++ {
		// What was recorded is thrown away; it is the laboratory's fault, or a call's that
		// it does not see, and then each recording fails.
		r.report.extra("recorded again: " + err.Error())
		fs, calls, err = r.record(ctx, b, "", b.Act, nil)
	}
	if err != nil {
		return nil, err
	}
	l := newLoss(r, Story{Cut: true, Lost: true})
	err = l.replay(ctx, benches, fs, calls)
	l.count()
	return r.end(), err
}

// tries is how often a flow is recorded until a recording can be trusted.
const tries = 3

// errUntrusted: the model of a recording differs from the real tree.
var errUntrusted = errors.New("the recording cannot be trusted")

// record runs the flow, or the recovery, once from a tree. It returns its calls,
// with the promises between them, and the tree they began from. When at, which may be
// nil, decides on a call, that call is not carried out, nor recorded.
func (r *run) record(ctx context.Context, b Bench, from string, act func(context.Context, Watch) (Story, error),
	at func(c *trace.Call, recorded int) trace.Verdict,
) (*model.FS, []*trace.Call, error) {
	if err := b.Reset(from); err != nil {
		return nil, nil, err
	}
	fs, err := model.Load(b.Root())
	if err != nil {
		return nil, nil, err
	}
	check, err := model.Load(b.Root())
	if err != nil {
		return nil, nil, err
	}
	var calls []*trace.Call
	_, err = act(ctx, Watch{Record: true, Handler: func(c *trace.Call) trace.Verdict {
		if at != nil {
			if v := at(c, len(calls)); v != (trace.Verdict{}) {
				return v
			}
		}
		if c.Said && b.Promises(c.Data) || !c.Said && !b.Volatile(c.Path) {
			calls = append(calls, c)
		}
		return trace.Verdict{}
	}})
	if err != nil {
		return nil, nil, err
	}
	for _, c := range calls {
		if c.Said {
			continue
		}
		if err := check.Apply(c); err != nil {
			return nil, nil, err
		}
	}
	if err := check.Same(b.Root(), b.Volatile); err != nil {
		return nil, nil, fmt.Errorf("%w: %w; the calls on it: %q", errUntrusted, err, namedIn(err.Error(), calls))
	}
	return fs, calls, nil
}

// namedIn are the calls on a path that the text names.
func namedIn(text string, calls []*trace.Call) (found []string) {
	for _, c := range calls {
		if c.Path != "" && strings.HasPrefix(text, c.Path+" ") {
			found = append(found, fmt.Sprintf("%s (inode %d)", c, c.Ino))
		}
	}
	return found
}

// key tells tried states apart: the tree, and whether success was promised by then.
type key struct {
	tree     [32]byte
	promised bool
}

// loss is one replay, or several.
type loss struct {
	*run
	limit int
	seen  map[key]bool
	namer trace.Namer
	// story tells what has happened to the device before.
	story Story
	// prefix comes before the names of calls.
	prefix string

	calls, states, exhaustive, most int
}

func newLoss(r *run, s Story) *loss {
	l := &loss{run: r, limit: r.opt.Sample, seen: map[key]bool{}, story: s}
	if l.limit <= 0 || l.limit > MostStates {
		l.limit = MostStates
	}
	return l
}

// afterEach is a sweep of recoveries: losses goes through all that may be lost after one
// first call, and reports whether there was still a first call to take.
func (l *loss) afterEach(ctx context.Context, losses func() (more bool, err error)) (*Report, error) {
	firsts := 0
	for ctx.Err() == nil && !l.enough() {
		more, err := losses()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		firsts++
	}
	l.count()
	l.report.Recovery = l.report.Points
	l.report.extra(strconv.Itoa(firsts) + " first calls")
	return l.end(), context.Cause(ctx)
}

func (l *loss) count() {
	l.report.extra(fmt.Sprintf("%d states (%d different) at %d calls, %d calls exhaustive and %d sampled, at most %d states a call",
		l.states, len(l.seen), l.calls, l.exhaustive, l.calls-l.exhaustive, l.most))
}

func (l *loss) replay(ctx context.Context, benches []Bench, fs *model.FS, calls []*trace.Call) error {
	l.namer = trace.Namer{Class: benches[0].Class}
	promised := l.story.Promised
	var where string
	begun := l.opt.From == ""
	for i, c := range calls {
		if c.Said {
			promised = true
			where = l.prefix + "after success was reported"
		} else {
			if err := fs.Apply(c); err != nil {
				return err
			}
			where = l.prefix + l.namer.Name(c)
		}
		begun = begun || where == l.opt.From
		if l.opt.At != "" && where != l.opt.At || !begun {
			continue
		}
		if l.opt.Every > 1 && (hash(where)^l.opt.Seed)%uint64(l.opt.Every) != 0 {
			continue
		}
		states, all := fs.States(l.limit, l.opt.Seed^uint64(i))
		l.calls++
		l.states += len(states)
		l.most = max(l.most, len(states))
		if all {
			l.exhaustive++
		}
		var fresh []model.State
		for _, s := range states {
			k := key{s.Hash(), promised}
			if !l.seen[k] {
				l.seen[k] = true
				fresh = append(fresh, s)
			}
		}
		if l.opt.Count {
			continue
		}
		if err := l.try(ctx, benches, fresh, promised, where); err != nil {
			return err
		}
		if l.enough() {
			break
		}
		l.log("lose: call %d of %d, %d states tried", i+1, len(calls), l.report.Points)
	}
	return nil
}

// try has states judged, each on the next free bench.
func (l *loss) try(ctx context.Context, benches []Bench, states []model.State, promised bool, where string) error {
	next := make(chan model.State, len(states))
	for _, s := range states {
		next <- s
	}
	close(next)
	return l.each(ctx, benches, func(ctx context.Context, b Bench) error {
		for s := range next {
			if l.enough() || ctx.Err() != nil {
				return context.Cause(ctx)
			}
			at := filepath.Join(l.opt.Keep, ".state-"+strconv.FormatInt(l.kept.Add(1), 10))
			if err := s.Build(at); err != nil {
				return err
			}
			if err := b.Reset(at); err != nil {
				return err
			}
			story := l.story
			story.Promised = promised
			end, err := b.Judge(ctx, story, l.depth())
			end, err = l.verdict(end, err, where, at)
			if err != nil {
				return err
			}
			l.report.ended(end)
		}
		return nil
	})
}
