package model

import (
	"math/rand/v2"
	"sort"
)

// State is one tree that a power cut may leave.
type State struct {
	v      *view
	chosen map[*inode]int
}

// view is an FS frozen at one call, with facts that are computed once.
type view struct {
	root *inode
	opts map[*inode][]option
	open map[*inode]bool // something below may turn out more than one way
	sums map[*inode][32]byte
}

// States lists the states that a cut at this point may leave. If there are at
// most limit, it lists all; of more, it draws limit by seed, and exhaustive is
// false. A drawn set begins with both ends, nothing and everything landed, and
// each single inode's deviations from both; random states follow. The states are
// good until the next Apply.
func (fs *FS) States(limit int, seed uint64) (states []State, exhaustive bool) {
	v := fs.view()
	exhaustive = v.each(limit, func(s State) { states = append(states, s) })
	if exhaustive {
		return states, true
	}
	return v.draw(limit, rand.New(rand.NewPCG(seed, 1))), false
}

func (fs *FS) view() *view {
	v := &view{root: fs.root, opts: map[*inode][]option{}, open: map[*inode]bool{}, sums: map[*inode][32]byte{}}
	seen := map[*inode]bool{}
	var walk func(n *inode) bool
	walk = func(n *inode) bool {
		if seen[n] {
			return v.open[n]
		}
		seen[n] = true
		v.opts[n] = n.options()
		open := len(v.opts[n]) > 1
		for _, c := range n.everLed() {
			if walk(c) {
				open = true
			}
		}
		v.open[n] = open
		return open
	}
	walk(fs.root)
	return v
}

// everLed are the inodes that a name in n may turn out to lead to.
func (n *inode) everLed() []*inode {
	var all []*inode
	for _, c := range n.durEnts {
		all = append(all, c)
	}
	for _, m := range n.moves {
		for _, c := range m {
			if c != nil {
				all = append(all, c)
			}
		}
	}
	return all
}

// children are the undecided inodes that n leads to under option o, by name.
func (v *view) children(n *inode, o option) []*inode {
	if n.kind != dir {
		return nil
	}
	ents := n.entries(o)
	names := make([]string, 0, len(ents))
	for name, c := range ents {
		if v.open[c] {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	out := make([]*inode, len(names))
	for i, name := range names {
		out[i] = ents[name]
	}
	return out
}

// each yields every state; when there are more than limit, it gives up.
func (v *view) each(limit int, yield func(State)) bool {
	count := 0
	chosen := map[*inode]int{}
	var visit func(list []*inode) bool
	visit = func(list []*inode) bool {
		for len(list) > 0 {
			if _, done := chosen[list[0]]; !done {
				break
			}
			list = list[1:]
		}
		if len(list) == 0 {
			if count++; count > limit {
				return false
			}
			yield(v.state(chosen))
			return true
		}
		n, rest := list[0], list[1:]
		for i, o := range v.opts[n] {
			chosen[n] = i
			if !visit(append(v.children(n, o), rest...)) {
				return false
			}
		}
		delete(chosen, n)
		return true
	}
	return visit([]*inode{v.root})
}

func (v *view) state(chosen map[*inode]int) State {
	c := make(map[*inode]int, len(chosen))
	for n, i := range chosen {
		c[n] = i
	}
	return State{v, c}
}

// pick makes a state. It calls which for the option of each inode that it meets.
func (v *view) pick(which func(n *inode, of int) int) State {
	s := State{v, map[*inode]int{}}
	list := []*inode{v.root}
	for len(list) > 0 {
		n := list[0]
		list = list[1:]
		if _, done := s.chosen[n]; done {
			continue
		}
		i := 0
		if of := len(v.opts[n]); of > 1 {
			i = which(n, of)
		}
		s.chosen[n] = i
		list = append(list, v.children(n, v.opts[n][i])...)
	}
	return s
}

// draw is a sample of n states.
func (v *view) draw(n int, rng *rand.Rand) []State {
	var out []State
	seen := map[[32]byte]bool{}
	add := func(s State) {
		if h := s.Hash(); len(out) < n && !seen[h] {
			seen[h] = true
			out = append(out, s)
		}
	}
	ends := []int{everything, nothing}
	for _, end := range ends {
		add(v.pick(func(*inode, int) int { return end }))
	}
	var single []func() State
	for _, end := range ends {
		for _, one := range v.undecided(end) {
			for i := range v.opts[one] {
				single = append(single, func() State {
					return v.pick(func(n *inode, _ int) int {
						if n == one {
							return i
						}
						return end
					})
				})
			}
		}
	}
	rng.Shuffle(len(single), func(i, j int) { single[i], single[j] = single[j], single[i] })
	for _, s := range single {
		if len(out) >= n*3/4 {
			break
		}
		add(s())
	}
	for tries := 0; len(out) < n && tries < 4*n; tries++ {
		add(v.pick(func(_ *inode, of int) int { return rng.IntN(of) }))
	}
	return out
}

// undecided are the inodes with a choice in the state in which every choice is end.
func (v *view) undecided(end int) []*inode {
	var out []*inode
	v.pick(func(n *inode, _ int) int {
		out = append(out, n)
		return end
	})
	return out
}
