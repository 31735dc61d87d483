package journal

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// The buckets of a journal file. The last three have one key each, of the same
// name: a transaction writes anew every page it touches, so what changes
// rarely must not share one with what always changes.
const (
	bucketRecords = "records" // sequence → record
	bucketUpdates = "updates" // sequence of the record that opened it → update id
	bucketNotes   = "notes"   // update/step → note
	bucketSummary = "summary" // the newest state, less State.Last
	bucketLast    = "last"    // State.Last
	bucketAnchor  = "anchor"  // the state before the oldest record
)

func bucketNames() []string {
	return []string{bucketRecords, bucketUpdates, bucketNotes, bucketSummary, bucketLast, bucketAnchor}
}

// foldVersion is the version of Apply. A summary of another version is not
// believed but folded again, so that a newer program finds what an older one
// skipped. It goes up whenever Apply learns to read something new.
const foldVersion = 1

// snapshot is a state as it is stored: the summary, or the anchor, which is the
// state before the oldest record that is kept.
type snapshot struct {
	Fold  int    `json:"fold"`
	State *State `json:"state"`
	// LastSeq, in the summary, is State.Last's, which is stored by itself.
	LastSeq uint64 `json:"last_seq,omitempty"`
	// Born, on the anchor of a new journal, is the number of the newest record
	// that its creation wrote; see Journal.Fresh.
	Born uint64 `json:"born,omitempty"`

	// unknown has the facts in State that only a newer program understands.
	unknown map[string]json.RawMessage
}

func decodeSnapshot(key string, payload []byte) (*snapshot, error) {
	var s snapshot
	var raw struct {
		State map[string]json.RawMessage `json:"state"`
	}
	if err := json.Unmarshal(payload, &s); err != nil {
		return nil, &flaw{DamagedSummary, fmt.Sprintf("the %s cannot be read: %v", key, err)}
	}
	if err := json.Unmarshal(payload, &raw); err != nil || s.State == nil {
		return nil, &flaw{DamagedSummary, "the " + key + " holds no state"}
	}
	for f := range reflect.TypeFor[State]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		delete(raw.State, name)
	}
	s.unknown = raw.State
	return &s, nil
}

// sealSummary makes the stored summary of s, and of s.Last unless it is the
// same as before's.
func sealSummary(before, s *State) (summary, last []byte, err error) {
	part := snapshot{Fold: foldVersion, State: s}
	if s.Last != nil {
		rest := *s
		rest.Last = nil
		part.State, part.LastSeq = &rest, s.Last.LastSeq
		if before == nil || s.Last != before.Last {
			if last, err = marshal(s.Last); err != nil {
				return nil, nil, err
			}
			last = seal(bucketLast, last)
		}
	}
	summary, err = part.encode(bucketSummary)
	return summary, last, err
}

func (s *snapshot) encode(key string) ([]byte, error) {
	payload, err := marshal(s)
	if err != nil || len(s.unknown) == 0 {
		return seal(key, payload), err
	}
	state, err := marshal(s.State)
	if err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(state, &all); err != nil {
		return nil, err
	}
	for k, v := range s.unknown {
		all[k] = v
	}
	payload, err = marshal(map[string]any{"fold": s.Fold, "state": all})
	return seal(key, payload), err
}

// contents is what an image turned out to hold.
type contents struct {
	im                      *image
	records, updates, notes *tree
	anchor                  *snapshot
	// state is the newest state, from the summary or folded again.
	state *State
	// refolded says that the summary was not used, and why when that is damage.
	refolded *flaw
}

// readContents reads what opening needs: a dozen pages, however long the
// journal is. The newest record must follow from the one before it and the
// summary must be of it; when it is not, the state is folded from the records.
func readContents(im *image) (*contents, error) {
	c := &contents{im: im}
	if err := c.buckets(); err != nil {
		return nil, err
	}
	if _, err := im.free(); err != nil {
		return nil, err
	}
	newest, err := c.newest()
	if err != nil {
		return nil, err
	}
	summary, err := c.summary()
	switch {
	case err != nil && kindOf(err) != DamagedSummary:
		return nil, err
	case err != nil:
		c.refolded = &flaw{DamagedSummary, err.Error()}
	case summary.State.Seq > newest.Seq:
		return nil, &flaw{DamagedChain, fmt.Sprintf("the newest record is %d, but there was a record %d", newest.Seq, summary.State.Seq)}
	case summary.State.Seq != newest.Seq || summary.State.Sum != newest.Sum:
		c.refolded = &flaw{DamagedSummary, fmt.Sprintf("the summary is of record %d, the newest is %d", summary.State.Seq, newest.Seq)}
	case summary.Fold == foldVersion:
		c.state = summary.State
		return c, nil
	}
	c.state, err = c.refold()
	return c, err
}

// buckets finds the buckets and reads the anchor, as many of them as there are.
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
	// Whatever the next transaction may touch must be in order, used now or not.
	for _, t := range []*tree{c.updates, c.notes, find(bucketSummary), find(bucketLast), find(bucketAnchor)} {
		if t != nil {
			first = cmp.Or(first, c.im.each(*t, nil, plain, nil))
		}
	}
	anchor, err := c.snapshot(bucketAnchor)
	if err != nil {
		// Without the anchor the oldest record hangs in the air.
		return cmp.Or(first, error(&flaw{DamagedChain, err.Error()}))
	}
	c.anchor = anchor
	return first
}

// plain says that e is a value and not a bucket.
func plain(e entry) error {
	if e.bucket {
		return &flaw{DamagedPages, fmt.Sprintf("%q is a bucket in place of a value", e.key)}
	}
	return nil
}

// sealed reads the value of a bucket that has one.
func (c *contents) sealed(name string) ([]byte, error) {
	t, err := c.im.bucket(name)
	if err != nil {
		return nil, err
	}
	value, err := c.im.get(t, name)
	if err != nil {
		return nil, err
	}
	payload, ok := unseal(name, value)
	if !ok {
		err = &flaw{DamagedSummary, "the " + name + " does not match its checksum"}
	}
	return payload, err
}

func (c *contents) snapshot(name string) (*snapshot, error) {
	payload, err := c.sealed(name)
	if err != nil {
		return nil, err
	}
	return decodeSnapshot(name, payload)
}

// summary is the newest state as it was stored.
func (c *contents) summary() (*snapshot, error) {
	s, err := c.snapshot(bucketSummary)
	if err != nil || s.LastSeq == 0 {
		return s, err
	}
	payload, err := c.sealed(bucketLast)
	if err != nil {
		return nil, err
	}
	var last Update
	if err := json.Unmarshal(payload, &last); err != nil || last.LastSeq != s.LastSeq {
		return nil, &flaw{DamagedSummary, "the summary's last update is not the one stored"}
	}
	s.State.Last = &last
	return s, nil
}

// newest is the newest record, checked against the one before it; the anchor's
// place when there are no records.
func (c *contents) newest() (Record, error) {
	last, err := c.im.tail(*c.records, 2)
	if err != nil {
		return Record{}, err
	}
	prev := Record{Seq: c.anchor.State.Seq, Sum: c.anchor.State.Sum}
	if len(last) == 0 {
		return prev, nil
	}
	if len(last) == 2 {
		if prev, err = decodeEntry(last[1]); err != nil {
			return prev, err
		}
	}
	r, err := decodeEntry(last[0])
	if err == nil && (r.Seq != prev.Seq+1 || !Follows(prev.Sum, r.Seq, last[0].value)) {
		err = brokenLink(prev.Seq, r.Seq)
	}
	return r, err
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

// follow visits every record whose link to its predecessor is whole, with the
// state after it, beginning at the anchor. Broken links and unreadable pages go
// to bad; without bad the first ends it.
func (c *contents) follow(visit func(Record, *State) error, bad func(error) error) error {
	if bad == nil {
		bad = func(err error) error { return err }
	}
	state := c.anchor.State
	return c.im.each(*c.records, nil, func(e entry) error {
		r, err := decodeEntry(e)
		if err != nil {
			return bad(err)
		}
		if r.Seq != state.Seq+1 || !Follows(state.Sum, r.Seq, e.value) {
			err := bad(brokenLink(state.Seq, r.Seq))
			// The next one is judged by what this one claims to be.
			lost := *state
			lost.Seq, lost.Sum = r.Seq, r.Sum
			state = &lost
			return err
		}
		state = Apply(state, r)
		return visit(r, state)
	}, bad)
}

// refold is the state by the records alone; the chain must be whole.
func (c *contents) refold() (*State, error) {
	state := c.anchor.State
	err := c.follow(func(_ Record, s *State) error { state = s; return nil }, nil)
	return state, err
}
