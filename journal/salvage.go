package journal

import (
	"fmt"
	"os"
)

// Salvage is what could be saved from a damaged journal. It is the evidence of
// the record that carries the Damage; quarantine, counters and epoch floor have
// been taken over already.
type Salvage struct {
	// Records is how many records could be read and were linked to their
	// predecessor, up to number Seq; Bad counts what stood between them.
	Records int    `json:"records"`
	Seq     uint64 `json:"seq"`
	Bad     int    `json:"bad,omitempty"`
	// Exact says that the newest state was proved: its summary was whole and no
	// record is newer. Then the open update has been taken over too, and only
	// history is lost. Otherwise Open is the update that was open when the
	// readable records end: a hint, no more.
	Exact bool    `json:"exact"`
	Open  *Update `json:"open,omitempty"`
}

func (s *Salvage) text() string {
	switch {
	case s.Exact:
		return fmt.Sprintf("the newest state was saved, up to record %d; only history is lost", s.Seq)
	case s.Seq == 0:
		return "nothing could be read of it"
	case s.Open != nil:
		return fmt.Sprintf("%d records could be read, up to number %d, when update %s was in state %s", s.Records, s.Seq, s.Open.ID, s.Open.State)
	}
	return fmt.Sprintf("%d records could be read, up to number %d, when no update was open", s.Records, s.Seq)
}

// salvage reads what it can of a damaged journal, and returns it with the state
// that the new journal starts from.
func salvage(f *os.File) (*Salvage, *State) {
	info, err := f.Stat()
	if err != nil {
		return &Salvage{}, &State{}
	}
	im, h, err := openImage(f, info.Size())
	if im == nil {
		return &Salvage{}, &State{}
	}
	s, state := salvageImage(im, err == nil && h.bad == "")
	if s.Seq == 0 && h.older != nil {
		// The newest transaction is lost whole; the one before it shares most
		// pages with it but not those that lead there.
		older := &image{r: f, meta: *h.older}
		older.pages = min(older.pages, im.pages)
		s, state = salvageImage(older, false)
	}
	return s, state
}

// salvageImage salvages one transaction; newest says that it is known to be the
// newest one.
func salvageImage(im *image, newest bool) (*Salvage, *State) {
	c := &contents{im: im}
	s := &Salvage{}
	folded, exact := c.salvageRecords(s)
	summary, err := c.summary()
	if err != nil {
		return s, facts(folded, s.Seq)
	}
	state := summary.State
	s.Seq, s.Open = max(s.Seq, state.Seq), state.Open
	if s.Exact = newest && exact(state); !s.Exact {
		return s, facts(state, s.Seq)
	}
	return s, state
}

// salvageRecords folds every record whose link is whole. The function it
// returns says whether a state is no older than the newest record, as read from
// the end of the file.
func (c *contents) salvageRecords(s *Salvage) (*State, func(*State) bool) {
	never := func(*State) bool { return false }
	var err error
	if c.anchor, err = c.snapshot(bucketAnchor); err != nil {
		c.anchor = &snapshot{State: &State{}}
	}
	state := c.anchor.State
	records, err := c.im.bucket(bucketRecords)
	if err != nil {
		s.Seq, s.Open = state.Seq, state.Open
		return state, never
	}
	c.records = &records
	visit := func(_ Record, after *State) error {
		state = after
		s.Records++
		return nil
	}
	// An error here is the end of what can be read, like any other damage.
	_ = c.follow(visit, func(error) error { s.Bad++; return nil })
	s.Seq, s.Open = state.Seq, state.Open
	return state, func(of *State) bool {
		last, err := c.im.tail(records, 1)
		if err != nil || len(last) == 0 {
			return false
		}
		r, err := decodeEntry(last[0])
		return err == nil && (r.Seq < of.Seq || r.Seq == of.Seq && r.Sum == of.Sum)
	}
}

// facts is what outlives a journal whose newest state is not known: all but the
// open update. The chain begins anew; the numbers go on.
func facts(s *State, seq uint64) *State {
	return &State{
		Seq: seq, Last: s.Last, Quarantine: s.Quarantine, Counters: s.Counters, Damage: s.Damage, EpochFloor: s.EpochFloor,
	}
}
