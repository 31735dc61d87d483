package journal

import (
	"cmp"
	"encoding/binary"
	"fmt"
)

// The buckets of a journal file. The last two have one key each, of the same
// name.
const (
	bucketRecords = "records" // sequence → record
	bucketUpdates = "updates" // sequence of the record that opened it → update id
	bucketNotes   = "notes"   // update/step → note
	bucketSummary = "summary" // a recent state
	bucketAnchor  = "anchor"  // the state before the oldest record
)

func bucketNames() []string {
	return []string{bucketRecords, bucketUpdates, bucketNotes, bucketSummary, bucketAnchor}
}

// contents are the buckets and the state that were found in an image.
type contents struct {
	im                      *image
	records, updates, notes *tree
	anchor                  *storedFold
	// state is the newest state.
	state *Fold
	// summary is the number of the record that the summary is of; 0 when it has
	// to be written anew.
	summary uint64
	// refolded is the damage for which the summary could not be used, or nil.
	refolded *flaw
}

// readContents reads what opening needs: a dozen pages, and the records since
// the summary, however long the journal is. When the summary cannot be used,
// the state is folded from all records.
func readContents(im *image) (*contents, error) {
	c := &contents{im: im}
	if err := c.buckets(); err != nil {
		return nil, err
	}
	if _, err := im.free(); err != nil {
		return nil, err
	}
	if err := c.checkNewest(); err != nil {
		return nil, err
	}
	from := c.anchor.State
	summary, err := c.stored(bucketSummary)
	switch {
	case err != nil && kindOf(err) != DamagedSummary:
		return nil, err
	case err != nil:
		c.refolded = &flaw{DamagedSummary, err.Error()}
	case !c.contains(summary.State):
		c.refolded = &flaw{DamagedSummary, fmt.Sprintf("the summary is of a record %d that is not there", summary.State.Seq)}
	case summary.Fold == foldVersion:
		from, c.summary = summary.State, summary.State.Seq
	}
	c.state = from
	return c, c.follow(from, func(_ Record, s *Fold) error { c.state = s; return nil }, nil)
}

// contains reports whether s is a state of this journal: at the anchor, or at a
// record that is there.
func (c *contents) contains(s *Fold) bool {
	if s.Seq == c.anchor.State.Seq {
		return s.Sum == c.anchor.State.Sum
	}
	value, err := c.im.get(*c.records, string(key(s.Seq)))
	if err != nil || value == nil {
		return false
	}
	r, err := Decode(s.Seq, value)
	return err == nil && r.Sum == s.Sum
}

// buckets finds the buckets, as many of them as there are, and reads the
// anchor.
func (c *contents) buckets() error {
	var first error
	find := func(name string) *tree {
		t, err := c.im.bucket(name)
		if err != nil {
			first = cmp.Or(first, err)
			return nil
		}
		return &t
	}
	c.records, c.updates, c.notes = find(bucketRecords), find(bucketUpdates), find(bucketNotes)
	// Every page that the next transaction may touch must be in order, used now or not.
	for _, t := range []*tree{c.updates, c.notes, find(bucketSummary), find(bucketAnchor)} {
		if t != nil {
			first = cmp.Or(first, c.im.each(*t, nil, plain, nil))
		}
	}
	anchor, err := c.stored(bucketAnchor)
	if err != nil {
		// Without the anchor the oldest record cannot be checked.
		return cmp.Or(first, error(&flaw{DamagedChain, err.Error()}))
	}
	c.anchor = anchor
	return first
}

// plain returns an error when e is a bucket and not a value.
func plain(e entry) error {
	if e.bucket {
		return &flaw{DamagedPages, fmt.Sprintf("%q is a bucket in place of a value", e.key)}
	}
	return nil
}

// checkNewest checks that the newest record is the one that was last written,
// and that it follows from the record before it. The anchor stands for a record
// that is not there.
func (c *contents) checkNewest() error {
	last, err := c.im.tail(*c.records, 2)
	if err != nil {
		return err
	}
	r := Record{Seq: c.anchor.State.Seq, Sum: c.anchor.State.Sum}
	prev := r
	if len(last) == 2 {
		if prev, err = decodeEntry(last[1]); err != nil {
			return err
		}
	}
	if len(last) > 0 {
		if r, err = decodeEntry(last[0]); err != nil {
			return err
		}
		if r.Seq != prev.Seq+1 || !Follows(prev.Sum, r.Seq, last[0].value) {
			return brokenLink(prev.Seq, r.Seq)
		}
	}
	return c.checkTail(r.Seq)
}

// checkTail checks that seq is the newest record that was written.
func (c *contents) checkTail(seq uint64) error {
	if seq != c.records.sequence {
		return &flaw{DamagedChain, fmt.Sprintf("the newest record is %d, but %d was written", seq, c.records.sequence)}
	}
	return nil
}

func brokenLink(prev, seq uint64) error {
	if seq != prev+1 {
		return &flaw{DamagedChain, fmt.Sprintf("record %d is followed by record %d", prev, seq)}
	}
	return &flaw{DamagedChain, fmt.Sprintf("record %d is not what was written after record %d", seq, prev)}
}

func decodeEntry(e entry) (Record, error) {
	if err := plain(e); err != nil {
		return Record{}, err
	}
	if len(e.key) != keySize {
		return Record{}, &flaw{DamagedChain, fmt.Sprintf("a record's key has %d bytes", len(e.key))}
	}
	return Decode(binary.BigEndian.Uint64(e.key), e.value)
}

// follow walks the records that come after the state from. It calls visit with
// each record whose link to its predecessor is whole, and with the state after
// that record. Broken links and unreadable pages go to bad; without bad the
// first of them ends the walk.
func (c *contents) follow(from *Fold, visit func(Record, *Fold) error, bad func(error) error) error {
	if bad == nil {
		bad = func(err error) error { return err }
	}
	state := from
	return c.im.each(*c.records, key(from.Seq+1), func(e entry) error {
		r, err := decodeEntry(e)
		if err != nil {
			return bad(err)
		}
		if r.Seq != state.Seq+1 || !Follows(state.Sum, r.Seq, e.value) {
			err := bad(brokenLink(state.Seq, r.Seq))
			// The next record is checked against the sum that this one claims.
			lost := *state
			lost.Seq, lost.Sum = r.Seq, r.Sum
			state = &lost
			return err
		}
		state = Apply(state, r)
		return visit(r, state)
	}, bad)
}
