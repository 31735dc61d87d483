package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"
)

// Reader reads a journal that another process may be writing, or a copy of one.
// It holds its own copy in memory, of one transaction, and keeps neither the
// file nor a lock: reading a journal at leisure never keeps a daemon from
// starting. It is safe for concurrent use.
type Reader struct {
	path  string
	im    *image
	head  *header
	state *Fold
	// data are the bytes that were copied, which im reads.
	data []byte
	// flaw is the damage that was seen; nil when there was none.
	flaw error
}

// OpenReader reads the journal at path and changes nothing. It takes no lock, so that it
// is in nobody's way. The file is copied as it is, again and again until the copy is whole,
// or stays as it is and so is not being written. A damaged journal is read as far as
// possible, and Damaged then says so; ErrDamaged means that there is nothing to read at all.
func OpenReader(path string, _ Options) (*Reader, error) {
	f, err := openFile(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	r, err := readCopy(path, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("cannot read the journal %s: %w", path, err)
	}
	return r, nil
}

// While a writer is at work, copying is tried copyTries times, copyPause apart.
const (
	copyTries = 20
	copyPause = 20 * time.Millisecond
)

func readCopy(path string, f *os.File) (*Reader, error) {
	var before []byte
	for try := 1; ; try++ {
		r, torn, err := copyOnce(path, f)
		if err != nil {
			return nil, err
		}
		// A damaged file is the same when it is read once more; one that was caught in
		// the middle of a write is not.
		if !torn && (r.flaw == nil || bytes.Equal(r.data, before)) || try == copyTries {
			return r, nil
		}
		before = r.data
		time.Sleep(copyPause)
	}
}

// copyOnce copies the pages in use. While a writer commits one transaction, the
// pages of the one before stay; torn says that it may have begun a second.
func copyOnce(path string, f *os.File) (r *Reader, torn bool, err error) {
	info, err := f.Stat()
	if err == nil {
		err = asFile(info)
	}
	if err != nil {
		return nil, false, err
	}
	im, head, err := openImage(f, info.Size())
	if im == nil {
		return nil, false, err
	}
	r = &Reader{path: path, head: head, flaw: err}
	data := make([]byte, im.pages*pageSize)
	if _, err := f.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		r.flaw = &flaw{DamagedPages, err.Error()}
	}
	if _, after, _ := openImage(f, info.Size()); after == nil || after.tx != head.tx {
		torn = true
	}
	r.data, r.im = data, &image{r: bytes.NewReader(data), meta: im.meta}
	r.fold()
	return r, torn, nil
}

// fold finds the newest state, as well as it can.
func (r *Reader) fold() {
	c, err := readContents(r.im)
	if err != nil {
		var state *Fold
		if _, state = salvageImage(r.im, false); r.flaw == nil {
			r.flaw = err
		}
		r.state = state
		return
	}
	r.state = c.state
	if r.flaw != nil {
		return
	}
	if r.head.bad != "" {
		r.flaw = &flaw{DamagedMeta, r.head.bad}
	} else if c.refolded != nil {
		r.flaw = c.refolded
	}
}

// State is the newest state. Of a damaged journal it is the state that could be saved.
func (r *Reader) State() *Fold { return r.state }

// Damaged returns the damage that opening met, or nil. Verify looks closer.
func (r *Reader) Damaged() error { return r.flaw }

// Path is where the journal was read from.
func (r *Reader) Path() string { return r.path }

// Records is Journal.Records.
func (r *Reader) Records(update string) ([]Record, error) {
	return records(r.im, update, 0, math.MaxInt)
}

// Page is Journal.Page.
func (r *Reader) Page(update string, after uint64, size int) ([]Record, error) {
	return records(r.im, update, after, size)
}

// Updates is Journal.Updates.
func (r *Reader) Updates() ([]Update, error) { return updates(r.im) }

// Verify is Journal.Verify; it also tells of a header that is half bad.
func (r *Reader) Verify() (Report, error) {
	rep := verify(r.im)
	if r.flaw != nil && (r.head.bad != "" || kindOf(r.flaw) == DamagedShort) {
		_ = rep.add(r.flaw)
	}
	return rep, nil
}

// Close is there for symmetry with Journal: a Reader holds nothing.
func (r *Reader) Close() error { return nil }
