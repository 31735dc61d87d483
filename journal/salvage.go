package journal

import (
	"fmt"
	"os"
)

// Salvage is what could be saved from a damaged journal. It is the evidence of
// the record that carries the Damage; quarantine, counters, epoch floor, the
// newest signed release, and what a fleet owes and remembers have been taken over
// already.
type Salvage struct {
	// Records is how many records could be read and were linked to their
	// predecessor, up to number Seq; Bad counts the flaws between them.
	Records int    `json:"records"`
	Seq     uint64 `json:"seq"`
	Bad     int    `json:"bad,omitempty"`
	// Exact says that the newest state was proved: the summary and all that was
	// written after it are whole. Then the open update has been taken over too,
	// and only history is lost. Otherwise Open is the update that was open where
	// the readable records end: a hint, no more.
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
func salvage(f *os.File) (*Salvage, *Fold) {
	info, err := f.Stat()
	if err != nil {
		return &Salvage{}, &Fold{}
	}
	im, h, err := openImage(f, info.Size())
	if im == nil {
		return &Salvage{}, &Fold{}
	}
	s, state := salvageImage(im, err == nil && h.bad == "")
	if s.Seq == 0 && h.older != nil {
		// The newest transaction cannot be read at all. The one before it shares
		// most pages with it, but not the pages that lead to them.
		older := &image{r: f, meta: *h.older}
		older.pages = min(older.pages, im.pages)
		s, state = salvageImage(older, false)
	}
	return s, state
}

// salvageImage salvages one transaction; newest says that it is known to be the
// newest one.
func salvageImage(im *image, newest bool) (*Salvage, *Fold) {
	// The error is not needed: the code below goes by what could be found.
	c, _ := opened(im)
	s := &Salvage{}
	// The summary is a better start than the anchor: it cannot be wrong, and
	// damage before it does not matter.
	state := c.anchor.State
	summary, err := c.stored(bucketSummary)
	if err == nil {
		state = summary.State
	}
	whole := newest && err == nil && c.records != nil
	if c.records != nil {
		var all *Fold
		all, s.Records, s.Bad = c.readable()
		end := c.follow(state, func(_ Record, after *Fold) error { state = after; return nil },
			func(error) error { whole = false; return nil })
		whole = whole && end == nil && c.checkTail(state.Seq) == nil
		if err == nil && summary.Fold < foldVersion {
			// The summary is an older program's, which has skipped this; the anchor has it.
			state = state.withFleet(all)
		}
	}
	s.Seq, s.Open, s.Exact = state.Seq, state.Open, whole
	if s.Exact {
		return s, state
	}
	return s, facts(state)
}

// readable counts the records that can be read, and the flaws between them. state is what
// those records tell.
func (c *contents) readable() (state *Fold, records, bad int) {
	state = c.anchor.State
	err := c.follow(state, func(_ Record, after *Fold) error { state = after; records++; return nil },
		func(error) error { bad++; return nil })
	if err != nil {
		bad++
	}
	return state, records, bad
}

// withFleet is s with what from has of a fleet.
func (s *Fold) withFleet(from *Fold) *Fold {
	n := *s
	n.Outbox, n.Remembered, n.Offers = from.Outbox, from.Remembered, from.Offers
	n.Held, n.Probation, n.Suspect = from.Held, from.Probation, from.Suspect
	return &n
}

// facts is what outlives a journal whose newest state is not known: all but the
// open update. The chain begins anew; the numbers go on.
func facts(s *Fold) *Fold {
	return (&Fold{
		Seq: s.Seq, Last: s.Last, Quarantine: s.Quarantine, Counters: s.Counters, Damage: s.Damage, EpochFloor: s.EpochFloor, Figures: s.Figures,
		OwedProgram: s.OwedProgram, Committed: s.Committed, Signed: s.Signed, Forgotten: s.Forgotten,
	}).withFleet(s)
}
