package journal

import (
	"sort"
)

// History is every update that recs tell of, newest first, given the state
// before the first of them.
func History(before *Fold, recs []Record) []Update {
	h, s := newHistory(before), before
	for _, r := range recs {
		s = Apply(s, r)
		h.add(r, s)
	}
	return h.list()
}

// history collects the newest fold of each update.
type history map[string]*Update

func newHistory(before *Fold) history {
	h := history{}
	if before.Open != nil {
		h[before.Open.ID] = before.Open
	}
	return h
}

// add notes what r told of its update; s is the state after r.
func (h history) add(r Record, s *Fold) {
	for _, u := range []*Update{s.Last, s.Open} {
		if u != nil && u.ID == r.Update {
			h[u.ID] = u
		}
	}
}

func (h history) list() []Update {
	out := make([]Update, 0, len(h))
	for _, u := range h {
		out = append(out, *u)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].FirstSeq > out[j].FirstSeq })
	return out
}
