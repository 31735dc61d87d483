// Package journaltest is a journal in memory, for tests that crash an engine at
// every write. It keeps, folds and answers as the real one does, through the
// same code. A test can make it fail before or after a write.
//
//	j := journaltest.New(clock)
//	j.Crash(3, journaltest.After)     // the third write happens but says it failed
//	... run until it stops ...
//	j = j.Reopen()                    // what the next process finds
//
// Conformance is the suite that it and the real journal pass. Only tests may
// import this package.
package journaltest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
)

// ErrCrash is the error of the write that was told to crash; it is wrapped
// together with journal.ErrPoisoned.
var ErrCrash = errors.New("the power went, as the test asked")

// When says on which side of a write a crash comes.
type When int

// The sides of a write.
const (
	// Never crashes.
	Never When = iota
	// Before the write: nothing of it is kept.
	Before
	// After the write: all of it is kept, but the writer is told it failed.
	After
)

// Journal is a journal in memory. It is safe for concurrent use.
type Journal struct {
	mu     sync.Mutex
	clock  clock.Clock
	disk   disk
	state  *journal.Fold // as this handle knows it
	writes uint64
	left   int
	when   When
	poison error
	damage *journal.Damage
	keep   int
}

// disk is the part of a journal that outlives a crash.
type disk struct {
	values  [][]byte
	records []journal.Record
	// base is the state before the first record.
	base  *journal.Fold
	state *journal.Fold
	born  uint64
	notes map[string][]byte
}

// New is an empty journal.
func New(c clock.Clock) *Journal {
	return open(c, disk{base: &journal.Fold{}, state: &journal.Fold{}, notes: map[string][]byte{}})
}

func open(c clock.Clock, d disk) *Journal { return &Journal{clock: c, disk: d, state: d.state} }

// Crash makes the write'th transaction from now on (1 is the next; appends and
// notes both count) end in a crash.
func (j *Journal) Crash(write int, when When) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.left, j.when = write, when
}

// Keep prunes the journal to about its newest n records from now on, as the real one is;
// 0 prunes nothing.
func (j *Journal) Keep(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.keep = n
}

// prune lets go of old records. mu is held.
func (j *Journal) prune() {
	d := &j.disk
	if j.keep == 0 || len(d.records) < 2*j.keep {
		return
	}
	old := len(d.records) - j.keep
	for _, r := range d.records[:old] {
		d.base = journal.Apply(d.base, r)
	}
	d.records, d.values = slices.Clone(d.records[old:]), slices.Clone(d.values[old:])
}

// Reopen returns the journal as a new process finds it. The old handle must not
// be used any more. Reopen fails the test's process when the stored records do
// not fold to the stored state: that would be a bug in the fold.
func (j *Journal) Reopen() *Journal {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.poison = fmt.Errorf("%w: opened by somebody else", journal.ErrPoisoned)
	d := j.disk.clone()
	state := d.base
	for i, v := range d.values {
		seq := state.Seq + 1
		r, err := journal.Decode(seq, v)
		if err != nil || !journal.Follows(state.Sum, seq, v) {
			panic(fmt.Sprintf("record %d of the journal in memory is not whole: %v", i, err))
		}
		state = journal.Apply(state, r)
	}
	d.state = state
	n := open(j.clock, d)
	if fresh, _ := n.Fresh(); fresh {
		n.damage = state.Damage
	}
	return n
}

// Clone is an independent journal with the same content on a clock of its own,
// not crashed and with no crash to come; for exploring several futures from one
// point.
func (j *Journal) Clone(c clock.Clock) *Journal {
	j.mu.Lock()
	defer j.mu.Unlock()
	return open(c, j.disk.clone())
}

// Lose returns what a new process finds when the journal was damaged: a fresh
// one, with the facts that could be saved and a first record that tells of it.
func (j *Journal) Lose(kind string) *Journal {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.poison = fmt.Errorf("%w: opened by somebody else", journal.ErrPoisoned)
	old := j.disk.state
	base := &journal.Fold{
		Seq: old.Seq, Last: old.Last, Quarantine: old.Quarantine, Counters: old.Counters, EpochFloor: old.EpochFloor,
		Signed: old.Signed, Forgotten: old.Forgotten,
		Outbox: old.Outbox, Remembered: old.Remembered, Offers: old.Offers, Held: old.Held, Probation: old.Probation, Suspect: old.Suspect,
	}
	n := open(j.clock, disk{base: base, state: base, notes: map[string][]byte{}})
	n.damage = &journal.Damage{Kind: kind, Text: "the test damaged it", Time: j.clock.Now().UTC().Round(0)}
	if _, err := n.append(journal.Record{Phase: journal.Observed, Damage: n.damage}); err != nil {
		panic(err)
	}
	n.disk.born, n.writes = n.disk.state.Seq, 0
	return n
}

func (d disk) clone() disk {
	d.values, d.records, d.notes = slices.Clone(d.values), slices.Clone(d.records), maps.Clone(d.notes)
	return d
}

// write does one transaction, or crashes. mu is held.
func (j *Journal) write(f func()) error {
	if j.poison != nil {
		return j.poison
	}
	if j.when != Never {
		j.left--
	}
	crash := j.when != Never && j.left == 0
	if !crash || j.when == After {
		f()
	}
	if crash {
		j.poison = fmt.Errorf("%w: %w", journal.ErrPoisoned, ErrCrash)
		return j.poison
	}
	j.writes++
	return nil
}

// Append is journal.Journal's.
func (j *Journal) Append(recs ...journal.Record) (*journal.Fold, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(recs...)
}

func (j *Journal) append(recs ...journal.Record) (*journal.Fold, error) {
	if j.poison != nil {
		return nil, j.poison
	}
	at := journal.Stamp{Time: j.clock.Now().UTC().Round(0), Mono: j.clock.Monotonic(), Boot: j.clock.Boot()}
	b, err := journal.Prepare(j.state, at, recs)
	if err != nil {
		return nil, err
	}
	if len(b.Values) == 0 {
		return j.state, nil
	}
	err = j.write(func() {
		j.disk.values = append(j.disk.values, b.Values...)
		j.disk.records = append(j.disk.records, b.Records...)
		j.disk.state = b.State
		j.prune()
		if b.Drop {
			maps.DeleteFunc(j.disk.notes, func(k string, _ []byte) bool {
				return b.State.Open == nil || !bytes.HasPrefix([]byte(k), []byte(b.State.Open.ID+"/"))
			})
		}
	})
	if err != nil {
		return nil, err
	}
	j.state = b.State
	return b.State, nil
}

// Note is journal.Journal's.
func (j *Journal) Note(update, step string, v []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if open := j.state.Open; j.poison == nil && (open == nil || open.ID != update) {
		return fmt.Errorf("cannot note %s of update %s: %w", step, update, journal.ErrNotOpen)
	}
	return j.write(func() { j.disk.notes[update+"/"+step] = bytes.Clone(v) })
}

// ReadNote is journal.Journal's.
func (j *Journal) ReadNote(update, step string) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Clone(j.disk.notes[update+"/"+step]), j.poison
}

// State is journal.Journal's: after a crash it is the state before the write.
func (j *Journal) State() *journal.Fold {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state
}

// Records is journal.Journal's.
func (j *Journal) Records(update string) ([]journal.Record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.poison != nil {
		return nil, j.poison
	}
	return slices.DeleteFunc(slices.Clone(j.disk.records), func(r journal.Record) bool {
		return update != "" && r.Update != update
	}), nil
}

// Page is journal.Journal's.
func (j *Journal) Page(update string, after uint64, size int) ([]journal.Record, error) {
	all, err := j.Records(update)
	var out []journal.Record
	for _, r := range all {
		if r.Seq > after && (size > 0 || len(out) == 0) {
			out = append(out, r)
			size -= journal.StoredSize(r)
		}
	}
	return out, err
}

// Updates is journal.Journal's.
func (j *Journal) Updates() ([]journal.Update, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.poison != nil {
		return nil, j.poison
	}
	return journal.History(j.disk.base, j.disk.records), nil
}

// Fresh is journal.Journal's.
func (j *Journal) Fresh() (bool, *journal.Damage) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.disk.state.Seq == j.disk.born, j.damage
}

// Transactions is journal.Journal's.
func (j *Journal) Transactions() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.writes
}

// Close is journal.Journal's; Reopen still finds what was stored.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.poison == nil {
		j.poison = fs.ErrClosed
	}
	return nil
}
