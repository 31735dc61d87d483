package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Report is what Verify found.
type Report struct {
	// Records and Updates are how many are kept, First and Last the numbers of
	// the oldest and the newest record; both 0 when there is none.
	Records int    `json:"records"`
	Updates int    `json:"updates"`
	First   uint64 `json:"first"`
	Last    uint64 `json:"last"`
	// Pages counts the pages of 4 KiB that are in use or free; Free counts the
	// free ones.
	Pages uint64 `json:"pages"`
	Free  uint64 `json:"free"`
	// Problems is empty for a whole journal.
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is one thing wrong.
type Problem struct {
	// Kind is one of the Damaged… constants.
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// OK reports whether the journal is whole.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// maxProblems bounds a report: one bad page can have many consequences.
const maxProblems = 20

func (r *Report) add(err error) error {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, Problem{Kind: kindOf(err), Text: err.Error()})
	}
	return nil
}

// verify checks all of im, which must not change meanwhile.
func verify(im *image) Report {
	r := Report{Pages: im.pages}
	r.pages(im)
	c, err := opened(im)
	if err != nil {
		_ = r.add(err)
		return r
	}
	r.records(c)
	return r
}

// pages walks every page once, and checks that each is in one place of one
// tree, or free.
func (r *Report) pages(im *image) {
	used := map[uint64]bool{0: true, 1: true}
	walking := *im
	walking.seen = func(id, count uint64) error {
		for n := id; n < id+count; n++ {
			if used[n] {
				return badPage(n, "is used twice")
			}
			used[n] = true
		}
		return nil
	}
	free, err := walking.free()
	if err != nil {
		_ = r.add(err)
	}
	r.Free = uint64(len(free))
	err = walking.each(tree{root: walking.root}, nil, func(e entry) error {
		if !e.bucket {
			return r.add(&flaw{DamagedPages, fmt.Sprintf("%q is not a bucket", e.key)})
		}
		return walking.each(*e.tree(), nil, func(entry) error { return nil }, r.add)
	}, r.add)
	if err != nil {
		_ = r.add(err)
	}
	for _, id := range free {
		if used[id] {
			_ = r.add(badPage(id, "is in use and free"))
		}
		used[id] = true
	}
	if r.OK() {
		for id := range im.pages {
			if !used[id] {
				_ = r.add(badPage(id, "is neither in use nor free"))
			}
		}
	}
}

// records follows the chain and compares everything that is derived from it.
func (r *Report) records(c *contents) {
	summary, err := c.stored(bucketSummary)
	if err != nil {
		_ = r.add(err)
	}
	state := c.anchor.State
	starts := map[uint64]string{}
	check := func(s *Fold) {
		if summary != nil && s.Seq == summary.State.Seq {
			if err := summary.check(s); err != nil {
				_ = r.add(err)
			}
		}
	}
	check(state)
	err = c.follow(state, func(rec Record, s *Fold) error {
		state = s
		if r.First == 0 {
			r.First = rec.Seq
		}
		r.Records, r.Last = r.Records+1, rec.Seq
		if rec.Accept != nil && rec.Update != "" {
			starts[rec.Seq] = rec.Update
		}
		check(s)
		return nil
	}, r.add)
	if err != nil {
		_ = r.add(err)
	}
	if err := c.checkTail(state.Seq); err != nil {
		_ = r.add(err)
	}
	if summary != nil && !c.contains(summary.State) {
		_ = r.add(&flaw{DamagedSummary, fmt.Sprintf("the summary is of a record %d that is not there", summary.State.Seq)})
	}
	r.Updates = len(starts)
	if !r.OK() {
		return // values derived from damaged records cannot match
	}
	if err := c.checkIndex(starts); err != nil {
		_ = r.add(err)
	}
}

// check returns an error when the summary s is not the state that the records
// led to.
func (s *storedFold) check(state *Fold) error {
	if s.Fold != foldVersion {
		return nil // another program's; Open folds again
	}
	want, err := marshal(state)
	if err != nil {
		return err
	}
	have, err := marshal(s.State)
	if err == nil && !bytes.Equal(have, want) {
		err = &flaw{DamagedSummary, "the summary is not what the records tell"}
	}
	return err
}

// checkIndex checks that the index has exactly the updates that records open.
func (c *contents) checkIndex(starts map[uint64]string) error {
	n := 0
	err := c.im.each(*c.updates, nil, func(e entry) error {
		n++
		if len(e.key) == keySize && starts[binary.BigEndian.Uint64(e.key)] == string(e.value) {
			return nil
		}
		return &flaw{DamagedChain, fmt.Sprintf("the index has update %q, which no record opens", e.value)}
	}, nil)
	if err == nil && n != len(starts) {
		err = &flaw{DamagedChain, fmt.Sprintf("the index has %d updates of %d", n, len(starts))}
	}
	return err
}
