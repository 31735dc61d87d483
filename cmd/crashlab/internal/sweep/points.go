//go:build linux && amd64

package sweep

import (
	"math/rand/v2"
	"sort"
	"sync"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// points hands out the names of calls, each once, to the run that meets it first.
type points struct {
	mu    sync.Mutex
	taken map[string]bool
	// only, when not nil, has the names that may be handed out.
	only map[string]bool
}

func newPoints() *points { return &points{taken: map[string]bool{}} }

func (p *points) take(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[name] || p.only != nil && !p.only[name] {
		return false
	}
	p.taken[name] = true
	return true
}

// restrict limits p to n of names, drawn by seed.
func (p *points) restrict(names []string, n int, seed uint64) {
	p.only = map[string]bool{}
	for _, i := range draw(len(names), n, seed) {
		p.only[names[i]] = true
	}
}

// names lists the names that were handed out.
func (p *points) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]string, 0, len(p.taken))
	for name := range p.taken {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// draw is n of the numbers below of, in ascending order; all of them when n is
// 0 or too many.
func draw(of, n int, seed uint64) []int {
	all := rand.New(rand.NewPCG(seed, 2)).Perm(of)
	if n > 0 && n < of {
		all = all[:n]
	}
	sort.Ints(all)
	return all
}

// watcher gives each counted call of one run its name, and listens for reports of success.
type watcher struct {
	bench Bench
	namer trace.Namer
	// at decides on a call that counts.
	at func(name string, c *trace.Call) trace.Verdict

	names    []string
	promised bool
}

func newWatcher(b Bench, at func(string, *trace.Call) trace.Verdict) *watcher {
	return &watcher{bench: b, namer: trace.Namer{Class: b.Class}, at: at}
}

func (w *watcher) handle(c *trace.Call) trace.Verdict {
	if c.Said {
		w.promised = w.promised || w.bench.Promises(c.Data)
		return trace.Verdict{}
	}
	if w.bench.Class(c.Path) == "" {
		return trace.Verdict{}
	}
	name := w.namer.Name(c)
	w.names = append(w.names, name)
	if w.at == nil {
		return trace.Verdict{}
	}
	return w.at(name, c)
}
