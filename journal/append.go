package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// fill is the part of a record page that bbolt fills. Records are only added at
// the end, so a page does not need the room that bbolt would leave in its
// middle.
const fill = 0.95

// Append writes recs, and the state they lead to, in one transaction; when it
// returns without an error they are on disk. Seq, Time, Mono and Boot are
// filled in. On ErrInvalid nothing was written and the journal is still good;
// after any other error the outcome is unknown and the journal poisoned.
func (j *Journal) Append(recs ...Record) (*Fold, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.usable(); err != nil {
		return nil, err
	}
	if err := j.inPlace(); err != nil {
		return nil, err
	}
	return j.append(recs)
}

// append is Append into a file that is where it should be. mu is held.
func (j *Journal) append(recs []Record) (*Fold, error) {
	if j.removed != nil {
		recs = append([]Record{{Phase: Observed, Damage: j.removed}}, recs...)
	}
	before := j.State()
	b, err := Prepare(before, Stamp{
		Time: j.opt.Clock.Now().UTC().Round(0), Mono: j.opt.Clock.Monotonic(), Boot: j.opt.Clock.Boot(),
	}, recs)
	if err != nil {
		return nil, err
	}
	if len(b.Values) == 0 {
		return before, nil
	}
	old, summary, err := j.upkeep(b)
	if err != nil {
		return nil, err
	}
	err = j.commit(func(tx *bolt.Tx) error {
		if err := b.put(tx, summary); err != nil {
			return err
		}
		return old.drop(tx)
	})
	if err != nil {
		return nil, err
	}
	j.fresh, j.removed = false, nil
	if summary != nil {
		j.summary = b.State.Seq
	}
	j.state.Store(b.State)
	return b.State, nil
}

// upkeep returns what else goes into the transaction of b: a plan to prune, and
// a new summary. Either is nil when there is nothing to do. mu is held.
func (j *Journal) upkeep(b *Batch) (*pruning, []byte, error) {
	due := b.Drop || j.summary == 0 || b.State.Seq >= j.summary+summaryEvery
	if !due {
		return nil, nil, nil
	}
	summary, err := (&storedFold{Fold: foldVersion, State: b.State}).encode(bucketSummary)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: cannot encode the summary: %w", ErrInvalid, err)
	}
	return j.planPrune(b), summary, nil
}

// Stamp is where and when records are written.
type Stamp struct {
	Time time.Time
	Mono time.Duration
	Boot string
}

// Batch is records made ready for one transaction.
type Batch struct {
	// Values are the stored values, in order.
	Values [][]byte
	// Records are the records as they will be read back.
	Records []Record
	// State is the state after all of them.
	State *Fold
	// Drop is set when the notes of all updates except State.Open are to be
	// deleted.
	Drop bool
}

// Prepare makes recs ready to be stored after the state before: numbers,
// stamps, encodes and folds them. It is what Append does before it writes, and
// all that a journal in memory needs.
func Prepare(before *Fold, at Stamp, recs []Record) (*Batch, error) {
	b := &Batch{State: before}
	for _, r := range recs {
		if err := check(r); err != nil {
			return nil, err
		}
		r.Seq = b.State.Seq + 1
		r.Time, r.Mono, r.Boot = at.Time, at.Mono, at.Boot
		value, stored, err := Encode(b.State.Sum, r)
		if err != nil {
			return nil, err
		}
		// Fold the record that will be read back, not the caller's: folding the
		// file again must give the same summary.
		b.State = Apply(b.State, stored)
		b.Values = append(b.Values, value)
		b.Records = append(b.Records, stored)
		b.Drop = b.Drop || r.Accept != nil || r.Closed
	}
	return b, nil
}

func check(r Record) error {
	switch {
	case r.Phase != Intent && r.Phase != Observed && r.Phase != Outcome:
		return fmt.Errorf("%w: %q is not a phase", ErrInvalid, r.Phase)
	case r.Update == "" && (r.Accept != nil || r.Learn != nil || r.Spend != nil || r.Stopped != nil || r.Wait != nil || r.Trial != nil || r.Terminal || r.Closed || r.To != ""):
		return fmt.Errorf("%w: it tells of an update but does not name it", ErrInvalid)
	case r.Remember != nil && len(r.Remember.Facts) > MaxFacts:
		return fmt.Errorf("%w: %s would remember %d bytes, more than %d", ErrInvalid, r.Remember.Source, len(r.Remember.Facts), MaxFacts)
	}
	return nil
}

// put writes the batch, and the summary unless it is nil.
func (b *Batch) put(tx *bolt.Tx, summary []byte) error {
	records := tx.Bucket([]byte(bucketRecords))
	records.FillPercent = fill
	// The sequence number is in the page above the records, which is written
	// anyway. It shows later whether the newest records are missing.
	if err := records.SetSequence(b.State.Seq); err != nil {
		return err
	}
	for i, r := range b.Records {
		if err := records.Put(key(r.Seq), b.Values[i]); err != nil {
			return err
		}
		if r.Accept == nil {
			continue
		}
		if err := tx.Bucket([]byte(bucketUpdates)).Put(key(r.Seq), []byte(r.Update)); err != nil {
			return err
		}
	}
	if b.Drop {
		if err := dropNotes(tx.Bucket([]byte(bucketNotes)), b.State.Open); err != nil {
			return err
		}
	}
	if summary == nil {
		return nil
	}
	return putOnly(tx, bucketSummary, summary)
}

// putOnly writes the only value of a bucket.
func putOnly(tx *bolt.Tx, bucket string, value []byte) error {
	return tx.Bucket([]byte(bucket)).Put([]byte(bucket), value)
}

// dropNotes deletes the notes of every update but open.
func dropNotes(notes *bolt.Bucket, open *Update) error {
	keep := []byte(nil)
	if open != nil {
		keep = []byte(noteKey(open.ID, ""))
	}
	var gone [][]byte
	err := notes.ForEach(func(k, _ []byte) error {
		if keep == nil || !bytes.HasPrefix(k, keep) {
			gone = append(gone, bytes.Clone(k))
		}
		return nil
	})
	for _, k := range gone {
		if err == nil {
			err = notes.Delete(k)
		}
	}
	return err
}

func noteKey(update, step string) string { return update + "/" + step }

// Note stores v as the step's note, in place of the one before; the note is
// durable when Note returns, and is deleted when the update is closed. Note
// returns ErrNotOpen when the update is not the open one; after any other error
// the journal is poisoned.
func (j *Journal) Note(update, step string, v []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.usable(); err != nil {
		return err
	}
	if open := j.State().Open; open == nil || open.ID != update {
		return fmt.Errorf("cannot note %s of update %s: %w", step, update, ErrNotOpen)
	}
	if err := j.inPlace(); err != nil {
		return err
	}
	if len(v) > maxPayload {
		return fmt.Errorf("%w: the note of %s has %d bytes", ErrInvalid, step, len(v))
	}
	k := noteKey(update, step)
	value := seal(k, v)
	return j.commit(func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketNotes)).Put([]byte(k), value) })
}

// ReadNote returns the step's newest note. It returns nil when the note is
// absent or damaged: a note only saves work.
func (j *Journal) ReadNote(update, step string) ([]byte, error) {
	var note []byte
	err := j.view(func(im *image) error {
		notes, err := im.bucket(bucketNotes)
		if err != nil {
			return err
		}
		k := noteKey(update, step)
		value, err := im.get(notes, k)
		if err != nil || value == nil {
			return err
		}
		payload, ok := unseal(k, value)
		if !ok {
			j.opt.Log.Warn("a note in the journal is damaged and ignored", "update", update, "step", step)
			return nil
		}
		note = json.RawMessage(payload)
		return nil
	})
	return note, err
}
