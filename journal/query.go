package journal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// Records returns the kept records of an update, or with "" all, oldest first.
// Records that cannot be read are left out; the error is then an ErrDamaged
// and the rest is good.
func (j *Journal) Records(update string) (recs []Record, err error) {
	err = j.view(func(im *image) error { recs, err = records(im, update, 0, math.MaxInt); return err })
	return recs, err
}

// Page returns the kept records of an update, or with "" of all, that come after record
// after, oldest first, up to the one that brings them to size bytes as stored. None means
// that there are no more. As for Records, with an ErrDamaged the rest is good.
//
// Read page by page, a journal of any length takes little memory, and nothing of it is
// held between two calls. Records that are pruned between them are left out.
func (j *Journal) Page(update string, after uint64, size int) (recs []Record, err error) {
	err = j.view(func(im *image) error { recs, err = records(im, update, after, size); return err })
	return recs, err
}

// Updates returns the updates whose records are kept, newest first; as for
// Records, with an ErrDamaged the rest is good.
//
// The answer is kept until the next record: a client may ask often. Those who ask at the
// same time wait for one look at the file.
func (j *Journal) Updates() (list []Update, err error) {
	j.listing.Lock()
	defer j.listing.Unlock()
	seq := j.State().Seq
	if have := j.updates.Load(); have != nil && have.seq == seq {
		return slices.Clone(have.list), nil
	}
	err = j.view(func(im *image) error { list, err = updates(im); return err })
	if err == nil {
		// Should a record have come in between, the list is newer than it says,
		// and made anew next time.
		j.updates.Store(&listed{seq: seq, list: slices.Clone(list)})
	}
	return list, err
}

// listed is the updates after record seq.
type listed struct {
	seq  uint64
	list []Update
}

// Verify reads the whole file and checks everything there is to check: every
// page, the chain from the anchor to the newest record, the fold against the
// summary, the index. It may take a while, and does not stop other readers
// or a writer.
func (j *Journal) Verify() (rep Report, err error) {
	err = j.view(func(im *image) error { rep = verify(im); return nil })
	return rep, err
}

// opened returns c with its buckets found. A missing bucket is an error, but
// the others can still be read.
func opened(im *image) (*contents, error) {
	c := &contents{im: im}
	err := c.buckets()
	if c.anchor == nil {
		c.anchor = &storedFold{State: &Fold{}}
	}
	return c, err
}

func records(im *image, update string, after uint64, size int) ([]Record, error) {
	c, err := opened(im)
	if c.records == nil {
		return nil, err
	}
	var out []Record
	first := func(e error) error {
		if err == nil {
			err = e
		}
		return nil
	}
	// Verify checks the links; here every record that can be read is worth
	// showing.
	from := c.start(update)
	if next := key(after + 1); bytes.Compare(from, next) < 0 {
		from = next
	}
	end := im.each(*c.records, from, func(e entry) error {
		r, bad := decodeEntry(e)
		if bad != nil {
			return first(bad)
		}
		if update == "" || r.Update == update {
			out = append(out, r)
			size -= StoredSize(r)
		}
		if size <= 0 && len(out) > 0 {
			return errStop
		}
		return nil
	}, first)
	return out, cmp.Or(err, end)
}

// start is the key of the record that opened an update. When the index does not
// have that update, start is nil, and reading begins at the oldest record.
func (c *contents) start(update string) []byte {
	var start []byte
	if c.updates == nil || update == "" {
		return nil
	}
	_ = c.im.each(*c.updates, nil, func(e entry) error {
		if string(e.value) == update && len(e.key) == keySize && binary.BigEndian.Uint64(e.key) > c.anchor.State.Seq {
			start = e.key
			return errStop
		}
		return nil
	}, nil)
	return start
}

func updates(im *image) ([]Update, error) {
	c, err := opened(im)
	if c.records == nil {
		return nil, err
	}
	h := newHistory(c.anchor.State)
	end := c.follow(c.anchor.State, func(r Record, s *Fold) error {
		h.add(r, s)
		return nil
	}, func(e error) error {
		if err == nil {
			err = e
		}
		return nil
	})
	return h.list(), cmp.Or(err, end)
}
