package model

// option is one state that a single inode may have after the cut.
type option struct {
	content content
	// landed is how many queued moves of a directory landed.
	landed int
	mode   uint32
	caps   string
}

// Options come in this order; the others follow.
const (
	nothing    = 0 // no change that is not durable landed
	everything = 1 // all of them did
)

// wholeSubsets is the largest number of writes over durable bytes of
// which every subset is tried.
const wholeSubsets = 6

// manyWrites is the largest number of writes of which every prefix is tried; of
// more writes, about this many are.
const manyWrites = 16

// options lists the states that n may have. A single one means that n is durable as it is.
func (n *inode) options() []option {
	var opts []option
	switch {
	case n.kind == dir:
		opts = append(opts, option{landed: 0}, option{landed: len(n.moves)})
		for i := 1; i < len(n.moves); i++ {
			opts = append(opts, option{landed: i})
		}
		if len(n.moves) == 0 {
			opts = opts[:1]
		}
	case len(n.writes) == 0:
		opts = append(opts, option{content: n.dur})
	default:
		opts = n.leftovers()
	}
	opts = crossed(opts, n.durMode, n.mode, func(o option, mode uint32) option { o.mode = mode; return o })
	return crossed(opts, n.durCaps, n.caps, func(o option, caps string) option { o.caps = caps; return o })
}

// crossed crosses opts with the old and the new permission bits or capabilities,
// keeping nothing and everything in their places.
func crossed[T comparable](opts []option, old, now T, set func(option, T) option) []option {
	if old == now {
		for i := range opts {
			opts[i] = set(opts[i], now)
		}
		return opts
	}
	if len(opts) == 1 {
		return []option{set(opts[0], old), set(opts[0], now)}
	}
	out := []option{set(opts[nothing], old), set(opts[everything], now), set(opts[nothing], now), set(opts[everything], old)}
	for _, o := range opts[2:] {
		out = append(out, set(o, old), set(o, now))
	}
	return out
}

// leftovers are the bytes a file may have after the cut.
func (n *inode) leftovers() []option {
	opts := []option{{content: n.dur}, {content: n.now}}
	add := func(c content) {
		for _, o := range opts {
			if o.content.equal(c) {
				return
			}
		}
		opts = append(opts, option{content: c})
	}
	// The size landed and the blocks did not.
	add(n.dur.resize(n.now.size))
	// A first few; the last of them by half.
	c := n.dur
	every := len(n.writes)/manyWrites + 1
	for i, w := range n.writes {
		if i%every == 0 || i == len(n.writes)-1 {
			if k := len(w.data); k > 1 {
				add(change{off: w.off, data: w.data[:k/2], size: -1}.apply(c))
			}
			add(c)
		}
		c = w.apply(c)
	}
	if n.overwrites() {
		n.subsets(add)
	}
	return opts
}

// overwrites reports whether pending writes go over durable bytes.
func (n *inode) overwrites() bool {
	for _, w := range n.writes {
		if w.size < 0 && w.off < n.dur.size {
			return true
		}
	}
	return false
}

// subsets adds every subset of few writes; of many writes, each alone, and all but each.
func (n *inode) subsets(add func(content)) {
	apply := func(take func(i int) bool) {
		c := n.dur
		for i, w := range n.writes {
			if take(i) {
				c = w.apply(c)
			}
		}
		add(c)
	}
	if len(n.writes) <= wholeSubsets {
		for set := range 1 << len(n.writes) {
			apply(func(i int) bool { return set>>i&1 == 1 })
		}
		return
	}
	for k := range n.writes {
		apply(func(i int) bool { return i == k })
		apply(func(i int) bool { return i != k })
	}
}

// entries are a directory's entries under option o.
func (n *inode) entries(o option) map[string]*inode {
	if o.landed == 0 {
		return n.durEnts
	}
	if o.landed == len(n.moves) {
		return n.ents
	}
	ents := make(map[string]*inode, len(n.durEnts)+o.landed)
	for name, to := range n.durEnts {
		ents[name] = to
	}
	for _, m := range n.moves[:o.landed] {
		for name, to := range m {
			if to == nil {
				delete(ents, name)
			} else {
				ents[name] = to
			}
		}
	}
	return ents
}
