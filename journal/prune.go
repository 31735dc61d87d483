package journal

import (
	"encoding/binary"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// reserve is the room that is kept free in a file preallocated with size bytes:
// updates are pruned when less is left, however few there are. An update takes
// about 40 KiB.
func reserve(size int64) int64 { return min(size/4, 1<<20) }

// beyond is how many bytes of records behind the cut must be readable: bbolt
// may merge what is left of a page with the pages after it.
const beyond = 8 * pageSize

// pruning is a plan to delete the oldest records.
type pruning struct {
	records [][]byte // keys
	updates [][]byte
	anchor  []byte
}

// planPrune plans which records to delete with batch b; nil means none. It
// never fails: unreadable records stay, because a journal that grows is better
// than one that cannot be written. mu is held.
func (j *Journal) planPrune(b *Batch) *pruning {
	p, err := j.prune(b)
	if err != nil {
		j.opt.Log.Warn("the journal cannot be pruned", "path", j.path, "error", err)
		return nil
	}
	return p
}

func (j *Journal) prune(b *Batch) (*pruning, error) {
	im, err := j.image()
	if err != nil {
		return nil, err
	}
	free, err := im.free()
	if err != nil {
		return nil, err
	}
	room := j.opt.Preallocate - int64(im.pages)*pageSize + int64(len(free))*pageSize
	tight := room < reserve(j.opt.Preallocate)
	c := &contents{im: im}
	if err := c.buckets(); err != nil {
		return nil, err
	}
	starts, err := c.starts()
	if err != nil {
		return nil, err
	}
	cut := cutAt(starts, c.anchor.State.Seq+1, b, j.opt.KeepUpdates, tight)
	if cut <= c.anchor.State.Seq+1 {
		return nil, nil
	}
	if slices.Contains(starts, cut) && !c.opens(cut) {
		return nil, &flaw{DamagedChain, fmt.Sprintf("the index says that record %d opens an update, but it does not", cut)}
	}
	return c.cut(cut)
}

// opens reports whether record seq opens an update.
func (c *contents) opens(seq uint64) bool {
	value, err := c.im.get(*c.records, string(key(seq)))
	if err != nil || value == nil {
		return false
	}
	r, err := Decode(seq, value)
	return err == nil && r.Accept != nil
}

// starts are the numbers of the records that open the kept updates, ascending.
func (c *contents) starts() ([]uint64, error) {
	var out []uint64
	err := c.im.each(*c.updates, nil, func(e entry) error {
		if len(e.key) == keySize {
			out = append(out, binary.BigEndian.Uint64(e.key))
		}
		return nil
	}, nil)
	return out, err
}

// cutAt is the number of the first record to keep. starts are the records that
// open the updates in the file, and first is its oldest record; b is about to
// be added. The open update always stays. When space is tight, the oldest
// quarter of the updates goes, even if keep would keep it; when no closed
// update is left, half of the records go.
func cutAt(starts []uint64, first uint64, b *Batch, keep int, tight bool) uint64 {
	for _, r := range b.Records {
		if r.Accept != nil {
			starts = append(starts, r.Seq)
		}
	}
	cut := first
	if n := len(starts) - keep; n > 0 {
		cut = starts[n]
	}
	if tight {
		cut = max(cut, tightCut(starts, first, b.State.Seq))
	}
	if b.State.Open != nil {
		cut = min(cut, b.State.Open.FirstSeq)
	}
	// Never the records of this batch.
	return min(cut, b.Records[0].Seq)
}

func tightCut(starts []uint64, first, last uint64) uint64 {
	if len(starts) > 0 && starts[0] > first {
		return starts[0] // the records before it are about the device
	}
	if len(starts) > 1 {
		return starts[max(1, len(starts)/4)]
	}
	return first + (last-first)/2
}

// cut plans to delete all records before seq, with the anchor that stands for them.
func (c *contents) cut(seq uint64) (*pruning, error) {
	p := &pruning{}
	last := c.anchor.State
	behind := 0
	err := c.im.each(*c.records, nil, func(e entry) error {
		r, err := decodeEntry(e)
		if err != nil {
			return err
		}
		if r.Seq >= seq {
			if behind += len(e.value); behind > beyond {
				return errStop
			}
			return nil
		}
		p.records = append(p.records, e.key)
		if Follows(last.Sum, r.Seq, e.value) {
			last = Apply(last, r)
			return nil
		}
		// A damaged record is not folded; it is deleted with the others.
		next := *last
		next.Seq, next.Sum = r.Seq, r.Sum
		last = &next
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	starts, err := c.starts()
	for _, s := range starts {
		if s < seq {
			p.updates = append(p.updates, key(s))
		}
	}
	if err != nil {
		return nil, err
	}
	p.anchor, err = (&storedFold{Fold: foldVersion, State: last, unknown: c.anchor.unknown}).encode(bucketAnchor)
	return p, err
}

// drop carries the plan out, in the transaction of the batch it was made for.
func (p *pruning) drop(tx *bolt.Tx) error {
	if p == nil {
		return nil
	}
	for bucket, keys := range map[string][][]byte{bucketRecords: p.records, bucketUpdates: p.updates} {
		b := tx.Bucket([]byte(bucket))
		b.FillPercent = fill
		for _, k := range keys {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
	}
	return putOnly(tx, bucketAnchor, p.anchor)
}
