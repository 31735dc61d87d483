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
// around the damage, and read a file that another process has locked. What it
// reads is one transaction, that of its meta; the caller sees to it that the
// pages of that transaction stay (see Journal.view and copyFile).
type image struct {
	r io.ReaderAt
	meta
	// seen, when set, hears of every page read.
	seen func(id, count uint64) error
}

// tree is a bucket: a tree of pages, or a page inside its parent's value.
type tree struct {
	root   uint64
	inline page
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
	return p, nil
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
	return p[at : at+size : at+size], true
}

// leaf is element i of a leaf page.
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

// branch is element i of a branch page: the child's first key and its page.
func (p page) branch(i int) (first []byte, child uint64, ok bool) {
	at := uint64(pageHead + i*elementSize)
	e, ok := p.part(at, elementSize)
	if !ok {
		return nil, 0, false
	}
	first, ok = p.part(at+uint64(le.Uint32(e)), uint64(le.Uint32(e[4:])))
	return first, le.Uint64(e[8:]), ok
}

// bucket finds a top-level bucket.
func (im *image) bucket(name string) (tree, error) {
	var found *tree
	err := im.each(tree{root: im.root}, []byte(name), func(e entry) error {
		if e.bucket && string(e.key) == name && len(e.value) >= bucketHead {
			found = &tree{root: le.Uint64(e.value), inline: page(e.value[bucketHead:])}
		}
		return errStop
	}, nil)
	if err == nil && found == nil {
		err = &flaw{DamagedPages, fmt.Sprintf("there is no bucket %q", name)}
	}
	if err != nil {
		return tree{}, err
	}
	return *found, nil
}

// errStop ends a walk without an error.
var errStop = errors.New("stop")

// each calls visit with the entries of t in order, from the first key that is
// not below from. What is wrong is handed to bad, and the walk goes on behind
// it; without bad it ends the walk.
func (im *image) each(t tree, from []byte, visit func(entry) error, bad func(error) error) error {
	if bad == nil {
		bad = func(err error) error { return err }
	}
	w := walk{im: im, from: from, visit: visit, bad: bad}
	var err error
	if t.root == 0 {
		err = w.elements(0, t.inline)
	} else {
		err = w.down(t.root, 0)
	}
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

type walk struct {
	im    *image
	pages uint64
	from  []byte
	last  []byte
	visit func(entry) error
	bad   func(error) error
}

func (w *walk) down(id uint64, depth int) error {
	// Damaged pages may lead in circles, or to one page many times.
	if w.pages++; w.pages > w.im.pages || depth > maxDepth {
		return badPage(id, "is in a tree that never ends")
	}
	p, err := w.im.page(id, branchPage|leafPage)
	if err != nil {
		return w.bad(err)
	}
	if p.flags() == leafPage {
		return w.elements(id, p)
	}
	n := p.count()
	for i := range n {
		_, child, ok := p.branch(i)
		if !ok {
			return w.bad(badPage(id, "has an element outside itself"))
		}
		// A child whose successor begins at or below from has nothing for us.
		if next, _, ok := p.branch(min(i+1, n-1)); ok && i+1 < n && bytes.Compare(next, w.from) <= 0 {
			continue
		}
		if err := w.down(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// elements visits a leaf page's entries; id 0 is an inline page.
func (w *walk) elements(id uint64, p page) error {
	if len(p) < pageHead || p.flags() != leafPage {
		return w.bad(badPage(id, "is no leaf"))
	}
	for i := range p.count() {
		e, ok := p.leaf(i)
		if !ok {
			return w.bad(badPage(id, "has an element outside itself"))
		}
		if w.last != nil && bytes.Compare(e.key, w.last) <= 0 {
			return w.bad(badPage(id, "has keys out of order"))
		}
		w.last = e.key
		if bytes.Compare(e.key, w.from) < 0 {
			continue
		}
		if err := w.visit(e); err != nil {
			return err
		}
	}
	return nil
}

// get returns the value of key in t, or nil when it is not there.
func (im *image) get(t tree, key string) ([]byte, error) {
	var value []byte
	err := im.each(t, []byte(key), func(e entry) error {
		if string(e.key) == key && !e.bucket {
			value = e.value
		}
		return errStop
	}, nil)
	return value, err
}

// tail returns the last n entries of t, newest first.
func (im *image) tail(t tree, n int) ([]entry, error) {
	var out []entry
	take := func(id uint64, p page) error {
		if len(p) < pageHead || p.flags() != leafPage {
			return badPage(id, "is no leaf")
		}
		for i := p.count() - 1; i >= 0 && len(out) < n; i-- {
			e, ok := p.leaf(i)
			if !ok {
				return badPage(id, "has an element outside itself")
			}
			out = append(out, e)
		}
		return nil
	}
	var up func(id uint64, depth int) error
	up = func(id uint64, depth int) error {
		p, err := im.page(id, branchPage|leafPage)
		if err != nil {
			return err
		}
		if p.flags() == leafPage {
			return take(id, p)
		}
		for i := p.count() - 1; i >= 0 && len(out) < n; i-- {
			_, child, ok := p.branch(i)
			if !ok || depth > maxDepth {
				return badPage(id, "leads nowhere")
			}
			if err := up(child, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if t.root == 0 {
		return out, take(0, t.inline)
	}
	return out, up(t.root, 0)
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
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = le.Uint64(raw[i*8:])
		if ids[i] < 2 || ids[i] >= im.pages || i > 0 && ids[i] <= ids[i-1] {
			return nil, badPage(im.freelist, "is no list of free pages")
		}
	}
	return ids, nil
}
