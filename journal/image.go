package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
)

// image reads a bbolt file without bbolt: with plain reads, every length
// checked, never mapped. So it can tell what is wrong with a damaged file, read
// around the damage, and read a file that another process has locked. It reads
// one transaction, that of its meta; the caller makes sure that the pages of
// that transaction stay (see Journal.view and copyFile).
type image struct {
	r io.ReaderAt
	meta
	// seen, when set, is called for every page read.
	seen func(id, count uint64) error
}

// entry is one key with its value.
type entry struct {
	key, value []byte
	bucket     bool
}

// page is a page with its overflow.
type page []byte

func (p page) flags() uint16 { return le.Uint16(p[8:]) }
func (p page) count() int    { return int(le.Uint16(p[10:])) }

// maxDepth bounds a walk through pages that lead to each other.
const maxDepth = 16

func badPage(id uint64, text string, args ...any) error {
	return &flaw{DamagedPages, fmt.Sprintf("page %d ", id) + fmt.Sprintf(text, args...)}
}

// page reads page id, of the kinds in flags.
func (im *image) page(id uint64, flags uint16) (page, error) {
	if id < 2 || id >= im.pages {
		return nil, badPage(id, "lies outside the %d pages in use", im.pages)
	}
	p := make(page, pageSize)
	if err := im.read(p, id); err != nil {
		return nil, err
	}
	if le.Uint64(p) != id || p.flags()&flags == 0 || p.flags()&^flags != 0 {
		return nil, badPage(id, "is not what it should be (it says: page %d, type %#x)", le.Uint64(p), p.flags())
	}
	more := uint64(le.Uint32(p[12:]))
	if more >= im.pages-id {
		return nil, badPage(id, "runs over the %d pages in use", im.pages)
	}
	if im.seen != nil {
		if err := im.seen(id, more+1); err != nil {
			return nil, err
		}
	}
	if more > 0 {
		p = make(page, (more+1)*pageSize)
		if err := im.read(p, id); err != nil {
			return nil, err
		}
	}
	return p, p.check(id)
}

// check checks that every element of a leaf or branch page lies inside it and
// sorts behind the one before, and that the page is as long as they need: bbolt
// takes all that for granted.
func (p page) check(id uint64) error {
	switch {
	case len(p) < pageHead || id == 0 && p.flags() != leafPage:
		return badPage(id, "is not a page")
	case p.flags() == freelistPage:
		return nil
	case p.flags() == branchPage && p.count() == 0:
		return badPage(id, "leads nowhere")
	}
	size := pageHead
	var last []byte
	for i := range p.count() {
		k, v := p.element(i)
		if k == nil {
			return badPage(id, "has an element outside itself")
		}
		if i > 0 && bytes.Compare(k, last) <= 0 {
			return badPage(id, "has keys out of order")
		}
		size += elementSize + len(k) + len(v)
		last = k
	}
	if id != 0 && (size+pageSize-1)/pageSize != len(p)/pageSize {
		return badPage(id, "has %d bytes in %d pages", size, len(p)/pageSize)
	}
	return nil
}

// element is the key, and on a leaf the value, of element i; the key is nil
// when the element does not lie inside the page.
func (p page) element(i int) (key, value []byte) {
	if p.flags() == branchPage {
		if k, _, ok := p.branch(i); ok {
			key = k
		}
		return key, nil
	}
	e, ok := p.leaf(i)
	if !ok || e.bucket && len(e.value) < bucketHead {
		return nil, nil
	}
	return e.key, e.value
}

func (im *image) read(p page, id uint64) error {
	_, err := im.r.ReadAt(p, int64(id)*pageSize)
	if errors.Is(err, io.EOF) {
		return badPage(id, "lies behind the end of the file")
	}
	if err != nil {
		return badPage(id, "cannot be read: %v", err)
	}
	return nil
}

// part is p[at : at+size], or false when that is not inside.
func (p page) part(at, size uint64) ([]byte, bool) {
	if at > uint64(len(p)) || size > uint64(len(p))-at {
		return nil, false
	}
	return p[at : at+size : at+size], true // never nil
}

// leaf is element i of a leaf page, or false when it is not inside.
func (p page) leaf(i int) (entry, bool) {
	at := uint64(pageHead + i*elementSize)
	e, ok := p.part(at, elementSize)
	if !ok {
		return entry{}, false
	}
	keyAt, keyLen, valueLen := at+uint64(le.Uint32(e[4:])), uint64(le.Uint32(e[8:])), uint64(le.Uint32(e[12:]))
	k, ok1 := p.part(keyAt, keyLen)
	v, ok2 := p.part(keyAt+keyLen, valueLen)
	return entry{key: k, value: v, bucket: le.Uint32(e)&bucketFlag != 0}, ok1 && ok2
}

// branch is element i of a branch page: first, a key that is at most the
// smallest key below the child, and the child. ok is false when the element
// does not lie inside the page.
func (p page) branch(i int) (first []byte, child uint64, ok bool) {
	at := uint64(pageHead + i*elementSize)
	e, ok := p.part(at, elementSize)
	if !ok {
		return nil, 0, false
	}
	first, ok = p.part(at+uint64(le.Uint32(e)), uint64(le.Uint32(e[4:])))
	return first, le.Uint64(e[8:]), ok
}

// free returns the free list, ascending.
func (im *image) free() ([]uint64, error) {
	if im.freelist == noFreelist {
		return nil, nil
	}
	p, err := im.page(im.freelist, freelistPage)
	if err != nil {
		return nil, err
	}
	n, at := uint64(p.count()), uint64(pageHead)
	if n == math.MaxUint16 {
		n, at = le.Uint64(p[pageHead:]), pageHead+8
	}
	if n > im.pages {
		return nil, badPage(im.freelist, "lists %d free pages, more than there are", n)
	}
	raw, ok := p.part(at, n*8)
	if !ok {
		return nil, badPage(im.freelist, "has an element outside itself")
	}
	// bbolt allocates the list's pages before it takes them from the free ones,
	// so the list may have room for that many entries more.
	have := uint64(len(p)) / pageSize
	if (at+n*8)/pageSize+1 != have && (at+(n+have)*8)/pageSize+1 != have {
		return nil, badPage(im.freelist, "has %d free pages in %d pages", n, have)
	}
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = le.Uint64(raw[i*8:])
		if ids[i] < 2 || ids[i] >= im.pages || i > 0 && ids[i] <= ids[i-1] {
			return nil, badPage(im.freelist, "is not a list of free pages")
		}
	}
	return ids, nil
}
